"""What a model says of a batch reaches each of its predictions, and is told of nobody else."""

from pathlib import Path
from typing import Any

import pytest

from cogyard.domain.events import Failed, Log, Metric, Started
from cogyard.domain.prediction import Prediction
from cogyard.domain.values import AccountId, Json, PredictionId, QueueId, VersionId
from cogyard.instances.driver import DriverEvent, Produced
from cogyard.instances.talk import BatchTalk
from tests.contract.test_store import NOW

ADA, BEA = AccountId(1), AccountId(2)


def prediction(account: AccountId = ADA, **more: Any) -> Prediction:
    return Prediction(
        id=PredictionId("p"),
        account=account,
        model="a/b",
        version=VersionId("v"),
        queue=QueueId("v"),
        input={},
        created_at=NOW,
        **more,
    )


def talk(*counts: int, accounts: tuple[AccountId, ...] = (), **more: Any) -> BatchTalk:
    return BatchTalk([prediction(account, **more) for account in accounts or (ADA,) * len(counts)], counts)


def test_each_is_told_how_many_began_together() -> None:
    [told, *others] = talk(1, 1, 1).tell(Started(at=NOW))

    assert told == [Started(at=NOW, together=3), Metric(name="batch_size", value=3)]
    assert others == [told, told]


def test_output_is_kept_and_split_by_what_each_brought() -> None:
    made = talk(1, 2, 1)
    assert made.tell(Produced(value=["a", "b", "c", "d"])) == [[], [], []]

    assert made.split() == [Produced(value=["a"]), Produced(value=["b", "c"]), Produced(value=["d"])]


def test_files_go_with_their_items() -> None:
    made = talk(1, 2)
    paths = {"/0": Path("a"), "/1/picture": Path("b"), "/2/picture": Path("c"), "/2/mask": Path("d")}
    made.tell(Produced(value=["a", {"picture": "b"}, {"picture": "c", "mask": "d"}], paths=paths))

    assert made.split() == [
        Produced(value=["a"], paths={"/0": Path("a")}),
        Produced(
            value=[{"picture": "b"}, {"picture": "c", "mask": "d"}],
            paths={"/0/picture": Path("b"), "/1/picture": Path("c"), "/1/mask": Path("d")},
        ),
    ]


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (None, "the model returned no list for 3 items"),
        ({"a": 1}, "the model returned no list for 3 items"),
        ("abc", "the model returned no list for 3 items"),
        ([], "the model returned a list of 0 for 3 items"),
        (["a"], "the model returned a list of 1 for 3 items"),
        (["a", "b", "c", "d"], "the model returned a list of 4 for 3 items"),
    ],
)
def test_what_cannot_be_split_is_said(output: Json, told: str) -> None:
    made = talk(1, 2)
    made.tell(Produced(value=output))

    assert made.split() == told


def test_no_output_at_all_cannot_be_split() -> None:
    assert talk(1, 2).split() == "the model returned no list for 3 items"


def test_one_account_sees_all_that_is_said_of_its_run() -> None:
    said: list[DriverEvent] = [Log(text="working\n"), Metric(name="seen", value="all"), Failed(at=NOW, error="no")]

    for event in said:
        assert talk(1, 1).tell(event) == [[event], [event]]


def test_several_see_numbers_and_one_note() -> None:
    made = talk(1, 1, accounts=(ADA, BEA))

    [[note], _] = made.tell(Log(text="the text of Bea\n"))
    assert isinstance(note, Log)
    assert "what the model prints is not shown" in note.text
    assert made.tell(Log(text="more of it\n")) == [[], []]
    assert made.tell(Metric(name="last", value="the text of Bea")) == [[], []]
    assert made.tell(Metric(name="tokens", value=12)) == [[Metric(name="tokens", value=12)]] * 2


@pytest.mark.parametrize(
    ("value", "shares"), [(8, [2, 6]), (6, [1.5, 4.5]), (0.4, [0.1, pytest.approx(0.3)]), (True, [True, True])]
)
def test_what_is_charged_is_divided_by_items(value: Json, shares: list[Json]) -> None:
    told = talk(1, 3, unit="tokens").tell(Metric(name="tokens", value=value))

    assert [metric.value for [metric] in told if isinstance(metric, Metric)] == shares
