"""The scheduler's loop: what it starts before anything is stored, and what it remembers."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from cogyard.bus import LocalBus
from cogyard.clock import SystemClock
from cogyard.domain.hardware import Machine, Share
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.prediction import Prediction
from cogyard.domain.schedule import Demand, Target
from cogyard.domain.values import InstanceId, QueueId
from cogyard.hardware import HardwareKinds
from cogyard.ports import Arrival, Page, PageRequest, Placement
from cogyard.scheduler import Keeping, Scheduler, ScheduleStore

QUEUE = QueueId("a" * 64)
GIB = 2**30


class Queues:
    """A store in which nobody waits; it knows every queue that it is asked for."""

    def __init__(self, over: Sequence[Instance] = ()) -> None:
        self._over = over

    async def demand(self) -> Sequence[Demand]:
        return []

    async def targets(self, asked: Collection[QueueId], _official: int) -> Sequence[Target]:
        return [Target(queue=queue, name="acme/model") for queue in asked]

    async def arrivals(self, _after: int | None, _limit: int) -> Sequence[Arrival]:
        return []

    async def list_instances(self, _queues: Sequence[QueueId] | None, _page: PageRequest) -> Page[Instance]:
        return Page(list(self._over), None, None)


class PushedAgain(Queues):
    """A version is deleted while its instance still runs, and pushed again; then somebody asks for it."""

    is_there = False
    ended: list[QueueId]

    async def demand(self) -> Sequence[Demand]:
        return [Demand(queue=QUEUE, queued=1, since=datetime.now(UTC))] if self.is_there else []

    async def targets(self, asked: Collection[QueueId], official: int) -> Sequence[Target]:
        return await super().targets(asked, official) if self.is_there else []

    async def waiting(self, queue: QueueId, _limit: int) -> Sequence[Prediction]:
        self.ended = [queue]
        return []


class Places:
    """A placement that only notes what it is to start."""

    def __init__(self, *there: Instance) -> None:
        self.started: asyncio.Queue[tuple[QueueId, Share]] = asyncio.Queue()
        self._there = there

    async def start(self, queue: QueueId, share: Share, _reason: str) -> InstanceId:
        self.started.put_nowait((queue, share))
        return InstanceId("i" * 26)

    def instances(self) -> Sequence[Instance]:
        return self._there

    def rests(self) -> Mapping[QueueId, object]:
        return {}

    def take_runs(self) -> Sequence[tuple[QueueId, int, float]]:
        return []


@asynccontextmanager
async def scheduling(store: Queues, places: Places) -> AsyncIterator[Scheduler]:
    kinds = HardwareKinds(Machine(cpus=2, memory=16 * GIB, max_instances=1), {})
    minute = timedelta(minutes=1)
    keeping = Keeping(official_instances=1, idle_timeout=minute, longest_idle=minute, turn=minute)
    parts = (cast("ScheduleStore", store), cast("Placement", places), LocalBus(), SystemClock())
    scheduler = Scheduler(*parts, kinds, keeping)
    running = asyncio.create_task(scheduler.run())
    await asyncio.sleep(0.1)  # it sleeps for a second now
    try:
        yield scheduler
    finally:
        running.cancel()
        await asyncio.wait({running})


@pytest.mark.anyio
async def test_an_instance_starts_before_the_prediction_is_stored() -> None:
    places = Places()
    async with scheduling(Queues(), places) as scheduler:
        scheduler.expect(QUEUE)

        queue, _ = await asyncio.wait_for(places.started.get(), 0.5)

    assert queue == QUEUE


@pytest.mark.anyio
async def test_nothing_gives_way_to_a_prediction_that_may_yet_be_refused() -> None:
    now = datetime.now(UTC)
    idle = Instance(
        id=InstanceId("j" * 26),
        queue=QueueId("b" * 64),
        state=InstanceState.idle,
        created_at=now,
        ready_at=now,
        idle_since=now,
    )
    places = Places(idle)  # has no `stop`, which would be called if it had to give way
    async with scheduling(Queues(), places) as scheduler:
        scheduler.expect(QUEUE)
        await asyncio.sleep(0.2)

    assert places.started.empty()


@pytest.mark.anyio
async def test_what_instances_used_before_a_restart_is_reserved_for_the_next() -> None:
    now = datetime.now(UTC)
    over = Instance(
        id=InstanceId("j" * 26),
        queue=QUEUE,
        state=InstanceState.stopped,
        created_at=now,
        ready_at=now + timedelta(seconds=3),
        peak_memory=2 * GIB,
    )
    places = Places()
    async with scheduling(Queues([over]), places) as scheduler:
        scheduler.expect(QUEUE)

        _, share = await asyncio.wait_for(places.started.get(), 0.5)

    assert share.memory == int(2 * GIB * 1.2)


@pytest.mark.anyio
async def test_a_version_that_was_pushed_again_is_no_longer_gone() -> None:
    now = datetime.now(UTC)
    running = Instance(id=InstanceId("j" * 26), queue=QUEUE, state=InstanceState.active, created_at=now, ready_at=now)
    store = PushedAgain()
    store.ended = []
    async with scheduling(store, Places(running)) as scheduler:
        store.is_there = True
        await scheduler.look()
        await asyncio.sleep(0.05)

    assert store.ended == []
