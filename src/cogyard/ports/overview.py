"""What the house needs of a store to show what runs and what waits."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cogyard.domain.catalog import Model
from cogyard.domain.deployment import Deployment
from cogyard.domain.instance import InstanceEvent
from cogyard.domain.values import AccountId, InstanceId, PredictionId, QueueId


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueUsers:
    """Who runs something in a queue: models that have its version, the oldest first, or a deployment.

    There is neither when they are gone.
    """

    models: Sequence[Model] = ()
    deployment: Deployment | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A prediction that an instance has now: whose it is, of which model, and when it began."""

    id: PredictionId
    account: AccountId
    model: str
    started_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A prediction that waits."""

    id: PredictionId
    created_at: datetime


class OverviewStore(Protocol):
    """Looks at instances and queues from the side of those who use them."""

    async def queue_users(self, queues: Collection[QueueId]) -> Mapping[QueueId, QueueUsers]:
        """Who runs something in these queues. A model whose alias names a version does not count."""
        ...

    async def instance_queues(self) -> Sequence[QueueId]:
        """Every queue that has, or lately had, an instance."""
        ...

    async def last_events(self, instances: Collection[InstanceId]) -> Mapping[InstanceId, InstanceEvent]:
        """The latest step of each one's life."""
        ...

    async def running(self, predictions: Collection[PredictionId]) -> Sequence[Running]:
        """What is known of these predictions, without their inputs and outputs."""
        ...

    async def waiting_of(
        self, account: AccountId, models: frozenset[str] | None, queues: Collection[QueueId], limit: int
    ) -> Mapping[QueueId, Sequence[Waiting]]:
        """What the account has waiting in these queues, at most so many in each, oldest first.

        `models` are `owner/name` in lower case of the only models that count.
        """
        ...
