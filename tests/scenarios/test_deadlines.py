"""Predictions that are wanted for a time only, and data that is kept for a time only."""

import time

import httpx
import pytest

from tests.yard import FOLDERS, Yard, wait_until

pytestmark = pytest.mark.slow


def test_a_running_prediction_is_canceled_at_its_deadline(yard: Yard, canary: str) -> None:
    begun = time.monotonic()
    created = yard.create(canary, {"mode": "loop"}, **{"Cancel-After": "5s"}).json()
    ended = yard.end_of(created["id"])

    assert ended["status"] == "canceled"
    assert 4.5 < time.monotonic() - begun < 8
    assert created["deadline"] == ended["deadline"] > created["created_at"]


def test_a_queued_prediction_is_aborted_at_its_deadline(own_yard: Yard) -> None:
    own_yard.settings["max_instances"] = "1"
    yard = own_yard.start()
    busy = yard.push(FOLDERS / "canary", "acme/busy", "--no-examples")
    other = yard.push(FOLDERS / "canary-stream", "acme/other")
    looping = yard.create(busy, {"mode": "loop"}).json()
    yard.until_status(looping["id"], "processing")
    with yard.http as http:
        waiting = http.post("/predictions", json={"version": other, "input": {"text": "x"}, "lifetime": "5s"}).json()
    ended = yard.end_of(waiting["id"])

    assert ended["status"] == "aborted"
    assert ended["output"] is None
    assert ended["metrics"]["predict_time"] == 0


@pytest.mark.parametrize("value", ["300", "300s", "5m", "1h30m45s", "24h"])
def test_a_deadline_has_many_forms(yard: Yard, canary: str, value: str) -> None:
    response = yard.create(canary, {}, **{"Cancel-After": value})

    assert response.status_code == 201
    assert "deadline" in response.json()


@pytest.mark.parametrize("value", ["4", "25h", "soon", "5 minutes", "-5s", "", "1d", "5s5m", "1e3", "99999999999s"])
def test_a_deadline_that_cannot_be_is_422(yard: Yard, canary: str, value: str) -> None:
    response = yard.create(canary, {}, **{"Cancel-After": value})

    assert response.status_code == 422
    assert response.json()["invalid_fields"][0]["field"] == "Cancel-After"


def test_data_goes_after_its_time_and_examples_stay(own_yard: Yard) -> None:
    own_yard.settings["retention"] = "2"
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")
    name = reference.partition(":")[0]
    done, example = (yard.run(reference, {"mode": "files", "count": 1}) for _ in range(2))
    url = done["output"]["nested"]["list"][0]
    with yard.http as http:
        http.post(f"/models/{name}/examples", json={"prediction": example["id"]})
        before = httpx.get(url, trust_env=False).status_code
        wait_until(lambda: yard.get(done["id"])["data_removed"], 20, "the removal")
        removed, kept = yard.get(done["id"]), yard.get(example["id"])
        wait_until(lambda: httpx.get(url, trust_env=False).status_code == 404, 20, "the file's end")
        shown = http.get(f"/models/{name}/examples").json()["results"][0]

    assert before == 200
    assert (removed["input"], removed["output"], removed["logs"]) == ({}, None, "")
    assert (removed["status"], removed["error"]) == ("succeeded", None)
    assert removed["metrics"] == done["metrics"]
    assert kept["data_removed"] is False
    assert kept["output"]["nested"]["list"]
    assert httpx.get(shown["output"]["nested"]["list"][0], trust_env=False).text == "0"


def test_a_stream_whose_data_went_ends_with_a_comment(own_yard: Yard) -> None:
    own_yard.settings["retention"] = "1"
    yard = own_yard.start()
    done = yard.run(yard.push(FOLDERS / "canary-stream", "acme/stream"), {"text": "you"})
    wait_until(lambda: yard.get(done["id"])["data_removed"], 20, "the removal")
    stream = httpx.get(done["urls"]["stream"], trust_env=False)

    assert stream.status_code == 200
    assert "event:" not in stream.text
    assert ": 408: 408 Request Timeout" in stream.text
