"""Streams of files: their own form of path, one URL an event."""

import json
import re

import httpx
import pytest

from tests.yard import FOLDERS, Yard

pytestmark = pytest.mark.slow


def events(text: str) -> list[tuple[str, str, str]]:
    """Event, data and id of each event."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["event"], fields["data"], fields["id"]))
    return found


def test_each_file_comes_as_a_url_of_its_own(yard: Yard, picture_stream: str) -> None:
    created = yard.create(picture_stream, {"count": 3, "pause": 0.1}).json()
    told = events(httpx.get(created["urls"]["stream"], trust_env=False, timeout=60).text)
    outputs = [data for event, data, _ in told if event == "output"]

    assert re.search(r"/v1/files/[a-z]{4}-[a-z2-7]{52}$", created["urls"]["stream"])
    assert [event for event, _, _ in told] == ["output", "output", "output", "done"]
    assert len({number for _, _, number in told}) == 4
    for number, url in enumerate(outputs):
        answer = httpx.get(url, trust_env=False)
        assert answer.headers["content-type"] == "image/svg+xml"
        assert f"<title>{number}</title>" in answer.text
    assert yard.end_of(created["id"])["output"]


def test_a_stream_is_taken_up_where_it_broke(yard: Yard, picture_stream: str) -> None:
    created = yard.create(picture_stream, {"count": 3}).json()
    yard.end_of(created["id"])
    whole = events(httpx.get(created["urls"]["stream"], trust_env=False).text)
    rest = events(httpx.get(created["urls"]["stream"], headers={"Last-Event-ID": whole[0][2]}, trust_env=False).text)

    assert [event for event, _, _ in rest] == ["output", "output", "done"]
    assert [number for _, _, number in rest] == [number for _, _, number in whole[1:]]


def test_a_single_file_is_a_stream_of_one(yard: Yard) -> None:
    reference = yard.push(FOLDERS / "picture", "acme/picture", "--no-examples")
    created = yard.create(reference, {"title": "cogs"}).json()
    told = events(httpx.get(created["urls"]["stream"], trust_env=False, timeout=60).text)

    assert [event for event, _, _ in told] == ["output", "done"]
    assert "<title>cogs</title>" in httpx.get(told[0][1], trust_env=False).text


def test_a_stream_that_nobody_was_given_is_404(yard: Yard) -> None:
    for path in ("/v1/files/yard-" + "a" * 52, "/v1/streams/" + "a" * 52, "/v1/streams/nothing"):
        answer = httpx.get(f"{yard.url}{path}", trust_env=False)

        assert (answer.status_code, json.loads(answer.text)["status"]) == (404, 404)
