"""Which webhooks a step of a prediction owes, and what becomes of an attempt."""

from datetime import timedelta

import pytest

from cogyard.domain.events import Event, Log, Output, Started, Succeeded
from cogyard.domain.prediction import Status
from cogyard.domain.values import AccountId, DeliveryId
from cogyard.domain.webhook import SCHEDULES, Delivery, WebhookEvent, after_attempt, as_told, durable_events
from tests.domain.test_prediction import LATER, NOW, claimed, fold


def owed(filter_: tuple[str, ...] | None, *steps: tuple[Event, ...], is_stream: bool = False) -> list[str]:
    """What is owed over some steps, each of which is stored at once."""
    prediction = claimed(webhook="https://a/b", webhook_events_filter=filter_, is_stream=is_stream)
    found: list[str] = []
    for step in steps:
        after = fold(prediction, *step)
        found += [event.value for event in durable_events(prediction, after)]
        prediction = after
    return found


ALL = ("start", "output", "logs", "completed")
RUN = (Started(at=NOW), Log(text="hm\n"), Output(items=("hi",)), Succeeded(at=LATER))


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        (ALL, ["start", "output", "completed"]),
        (None, ["output", "completed"]),
        (("completed",), ["completed"]),
        (("output",), ["output"]),
        (("logs",), ["logs"]),
        (("start", "logs"), ["start", "logs"]),
        ((), []),
    ],
)
def test_a_quick_prediction_owes_what_was_asked_for(filter_: tuple[str, ...] | None, expected: list[str]) -> None:
    assert owed(filter_, RUN) == expected


def test_a_streams_last_items_are_told_by_the_end_where_the_end_is_asked_for() -> None:
    assert owed(ALL, RUN, is_stream=True) == ["start", "completed"]
    assert owed(("output",), RUN, is_stream=True) == ["output"]


def test_what_was_stored_before_the_end_is_not_owed_again() -> None:
    assert owed(("output", "logs"), RUN[:3], RUN[3:]) == []


def test_nobody_is_told_who_did_not_ask() -> None:
    prediction = claimed()

    assert durable_events(prediction, fold(prediction, *RUN)) == []


def test_an_event_is_told_as_things_stood_then() -> None:
    done = fold(claimed(), *RUN)
    start, output, completed = (as_told(done, WebhookEvent(name)) for name in ("start", "output", "completed"))

    assert (start.status, start.output, start.logs) == (Status.processing, None, "")
    assert (output.status, output.output, output.logs) == (Status.processing, "hi", "hm\n")
    assert output.completed_at is None
    assert completed is done


@pytest.mark.parametrize("name", ["replicate", "long"])
def test_only_the_end_is_tried_again_and_not_for_ever(name: str) -> None:
    schedule = SCHEDULES[name]
    for event, tries in ((WebhookEvent.completed, 1 + len(schedule)), (WebhookEvent.output, 1)):
        delivery = Delivery(
            id=DeliveryId("msg_1"),
            prediction=claimed().id,
            account=AccountId(1),
            event=event,
            url="https://a/b",
            created_at=NOW,
            next_attempt_at=NOW,
        )
        waits = []
        while delivery.next_attempt_at is not None:
            at = delivery.next_attempt_at
            delivery = after_attempt(delivery, status_code=500, error=None, schedule=schedule, now=at)
            waits.append(at)

        assert delivery.attempts == len(waits) == tries
        assert delivery.state == "failed"
        assert delivery.error == "the receiver answered 500"


def test_the_last_try_is_about_a_minute_after_the_end() -> None:
    assert timedelta(seconds=55) <= sum(SCHEDULES["replicate"], timedelta()) <= timedelta(seconds=75)
