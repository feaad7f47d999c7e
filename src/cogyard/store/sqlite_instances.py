"""Instances and the steps of their lives on SQLite."""

from collections.abc import Collection, Sequence
from datetime import datetime

from cogyard.domain.instance import Instance, InstanceEvent
from cogyard.domain.schedule import Target
from cogyard.domain.values import InstanceId, QueueId
from cogyard.ports import Arrival, Page, PageRequest
from cogyard.store import instances, targets
from cogyard.store.sqlite_core import SqliteCore


class SqliteInstances(SqliteCore):
    """Implements `ports.InstanceStore`."""

    async def save_instance(self, instance: Instance) -> None:
        """See `ports.InstanceStore`."""
        await self._write(instances.save, instance, self._clock.now())

    async def unfinished_instances(self) -> Sequence[Instance]:
        """See `ports.InstanceStore`."""
        return await self._read(instances.unfinished)

    async def get_instance(self, instance: InstanceId) -> Instance | None:
        """See `ports.InstanceStore`."""
        return await self._read(instances.get, instance)

    async def list_instances(self, queues: Sequence[QueueId] | None, page: PageRequest) -> Page[Instance]:
        """See `ports.InstanceStore`."""
        return await self._read(instances.page, queues, page)

    async def instance_events(self, instance: InstanceId) -> Sequence[InstanceEvent]:
        """See `ports.InstanceStore`."""
        return await self._read(instances.events, instance)

    async def targets(self, asked: Collection[QueueId], official_instances: int) -> Sequence[Target]:
        """See `ports.InstanceStore`."""
        return await self._read(targets.listed, asked, official_instances, self._clock.now())

    async def arrivals(self, after: int | None, limit: int) -> Sequence[Arrival]:
        """See `ports.InstanceStore`."""
        return await self._read(instances.arrivals, after, limit)

    async def forget_instances(self, before: datetime) -> None:
        """See `ports.InstanceStore`."""
        await self._write(instances.forget, before)
