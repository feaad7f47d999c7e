"""Instances and the steps of their lives on SQLite."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from cogyard.domain.instance import Instance, InstanceEvent
from cogyard.domain.values import InstanceId, QueueId
from cogyard.ports import Page, PageRequest
from cogyard.store import instances
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

    async def peak_memory(self) -> Mapping[QueueId, int]:
        """See `ports.InstanceStore`."""
        return await self._read(instances.peaks)

    async def forget_instances(self, before: datetime) -> None:
        """See `ports.InstanceStore`."""
        await self._write(instances.forget, before)
