"""What the house needs of a store for instances."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from cogyard.domain.instance import Instance, InstanceEvent
from cogyard.domain.values import InstanceId, QueueId
from cogyard.ports.paging import Page, PageRequest


class InstanceStore(Protocol):
    """Instances, so that a restarted server finds what it left running, and people what became of them."""

    async def save_instance(self, instance: Instance) -> None:
        """Insert or replace; a state that it was not in before becomes an event of its life."""
        ...

    async def unfinished_instances(self) -> Sequence[Instance]:
        """Instances that are not over, oldest first."""
        ...

    async def get_instance(self, instance: InstanceId) -> Instance | None:
        """One, over or not; None when there is none (any more)."""
        ...

    async def list_instances(self, queues: Sequence[QueueId] | None, page: PageRequest) -> Page[Instance]:
        """Those of some queues, or all, newest first, over or not."""
        ...

    async def instance_events(self, instance: InstanceId) -> Sequence[InstanceEvent]:
        """The steps of its life, in their order."""
        ...

    async def peak_memory(self) -> Mapping[QueueId, int]:
        """The most bytes of memory that an instance of each queue has used, of those that are remembered."""
        ...

    async def forget_instances(self, before: datetime) -> None:
        """Forget those that were over before a time and whose uptime is booked."""
        ...
