"""Compares what waits with what runs, and asks the placement to start or stop. It alone does."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Protocol

import structlog

from cogyard.domain.errors import CogyardError
from cogyard.domain.schedule import Action, Demand, Limits, Start, Stop, Target, decide
from cogyard.ports import Bus, Clock, Placement

MIN_INTERVAL = 0.02
"""Seconds between two looks: a burst of creates costs fifty small queries a second, not one for each."""

SAFETY_POLL = 1.0
"""Seconds after which the queue is looked at without a notice; also how finely idle times are told."""


class DemandSource(Protocol):
    """Who knows what waits and what is to be kept warm."""

    async def demand(self) -> Sequence[Demand]:
        """What waits, by queue."""
        ...

    async def targets(self, official_instances: int, official_most: int) -> Sequence[Target]:
        """What official models and deployments want to have running."""
        ...


class Scheduler:
    """Observe, decide (in `domain.schedule`), act, for ever."""

    def __init__(
        self,
        store: DemandSource,
        placement: Placement,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        official_instances: int,
    ) -> None:
        self._store = store
        self._placement = placement
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._official = (official_instances, limits.max_instances)
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Until cancelled."""
        with self._bus.listen(("queue", "*")) as queue, self._bus.listen(("instances", "*")) as instances:
            while True:
                await self.look()
                await asyncio.sleep(MIN_INTERVAL)
                await _first(queue.wait(SAFETY_POLL), instances.wait(SAFETY_POLL))

    async def look(self) -> None:
        """One round."""
        try:
            demand = await self._store.demand()
            targets = await self._store.targets(*self._official)
        except CogyardError as fault:
            self._log.error("scheduler.failed", error=str(fault))
            return
        instances, resting = self._placement.instances(), self._placement.resting()
        for action in decide(demand, targets, instances, self._limits, self._clock.now(), resting=resting):
            try:
                await self._act(action)
            except CogyardError as fault:
                # a full disk, or a version that vanished: the others go on, the next round tries again
                self._log.error("scheduler.failed", error=str(fault), action=str(action))

    async def _act(self, action: Action) -> None:
        match action:
            case Start(queue=queue):
                await self._placement.start(queue)
            case Stop(instance=instance, reason=reason):
                await self._placement.stop(instance, reason)


async def _first(*waits: Awaitable[bool]) -> None:
    """Return when one of them has; the others are cancelled."""
    tasks = {asyncio.ensure_future(wait) for wait in waits}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
