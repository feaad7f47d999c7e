"""Webhooks: which events come, how they are signed, what happens when nobody takes them."""

import base64
import hashlib
import hmac
import time
from pathlib import Path
from typing import Any

import pytest
import replicate.webhook
from replicate.webhook import WebhookSigningSecret

from tests.receiver import Received, receiver
from tests.yard import Yard, wait_until

pytestmark = pytest.mark.slow


def create(yard: Yard, reference: str, model_input: dict[str, Any], **more: Any) -> dict[str, Any]:
    with yard.http as http:
        response = http.post("/predictions", json={"version": reference, "input": model_input, **more})
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()
    return created


def test_start_and_completed_come_in_order_and_say_what_get_says(yard: Yard, canary: str) -> None:
    with receiver() as told:
        created = create(
            yard, canary, {}, webhook=f"{told.url}/hook?id=7", webhook_events_filter=["start", "completed"]
        )
        wait_until(lambda: len(told.got) == 2, 20, "two deliveries")
        ended = yard.get(created["id"])
        start, completed = told.got

    assert start.path == completed.path == "/hook?id=7"
    assert start.body["status"] == "processing"
    assert start.body["output"] is None
    assert completed.body == ended
    assert completed.headers["content-type"] == "application/json"
    assert ended["webhook_events_filter"] == ["start", "completed"]


def test_without_a_filter_output_and_completed_come(yard: Yard, canary: str, canary_stream: str) -> None:
    with receiver() as told:
        create(yard, canary, {}, webhook=told.url)
        wait_until(lambda: told.got, 20, "a delivery")
        time.sleep(0.3)

        assert [one.body["status"] for one in told.got][-1] == "succeeded"
        assert "start" not in [one.body["status"] for one in told.got]


@pytest.mark.parametrize("events", [["output"], ["logs"], ["start", "output", "logs", "completed"]])
def test_even_a_quick_prediction_tells_what_was_asked_for(yard: Yard, canary: str, events: list[str]) -> None:
    with receiver() as told:
        created = create(
            yard, canary, {"mode": "logs", "count": 1, "text": "hello"}, webhook=told.url, webhook_events_filter=events
        )
        wait_until(lambda: told.got and (len(events) == 1 or len(told.got) >= 3), 20, "the deliveries")
        ended = yard.end_of(created["id"])
    first, last = told.got[0].body, told.got[-1].body

    if len(events) == 1:
        assert (first["status"], first["logs"]) == ("processing", "hello 0\n")
        assert first["output"] == {"lines": 1}
    else:
        assert (first["status"], first["output"]) == ("processing", None)
        assert any(one.body["output"] == {"lines": 1} and one.body["status"] == "processing" for one in told.got)
        assert last == ended


def test_the_legacy_field_is_told_of_the_end_alone(yard: Yard, canary: str) -> None:
    with receiver() as told:
        create(yard, canary, {}, webhook_completed=told.url)
        wait_until(lambda: told.got, 20, "a delivery")

        assert [one.body["status"] for one in told.got] == ["succeeded"]


def test_output_is_told_at_most_twice_a_second(yard: Yard, canary_stream: str, tmp_path: Path) -> None:
    with receiver() as told:
        created = create(
            yard,
            canary_stream,
            {"text": "you", "gate": str(tmp_path)},
            webhook=told.url,
            webhook_events_filter=["output", "completed"],
        )
        wait_until(lambda: told.got, 20, "the first output")
        (tmp_path / "1").touch()
        wait_until(lambda: len(told.got) == 2, 20, "the second output")
        (tmp_path / "2").touch()
        yard.end_of(created["id"])
        wait_until(lambda: told.got[-1].body["status"] == "succeeded", 20, "the end")
        first, second = told.got[:2]

    with yard.http as http:
        rows = http.get("/webhooks/deliveries", params={"prediction": created["id"]}).json()["results"]
        again = [http.post(f"/webhooks/deliveries/{row['id']}/resend").status_code for row in rows]

    assert again == [202, 400, 400]  # what was told meanwhile is not kept, and its id never says something else
    assert first.body["output"] == ["hello "]
    assert second.body["output"] == ["hello ", "there, "]
    assert second.at - first.at >= 0.45
    assert told.got[-1].body["output"] == ["hello ", "there, ", "you"]


def test_logs_are_told(yard: Yard, canary: str) -> None:
    with receiver() as told:
        created = create(yard, canary, {"mode": "loop"}, webhook=told.url, webhook_events_filter=["logs", "completed"])
        wait_until(lambda: told.got, 20, "the logs")
        with yard.http as http:
            http.post(f"/predictions/{created['id']}/cancel")
        wait_until(lambda: len(told.got) == 2, 20, "the end")

    assert told.got[0].body["logs"] == "looping\n"
    assert told.got[1].body["status"] == "canceled"


