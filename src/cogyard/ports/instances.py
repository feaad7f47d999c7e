"""What the house needs of a store for instances."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cogyard.domain.instance import Instance, InstanceEvent
from cogyard.domain.schedule import Target
from cogyard.domain.values import InstanceId, QueueId
from cogyard.ports.paging import Page, PageRequest


@dataclass(frozen=True, slots=True)
class Arrival:
    """A prediction came to a queue; `sequence` is its number in the store's order."""

    sequence: int
    queue: QueueId
    at: datetime


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

    async def forget_instances(self, before: datetime) -> None:
        """Forget those that were over before a time and whose uptime is booked."""
        ...

    async def targets(self, asked: Collection[QueueId], official_instances: int) -> Sequence[Target]:
        """What official models (so many each) and deployments want to have running, and what is known of some queues.

        A queue whose version is gone is left out. For an account that is disabled, or whose budget of money is used
        up, nothing is kept; what waits is run.
        """
        ...

    async def arrivals(self, after: int | None, limit: int) -> Sequence[Arrival]:
        """Predictions that came after the one of that number, oldest first; with None the latest of all."""
        ...
