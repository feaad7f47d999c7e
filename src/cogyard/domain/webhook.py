"""Webhooks: which events are told, and when a failed telling is tried again (`api-contract.md` §10.1)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from cogyard.domain.prediction import Prediction, Status
from cogyard.domain.values import AccountId, DeliveryId, PredictionId


class WebhookEvent(StrEnum):
    """The wire's words."""

    start = "start"
    output = "output"
    logs = "logs"
    completed = "completed"


DEFAULT_EVENTS = (WebhookEvent.output, WebhookEvent.completed)
"""What a caller who names no events is told of (§14 row 14)."""

THROTTLE = timedelta(milliseconds=500)
"""At most one `output` or `logs` delivery in this time."""

SCHEDULES: dict[str, tuple[timedelta, ...]] = {
    "replicate": tuple(timedelta(seconds=seconds) for seconds in (1, 2, 4, 8, 16, 30)),
    "long": tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18000, 36000, 36000)),
}
"""Waits before the second, third, … try of a terminal delivery: the last about a minute after the end, or a day."""


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    pending = "pending"
    delivered = "delivered"
    failed = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event of one prediction that is told to one URL, in as many attempts as it takes."""

    id: DeliveryId
    prediction: PredictionId
    account: AccountId
    event: WebhookEvent
    url: str
    created_at: datetime
    state: DeliveryState = DeliveryState.pending
    attempts: int = 0
    #: None once nothing more is tried
    next_attempt_at: datetime | None = None
    last_attempt_at: datetime | None = None
    #: the receiver's last status code
    status_code: int | None = None
    error: str | None = None
    #: what is told, fixed at the first attempt so that every later one says the same
    body: str | None = None


def wants(prediction: Prediction, event: WebhookEvent) -> bool:
    """Whether the prediction's creator wants to be told of such events."""
    if prediction.webhook is None:
        return False
    events = prediction.webhook_events_filter
    return event in (DEFAULT_EVENTS if events is None else events)


def durable_events(before: Prediction, after: Prediction) -> list[WebhookEvent]:
    """The deliveries that the step from `before` to `after` owes whatever happens: its start and its end.

    The last step's output and logs are owed too where nothing that is told later holds them: a receiver that did not
    ask for the end, and the only output of a model that does not stream. A prediction that was interrupted may start
    again; it is for the store to owe its start once.
    """
    owed: list[WebhookEvent] = []
    has_run = after.status in (Status.processing, Status.succeeded, Status.failed)
    if before.status is Status.starting and before.started_at is None and has_run:
        owed.append(WebhookEvent.start)
    if after.status.is_terminal and not before.status.is_terminal:
        is_last_word = not wants(after, WebhookEvent.completed)
        if after.output not in (None, before.output) and (is_last_word or not after.is_stream):
            owed.append(WebhookEvent.output)
        if after.logs != before.logs and is_last_word:
            owed.append(WebhookEvent.logs)
        owed.append(WebhookEvent.completed)
    return [event for event in owed if wants(after, event)]


def after_attempt(
    delivery: Delivery, *, status_code: int | None, error: str | None, schedule: tuple[timedelta, ...], now: datetime
) -> Delivery:
    """The delivery after an attempt that the receiver answered with `status_code`, or that failed with `error`.

    Only the terminal event is tried again.
    """
    is_taken = status_code is not None and 200 <= status_code < 300
    tried = delivery.attempts + 1
    may_retry = delivery.event is WebhookEvent.completed and tried <= len(schedule)
    state = DeliveryState.delivered if is_taken else DeliveryState.pending if may_retry else DeliveryState.failed
    return replace(
        delivery,
        state=state,
        attempts=tried,
        last_attempt_at=now,
        next_attempt_at=now + schedule[tried - 1] if state is DeliveryState.pending else None,
        status_code=status_code,
        error=None if is_taken else error or f"the receiver answered {status_code}",
    )


def as_told(prediction: Prediction, event: WebhookEvent) -> Prediction:
    """The prediction as it was when `event` happened, for one that is told after more has happened."""
    if event is WebhookEvent.completed:
        return prediction
    running = replace(prediction, status=Status.processing, error=None, metrics={}, completed_at=None)
    if event is WebhookEvent.start:
        return replace(running, output=None, output_files={}, logs="")
    return running