def test_the_signature_holds_for_the_official_clients(yard: Yard, canary: str) -> None:
    with receiver() as told:
        create(yard, canary, {}, webhook=told.url, webhook_events_filter=["completed"])
        got = wait_until(lambda: told.got and told.got[0], 20, "a delivery")
    with yard.http as http:
        key = http.get("/webhooks/default/secret").json()["key"]
        again = http.get("/webhooks/default/secret").json()["key"]
    own = signature(key, got)

    assert key == again
    assert own in got.headers["webhook-signature"].split(" ")
    replicate.webhook.Webhooks.validate(  # raises when it does not hold
        headers=got.headers, body=got.raw.decode(), secret=WebhookSigningSecret(key=key), tolerance=300
    )


def signature(key: str, got: Received) -> str:
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.raw
    secret = base64.b64decode(key.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def test_the_end_is_told_again_until_it_is_taken(yard: Yard, canary: str) -> None:
    answers = [500, 302, 200]
    with receiver(lambda path, before: (answers[before], {"location": "/elsewhere"})) as told:
        created = create(yard, canary, {}, webhook=f"{told.url}/here", webhook_events_filter=["completed"])
        wait_until(lambda: len(told.got) == 3, 20, "the third attempt")
        time.sleep(0.2)
        with yard.http as http:
            ledger = http.get("/webhooks/deliveries", params={"prediction": created["id"]}).json()["results"]

    assert [one.path for one in told.got] == ["/here"] * 3  # a redirect is not followed
    assert len({one.headers["webhook-id"] for one in told.got}) == 1
    assert len({one.raw for one in told.got}) == 1
    assert told.got[2].at - told.got[1].at > told.got[1].at - told.got[0].at
    assert [(one["event"], one["state"], one["attempts"], one["status_code"]) for one in ledger] == [
        ("completed", "delivered", 3, 200)
    ]


def test_a_start_is_told_once_even_when_it_is_not_taken(yard: Yard, canary: str) -> None:
    with receiver(lambda path, before: (500 if before == 0 else 200, {})) as told:
        create(yard, canary, {}, webhook=told.url, webhook_events_filter=["start", "completed"])
        wait_until(lambda: len(told.got) == 2, 20, "both deliveries")
        time.sleep(1.5)

    assert [one.body["status"] for one in told.got] == ["processing", "succeeded"]


def test_a_slow_receiver_holds_up_nobody_else(yard: Yard, canary: str) -> None:
    def slowly(path: str, before: int) -> tuple[int, dict[str, str]]:
        time.sleep(3)
        return 200, {}

    with receiver(slowly) as slow, receiver() as quick:
        for _ in range(12):
            create(yard, canary, {}, webhook=slow.url, webhook_events_filter=["completed"])
        created = create(yard, canary, {}, webhook=quick.url, webhook_events_filter=["completed"])
        yard.end_of(created["id"])
        begun = time.monotonic()
        wait_until(lambda: quick.got, 2, "the quick one's delivery")

        assert time.monotonic() - begun < 2


def test_what_nobody_took_is_sent_by_the_next_server_and_on_demand(own_yard: Yard) -> None:
    from tests.yard import FOLDERS, free_port

    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary", "acme/canary")
    created = create(
        yard, reference, {}, webhook=f"http://127.0.0.1:{free_port()}/", webhook_events_filter=["completed"]
    )
    with receiver() as told:
        created = create(yard, reference, {"mode": "loop"}, webhook=told.url, webhook_events_filter=["completed"])
        yard.until_status(created["id"], "processing")
        yard.kill()
        yard.start()
        with yard.http as http:
            http.post(f"/predictions/{created['id']}/cancel")
        wait_until(lambda: told.got, 30, "the delivery after the restart")
        with yard.http as http:
            rows = http.get("/webhooks/deliveries").json()["results"]
            delivery = next(row for row in rows if row["prediction"] == created["id"])
            again = http.post(f"/webhooks/deliveries/{delivery['id']}/resend")
            missing = http.post("/webhooks/deliveries/msg_none/resend")
        wait_until(lambda: len(told.got) == 2, 20, "the second sending")

    assert told.got[0].body["status"] == "canceled"
    assert told.got[0].raw == told.got[1].raw
    assert (again.status_code, missing.status_code) == (202, 404)
    assert any(row["error"] and "connection" in row["error"] for row in rows)
