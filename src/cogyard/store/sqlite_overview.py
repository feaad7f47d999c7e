"""What runs and what waits, for those who look at it, on SQLite."""

from collections.abc import Collection, Mapping, Sequence

from cogyard.domain.instance import InstanceEvent
from cogyard.domain.values import AccountId, InstanceId, PredictionId, QueueId
from cogyard.ports import QueueUsers, Running, Waiting
from cogyard.store import overview
from cogyard.store.sqlite_core import SqliteCore


class SqliteOverview(SqliteCore):
    """Implements `ports.OverviewStore`."""

    async def queue_users(self, queues: Collection[QueueId]) -> Mapping[QueueId, QueueUsers]:
        """See `ports.OverviewStore`."""
        return await self._read(overview.queue_users, queues)

    async def instance_queues(self) -> Sequence[QueueId]:
        """See `ports.OverviewStore`."""
        return await self._read(overview.instance_queues)

    async def last_events(self, instances: Collection[InstanceId]) -> Mapping[InstanceId, InstanceEvent]:
        """See `ports.OverviewStore`."""
        return await self._read(overview.last_events, instances) if instances else {}

    async def running(self, predictions: Collection[PredictionId]) -> Sequence[Running]:
        """See `ports.OverviewStore`."""
        return await self._read(overview.running, predictions) if predictions else ()

    async def waiting_of(
        self, account: AccountId, models: frozenset[str] | None, queues: Collection[QueueId], limit: int
    ) -> Mapping[QueueId, Sequence[Waiting]]:
        """See `ports.OverviewStore`."""
        return await self._read(overview.waiting_of, account, models, queues, limit) if queues else {}
