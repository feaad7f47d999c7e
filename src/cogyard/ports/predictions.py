"""What the house needs of a store for predictions and all that happens to them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from cogyard.domain.batching import Batch
from cogyard.domain.events import CancelRequested, DeadlinePassed
from cogyard.domain.file import File
from cogyard.domain.prediction import Prediction, PredictionKind
from cogyard.domain.schedule import Demand
from cogyard.domain.values import AccountId, DeliveryId, FileId, InstanceId, PredictionId, QueueId
from cogyard.domain.webhook import Delivery
from cogyard.ports.paging import Page, PageRequest


@dataclass(frozen=True, slots=True)
class Once:
    """What tells a create from another, so that it happens once.

    `key` names the request among its account's; within the time from `since` on, another `fingerprint` under the same
    key is a mistake, and with `is_repeat` the same one gives the prediction that was made the first time.
    """

    key: str
    fingerprint: str
    since: datetime
    is_repeat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionFilter:
    """Which predictions a list holds; `created_after` is inclusive, `created_before` exclusive."""

    #: None for everybody's
    account: AccountId | None
    kind: PredictionKind | None = PredictionKind.prediction
    #: `owner/name`
    deployment: str | None = None
    is_unfinished: bool = False
    created_after: datetime | None = None
    created_before: datetime | None = None
    source: str | None = None
    #: `owner/name` in lower case of the only models that count
    models: frozenset[str] | None = None


class PredictionStore(Protocol):
    """Predictions as callers see them. What a method has returned from is on disk."""

    async def create_prediction(
        self, prediction: Prediction, once: Once | None = None, queue_limit: int | None = None
    ) -> Prediction:
        """Store a new prediction, and count a run of its model; returns it with its `sequence`.

        With `once`, perhaps an older one. Raises `Conflict` when its key was used for another request,
        `Unauthenticated` when the account is disabled, `domain.budget.BudgetExceeded` when it has no room in a budget
        of the account or the token.
        """
        ...

    async def get_predictions(self, wanted: Sequence[PredictionId]) -> Mapping[PredictionId, Prediction]:
        """Those of several that there are, by id."""
        ...

    async def get_prediction(self, prediction: PredictionId) -> Prediction | None:
        """A prediction with all the output and logs that are stored so far."""
        ...

    async def list_predictions(self, wanted: PredictionFilter, page: PageRequest) -> Page[Prediction]:
        """Newest first."""
        ...

    async def wish_end(self, prediction: PredictionId, wish: CancelRequested | DeadlinePassed) -> Prediction | None:
        """Apply a wish that it end in one transaction; the prediction after it, None when there is none."""
        ...


class ClaimStore(Protocol):
    """The queues: predictions that are `starting` and unclaimed; accounts take turns, the oldest of each first."""

    async def demand(self) -> Sequence[Demand]:
        """What waits, by queue."""
        ...

    async def claim(self, queue: QueueId, instance: InstanceId, lease: timedelta, at: datetime) -> Prediction | None:
        """Claim the oldest of the account whose turn it is in the queue: sets `claimed_by`, raises `epoch`.

        None when none waits.
        """
        ...

    async def claim_alike(
        self, first: Prediction, batch: Batch, lease: timedelta, at: datetime
    ) -> Sequence[Prediction]:
        """Claim, for the instance that has `first`, what may run together with it, as far as `batch` allows.

        That is what waits in the same queue with the same key and was not tried before; accounts take turns here too.
        It looks at no more than a few times as many rows as it may claim.
        """
        ...

    async def extend(
        self, instance: InstanceId, held: Collection[PredictionId], lease: timedelta, at: datetime
    ) -> None:
        """Lengthen the instance's claims of these predictions to `at + lease`; those of others run out."""
        ...

    async def record(self, before: Prediction, after: Prediction) -> bool:
        """Store the step from `before` to `after`, two values of one claimed prediction.

        False, and nothing stored, when the prediction has ended, or its claim is no longer that of `before`.
        """
        ...

    async def claimed(
        self, *, instance: InstanceId | None = None, expired_at: datetime | None = None
    ) -> Sequence[Prediction]:
        """Claimed predictions: those of an instance, or those whose lease had run out at `expired_at`, or all."""
        ...

    async def waiting(self, queue: QueueId, limit: int | None = None) -> Sequence[Prediction]:
        """Unclaimed, unfinished predictions of the queue, oldest first."""
        ...


class TimeStore(Protocol):
    """What becomes due by the clock alone."""

    async def overdue(self, at: datetime) -> Sequence[PredictionId]:
        """Unfinished predictions whose deadline had come and that nobody has been told to end."""
        ...

    async def next_deadline(self) -> datetime | None:
        """The earliest deadline to come."""
        ...

    async def forget_predictions(self, before: datetime, limit: int) -> Sequence[PredictionId]:
        """Remove the data of predictions from the API that ended before a time, examples excepted (§9.7)."""
        ...

    async def forget_records(self, before: datetime) -> None:
        """Forget what made predictions before a time, and which webhooks were delivered before it."""
        ...


class DeliveryStore(Protocol):
    """The ledger of webhook deliveries. `record` and `wish_end` write starts and ends into it by themselves."""

    async def told_predictions(self) -> Sequence[Prediction]:
        """Unfinished predictions that have a webhook."""
        ...

    async def save_delivery(self, delivery: Delivery) -> None:
        """Insert or replace."""
        ...

    async def due_deliveries(self, at: datetime, limit: int, without: Collection[DeliveryId]) -> Sequence[Delivery]:
        """Those whose next attempt had come, the longest waiting first; `without` some that are known."""
        ...

    async def next_delivery_at(self, after: datetime) -> datetime | None:
        """When the next attempt after a time is to be made."""
        ...

    async def get_delivery(self, account: AccountId, delivery: DeliveryId) -> Delivery | None:
        """One of the account's."""
        ...

    async def list_deliveries(
        self,
        account: AccountId,
        prediction: PredictionId | None,
        page: PageRequest,
        models: frozenset[str] | None,
    ) -> Page[Delivery]:
        """The account's, or those of one prediction, newest first; of every model, or of those that are named."""
        ...


class FileStore(Protocol):
    """The records of files; their bytes are with `Files`."""

    async def create_file(self, file: File) -> None:
        """Record a file whose bytes are stored."""
        ...

    async def get_file(self, file: FileId) -> File | None:
        """The record."""
        ...

    async def list_files(self, account: AccountId, page: PageRequest) -> Page[File]:
        """The account's uploads, newest first."""
        ...

    async def delete_file(self, file: FileId) -> bool:
        """Forget the record; False when there was none."""
        ...

    async def expired_files(self, at: datetime, limit: int) -> Sequence[File]:
        """Files whose time had come at `at`."""
        ...


class SecretStore(Protocol):
    """Keys that the server made for itself."""

    async def get_secret(self, name: str, make: Callable[[], str]) -> str:
        """The secret of that name, made by `make` the first time."""
        ...
