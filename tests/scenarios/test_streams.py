"""Server-sent events of a prediction's output."""

from pathlib import Path

import httpx
import pytest

from tests.yard import Yard


def events(text: str) -> list[tuple[str, str, str]]:
    """Event name, id and data of each event."""
    found = []
    for block in text.split("\n\n"):
        fields: dict[str, list[str]] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            fields.setdefault(name, []).append(value)
        if "event" in fields:
            found.append((fields["event"][0], fields["id"][0], "\n".join(fields["data"])))
    return found


def read(url: str, **headers: str) -> list[tuple[str, str, str]]:
    return events(httpx.get(url, headers=headers, timeout=60, trust_env=False).text)


def stream_url(yard: Yard, reference: str, model_input: dict[str, object]) -> str:
    url: str = yard.create(reference, model_input).json()["urls"]["stream"]
    return url


def test_a_stream_tells_all_items_and_one_end_without_a_token(yard: Yard, canary_stream: str) -> None:
    told = read(stream_url(yard, canary_stream, {"text": "you", "count": 2}))

    assert [data for name, _, data in told if name == "output"] == ["hello ", "there, ", "you", " 0\n", " 1\n"]
    assert told[-1][0::2] == ("done", "{}")
    assert all(number for _, number, _ in told)


def test_a_stream_taken_up_again_goes_on_after_the_last_event(yard: Yard, canary_stream: str) -> None:
    for fail in (False, True):
        url = stream_url(yard, canary_stream, {"text": "you", "count": 2, "fail": fail})
        whole = read(url)

        for place, (_, seen, _) in enumerate(whole, 1):  # the last one seen may also be how it ended
            assert read(url, **{"Last-Event-ID": seen}) == whole[place:]


def test_a_failure_is_told_before_the_end(yard: Yard, canary_stream: str) -> None:
    told = read(stream_url(yard, canary_stream, {"text": "you", "fail": True}))

    assert told[-2][0::2] == ("error", '{"detail":"RuntimeError: no more"}')
    assert told[-1][0::2] == ("done", '{"reason":"error"}')


@pytest.mark.parametrize("model", ["canary_stream", "canary_async"])
def test_items_arrive_while_the_model_still_runs(
    yard: Yard, model: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = stream_url(yard, request.getfixturevalue(model), {"text": "you", "gate": str(tmp_path)})
    seen = []

    with httpx.stream("GET", url, timeout=60, trust_env=False) as response:
        for line in response.iter_lines():
            if line.startswith("data: ") and line != "data: {}":
                seen.append(line[6:])
                (tmp_path / str(len(seen))).touch()  # only now may the model go on

    assert seen == ["hello ", "there, ", "you"]


def test_asking_for_a_streams_head_does_not_wait_for_its_end(yard: Yard, canary_stream: str, tmp_path: Path) -> None:
    created = yard.create(canary_stream, {"text": "you", "gate": str(tmp_path)}).json()
    head = httpx.head(created["urls"]["stream"], timeout=10, trust_env=False)
    with yard.http as http:
        http.post(f"/predictions/{created['id']}/cancel")

    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


def test_a_canceled_stream_ends(yard: Yard, canary_stream: str, tmp_path: Path) -> None:
    created = yard.create(canary_stream, {"text": "you", "gate": str(tmp_path)}).json()
    yard.until_status(created["id"], "processing")
    with yard.http as http:
        http.post(f"/predictions/{created['id']}/cancel")

    told = read(created["urls"]["stream"])

    assert told[-1][0::2] == ("done", '{"reason":"canceled"}')


def test_a_forged_stream_token_opens_nothing(yard: Yard, canary_stream: str) -> None:
    url = stream_url(yard, canary_stream, {"text": "you"})

    assert httpx.get(url[:-3] + "AAA", trust_env=False).status_code == 404


def test_four_callers_share_one_async_instance(yard: Yard, canary_async: str) -> None:
    started = [yard.create(canary_async, {"text": str(number), "wait_for": 4}).json()["id"] for number in range(4)]

    outputs = ["".join(yard.end_of(one)["output"]) for one in started]

    assert outputs == [f"hello there, {number}" for number in range(4)]


def test_only_models_that_stream_have_a_stream_url(yard: Yard, canary: str) -> None:
    assert "stream" not in yard.create(canary, {}).json()["urls"]
