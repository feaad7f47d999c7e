"""What creating a prediction and creating a training have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cogyard.domain.budget import BudgetExceeded
from cogyard.domain.prediction import Prediction
from cogyard.domain.usage import Prices
from cogyard.domain.values import JsonObject, QueueId
from cogyard.ports import Bus, Once, PredictionStore, Vault

ONCE_WINDOW = timedelta(hours=24)
"""How long an `Idempotency-Key` is remembered."""

RETRY_WINDOW = timedelta(minutes=10)
"""How long after a create its repetition by a client's own retry is known as such (three tries of a minute each)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """How a create may come a second time: under the caller's own key, or as a retry that its client made.

    `fingerprint` is a digest of all that was asked for.
    """

    fingerprint: str
    key: str | None = None
    is_retry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrediction:
    """What a caller asks for, already checked for form."""

    input: JsonObject
    webhook: str | None = None
    webhook_events_filter: tuple[str, ...] | None = None
    #: from creation on; after it the prediction is not wanted any more
    cancel_after: timedelta | None = None
    repetition: Repetition | None = None
    #: `scheme://host` that the caller used
    base_url: str | None = None


def once_of(repetition: Repetition | None, now: datetime) -> Once | None:
    """What the store needs to know of a create that may come twice."""
    if repetition is None:
        return None
    if repetition.key is not None:
        return Once(f"key {repetition.key}", repetition.fingerprint, now - ONCE_WINDOW, is_repeat=True)
    key = f"retry {repetition.fingerprint}"
    return Once(key, repetition.fingerprint, now - RETRY_WINDOW, is_repeat=repetition.is_retry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """On what terms new predictions are taken: what they cost, what seals their secrets, how many may wait in a queue.

    `expect` is told of the queue of one that is about to be stored.
    """

    prices: Prices
    vault: Vault
    queue_limit: int
    expect: Callable[[QueueId], None]


async def store_new(
    store: PredictionStore, bus: Bus, new: Prediction, repetition: Repetition | None, admission: Admission
) -> Prediction:
    """Store what was asked for, and tell everybody whom it concerns. Raises `Conflict`, `BudgetUsedUp`, `QueueFull`."""
    admission.expect(new.queue)
    try:
        created = await store.create_prediction(new, once_of(repetition, new.created_at), admission.queue_limit)
    except BudgetExceeded as fault:
        raise fault.spending.refusal(new.created_at, admission.prices.currency) from None
    announce(bus, created)
    return created


def announce(bus: Bus, created: Prediction) -> None:
    """Tell everybody whom a new prediction concerns."""
    bus.publish(("queue", created.queue))
    if created.deadline is not None:
        bus.publish(("deadline", created.id))
    if created.webhook is not None:
        bus.publish(("webhook", created.id))
