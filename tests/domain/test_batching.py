"""Which predictions run together, and what each of them is charged."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogyard.domain.batching import Batch, key_of, parse_batch, parts
from cogyard.domain.errors import InvalidRequest
from cogyard.domain.events import Canceled, Interrupted, Metric, Separated, Started, Succeeded
from cogyard.domain.prediction import Prediction, Status, apply
from cogyard.domain.usage import charge
from cogyard.domain.values import AccountId, PredictionId, QueueId, VersionId

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEXTS = Batch(input="texts", max=4)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def prediction(**changes: object) -> Prediction:
    fields: dict[str, object] = {"price": Decimal("0.1"), "input": {"texts": ["a"]}, **changes}
    return Prediction(
        id=PredictionId("p"),
        account=AccountId(1),
        model="a/b",
        version=VersionId("v"),
        queue=QueueId("v"),
        created_at=NOW,
        **fields,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("text", "batch"),
    [
        ("texts:16", Batch(input="texts", max=16)),
        ("texts:16:256", Batch(input="texts", max=16, max_items=256)),
        ("x:1000", Batch(input="x", max=1000)),
    ],
)
def test_a_push_says_it_in_a_word(text: str, batch: Batch) -> None:
    assert parse_batch(text) == batch


@pytest.mark.parametrize(
    "text", ["", "texts", ":4", "texts:", "texts:1", "texts:1001", "texts:four", "a:4:1", "a:4:x", "a:4:8:1", "a:²",
             "a:" + "9" * 5000, "a:4:" + "9" * 30]
)  # fmt: skip
def test_a_word_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="for example texts:16"):
        parse_batch(text)


def test_all_but_the_list_must_be_the_same() -> None:
    key = key_of(TEXTS, {"texts": ["a"], "size": 1, "tone": "low"})

    assert key == key_of(TEXTS, {"tone": "low", "size": 1, "texts": ["b", "c"]})
    assert key != key_of(TEXTS, {"texts": ["a"], "size": 2, "tone": "low"})
    assert key != key_of(TEXTS, {"texts": ["a"], "size": 1})


@pytest.mark.parametrize("given_input", [{}, {"texts": []}, {"texts": None}, {"text": "a"}])
def test_what_brings_no_items_runs_alone(given_input: dict[str, object]) -> None:
    assert key_of(TEXTS, given_input) is None  # type: ignore[arg-type]


def test_what_fills_a_batch_by_itself_runs_alone() -> None:
    small = Batch(input="texts", max=4, max_items=3)

    assert key_of(small, {"texts": ["a", "b"]})
    assert key_of(small, {"texts": ["a", "b", "c"]}) is None


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_every_item_is_somebodys_and_only_his(counts: list[int]) -> None:
    output = list(range(sum(counts)))

    split = [output[first:end] for first, end in parts(counts)]

    assert [len(part) for part in split] == counts
    assert [item for part in split for item in part] == output


@given(st.integers(2, 40), st.integers(1, 10**7))
def test_a_batch_is_charged_as_much_as_one_run(size: int, microseconds: int) -> None:
    end = NOW + timedelta(microseconds=microseconds)

    def run(together: int) -> Prediction:
        return apply(apply(prediction(), Started(at=NOW, together=together)), Succeeded(at=end))

    one, each = charge(run(1)), [charge(run(size)) for _ in range(size)]

    assert 0 <= one.run_time - sum(part.run_time for part in each) < size
    assert abs(one.cost - sum(part.cost for part in each)) <= 101 * size, "a microsecond costs 100 billionths"
    assert run(size).metrics["predict_time"] == run(1).metrics["predict_time"]


def test_who_cancels_pays_his_part_of_the_time_until_then() -> None:
    canceled = apply(apply(prediction(), Started(at=NOW, together=4)), Canceled(at=after(2)))

    assert charge(canceled).run_time == 500_000


def test_what_runs_again_alone_begins_anew() -> None:
    together = apply(prediction(timing={"queue": 1.0}), Started(at=NOW, together=4))
    assert together.timing == {"queue": 1.0, "batch": 4}
    alone = apply(apply(together, Metric(name="batch_size", value=4)), Separated(at=after(5), reason="it rained"))
    done = apply(apply(alone, Started(at=after(6))), Succeeded(at=after(7)))

    assert alone.status is Status.processing
    assert alone.timing == {"queue": 1.0}
    assert "but it rained; it runs again alone" in alone.logs
    assert charge(done).run_time == 2_000_000
    assert "batch_size" not in done.metrics


def test_what_goes_back_to_the_queue_is_in_no_batch_any_more() -> None:
    together = apply(prediction(), Started(at=NOW, together=4))

    assert apply(together, Interrupted(at=after(1), reason="killed")).timing is None
