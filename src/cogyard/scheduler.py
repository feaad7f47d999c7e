"""Compares what waits with what runs, and asks the placement to start or stop. It alone does."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from cogyard.domain.errors import CogyardError
from cogyard.domain.events import Failed
from cogyard.domain.habit import Learner
from cogyard.domain.instance import Instance
from cogyard.domain.policy import decide
from cogyard.domain.prediction import Prediction, apply
from cogyard.domain.reasons import explain, explain_shortage
from cogyard.domain.schedule import Action, Demand, Plan, Short, Start, Stop, Target, View, Wait, Want
from cogyard.domain.values import InstanceId, QueueId
from cogyard.hardware import HardwareKinds
from cogyard.ports import Arrival, Bus, Clock, Page, PageRequest, Placement

MIN_INTERVAL = 0.02
"""Seconds between two looks: a burst of creates costs fifty small queries a second, not one for each."""

SAFETY_POLL = 1.0
"""Seconds after which the queue is looked at without a notice; also how finely idle times are told."""

SHORT_POLL = 0.1
"""The same while somebody waits for room."""

TARGETS_KEPT = 0.5
"""Seconds for which what is known of models and deployments is believed."""

EXPECTED_FOR = 2.0
"""Seconds for which an announced prediction is waited for; it is stored in milliseconds, or refused."""

REMEMBERED = 5000
"""Predictions, and a tenth of so many instances, of an earlier server that say how models are used."""

ENDED_AT_ONCE = 200
"""Predictions that are ended in one go."""

Policy = Callable[[View], Plan]


class ScheduleStore(Protocol):
    """Who knows what waits and what is to be kept warm."""

    async def demand(self) -> Sequence[Demand]:
        """What waits, by queue."""
        ...

    async def targets(self, asked: Collection[QueueId], official_instances: int) -> Sequence[Target]:
        """What official models and deployments want to have running, and what is known of the asked queues."""
        ...

    async def arrivals(self, after: int | None, limit: int) -> Sequence[Arrival]:
        """Predictions that came after the one of that number, oldest first; None: the latest."""
        ...

    async def list_instances(self, queues: Sequence[QueueId] | None, page: PageRequest) -> Page[Instance]:
        """Those of some queues, or all, newest first, over or not."""
        ...

    async def waiting(self, queue: QueueId, limit: int | None = None) -> Sequence[Prediction]:
        """Unclaimed, unfinished predictions of the queue, oldest first."""
        ...

    async def record(self, before: Prediction, after: Prediction) -> bool:
        """Store a step; False when the prediction has ended or its claim is another one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How instances are kept where neither model nor deployment says otherwise."""

    official_instances: int
    idle_timeout: timedelta
    longest_idle: timedelta
    turn: timedelta


class Scheduler:
    """Observe, decide (in `domain.policy`), act, for ever."""

    def __init__(
        self,
        store: ScheduleStore,
        placement: Placement,
        bus: Bus,
        clock: Clock,
        kinds: HardwareKinds,
        keeping: Keeping,
        policy: Policy = decide,
    ) -> None:
        self._store = store
        self._placement = placement
        self._bus = bus
        self._clock = clock
        self._kinds = kinds
        self._keeping = keeping
        self._policy = policy
        self._learners: dict[QueueId, Learner] = {}
        self._peaks: dict[QueueId, int] = {}
        self._served: dict[QueueId, datetime] = {}
        self._ready: set[InstanceId] = set()
        self._targets: Sequence[Target] = ()
        self._asked: frozenset[QueueId] = frozenset()
        self._targets_at = 0.0
        self._arrivals_at = 0.0
        self._newest: int | None = None
        #: queues of predictions that are about to be stored, and until when they are believed in
        self._expected: dict[QueueId, float] = {}
        self._hint = asyncio.Event()
        self._waits: Mapping[QueueId, Wait] = {}
        self._endings: dict[QueueId, asyncio.Task[None]] = {}
        self._log = structlog.get_logger()

    # --- what others ask ------------------------------------------------------------------------------------------

    def expect(self, queue: QueueId) -> None:
        """A prediction of the queue is about to be stored: its instance may start meanwhile, where there is room."""
        if queue not in self._expected and not any(one.queue == queue for one in self._placement.instances()):
            self._expected[queue] = time.monotonic() + EXPECTED_FOR
            self._hint.set()

    def reason(self, queue: QueueId) -> str | None:
        """Why predictions of the queue wait, in a sentence for everybody; None where nothing is known of it."""
        wait = self._waits.get(queue)
        return None if wait is None else explain(wait, self._clock.now())

    # --- the loop -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled."""
        await self._remember()
        with self._bus.listen(("queue", "*")) as queue, self._bus.listen(("instances", "*")) as instances:
            notices = [asyncio.ensure_future(listener.wait()) for listener in (queue, instances)]
            try:
                while True:
                    await self.look()
                    hint = asyncio.ensure_future(self._hint.wait())
                    # a hint does not wait for company: a boot begins that much earlier
                    await asyncio.wait({hint}, timeout=MIN_INTERVAL)
                    # who is short of room gets it when somebody has been idle for long enough: nobody tells of that
                    is_short = any(isinstance(wait, Short) for wait in self._waits.values())
                    pause = SHORT_POLL if is_short else SAFETY_POLL
                    await asyncio.wait({hint, *notices}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                    hint.cancel()
                    self._hint.clear()
                    for number, listener in enumerate((queue, instances)):
                        if notices[number].done():
                            notices[number] = asyncio.ensure_future(listener.wait())
            finally:
                for task in [*notices, *self._endings.values()]:
                    task.cancel()

    async def look(self) -> None:
        """One round."""
        try:
            view = await self._view()
        except CogyardError as fault:
            self._log.error("scheduler.failed", error=str(fault))
            return
        plan = self._policy(view)
        self._waits = plan.waits
        for action in plan.actions:
            try:
                await self._act(action)
            except (CogyardError, OSError) as fault:
                # a full disk, or a version that vanished: the others go on, the next round tries again
                self._log.error("scheduler.failed", error=str(fault), action=str(action))
        self._end_hopeless(view)

    async def _act(self, action: Action) -> None:
        match action:
            case Start(queue=queue, share=share, reason=reason):
                await self._placement.start(queue, share, reason)
            case Stop(instance=instance, reason=reason):
                await self._placement.stop(instance, reason)

    # --- observing ------------------------------------------------------------------------------------------------

    async def _view(self) -> View:
        demand = await self._demand()
        instances = self._placement.instances()
        now, moment = self._clock.now(), time.monotonic()
        asked = frozenset([*(one.queue for one in demand), *(one.queue for one in instances)])
        known = {target.queue for target in self._targets}
        # what is not known is asked for anew each time: a version that was deleted may have been pushed again
        is_new = not asked <= self._asked or any(one.queue not in known for one in demand)
        if is_new or moment - self._targets_at > TARGETS_KEPT:
            self._targets = await self._store.targets(asked | self._likely(), self._keeping.official_instances)
            self._asked, self._targets_at = asked, moment
        if moment - self._arrivals_at > SAFETY_POLL:
            await self._learn()
            self._arrivals_at = moment
        self._note_instances(instances, now)
        wants = {target.queue: self._want(target) for target in self._targets}
        return View(
            now=now,
            machine=self._kinds.machine,
            demand=demand,
            wants=wants,
            instances=instances,
            habits={queue: self._learners[queue].habit(now) for queue in wants if queue in self._learners},
            rests=self._placement.rests(),
            served=self._served,
            turn=self._keeping.turn,
        )

    async def _demand(self) -> Sequence[Demand]:
        stored = await self._store.demand()
        known = {one.queue for one in stored}
        moment, now = time.monotonic(), self._clock.now()
        self._expected = {
            queue: until for queue, until in self._expected.items() if until > moment and queue not in known
        }
        return [*stored, *(Demand(queue=queue, queued=1, since=now, is_certain=False) for queue in self._expected)]

    def _likely(self) -> frozenset[QueueId]:
        """Queues without instances in which somebody is expected soon."""
        now = self._clock.now()
        return frozenset(queue for queue, one in self._learners.items() if one.habit(now).is_expected(now))

    def _want(self, target: Target) -> Want:
        idle = target.settings.get("idle_timeout")
        keeping = self._keeping
        own = None if not isinstance(idle, int | float) else timedelta(seconds=idle)
        return Want(
            queue=target.queue,
            needs=self._kinds.needs(
                target.hardware, wants_gpu=target.wants_gpu, peak_memory=self._peaks.get(target.queue, 0)
            ),
            min_instances=target.min_instances,
            max_instances=target.max_instances,
            priority=target.priority,
            slots=target.slots,
            idle_timeout=keeping.idle_timeout if own is None else own,
            longest_idle=keeping.longest_idle if own is None else own,
            is_current=target.is_current,
            name=target.name if target.is_public else "another model",
        )

    # --- learning -------------------------------------------------------------------------------------------------

    async def _remember(self) -> None:
        """What an earlier server saw of how models are used, how long they boot and what memory they take."""
        try:
            over = (await self._store.list_instances(None, PageRequest(limit=REMEMBERED // 10))).items
        except CogyardError as fault:
            self._log.error("scheduler.failed", error=str(fault))
            return
        for one in reversed(over):
            self._note_peak(one)
            if one.ready_at is not None:
                self._learner(one.queue).note_boot((one.ready_at - one.created_at).total_seconds())

    async def _learn(self) -> None:
        for one in await self._store.arrivals(self._newest, REMEMBERED):
            self._learner(one.queue).note_arrival(one.at)
            self._newest = one.sequence
        for queue, runs, seconds in self._placement.take_runs():
            self._learner(queue).note_runs(runs, seconds)

    def _note_instances(self, instances: Sequence[Instance], now: datetime) -> None:
        for one in instances:
            self._served[one.queue] = now
            self._note_peak(one)
            if one.ready_at is not None and one.id not in self._ready:
                self._ready.add(one.id)
                self._learner(one.queue).note_boot((one.ready_at - one.created_at).total_seconds())
        self._ready &= {one.id for one in instances}

    def _note_peak(self, one: Instance) -> None:
        if one.peak_memory > self._peaks.get(one.queue, 0):
            self._peaks[one.queue] = one.peak_memory

    def _learner(self, queue: QueueId) -> Learner:
        return self._learners.setdefault(queue, Learner())

    # --- those who wait in vain -----------------------------------------------------------------------------------

    def _end_hopeless(self, view: View) -> None:
        """End what waits for a version that is gone, or for hardware that the machine does not have."""
        for one in view.demand:
            if one.queue in self._endings or not one.is_certain:
                continue
            wait = self._waits.get(one.queue)
            if one.queue not in view.wants:
                error = "The version was deleted before the prediction began."
            elif isinstance(wait, Short) and wait.shortage.is_for_ever:
                error = f"This can never run here: {explain_shortage(wait.shortage, wait.hardware)}."
            else:
                continue
            task = asyncio.create_task(self._end(one.queue, error), name=f"end {one.queue}")
            self._endings[one.queue] = task
            task.add_done_callback(partial(self._ended, one.queue))

    def _ended(self, queue: QueueId, _task: asyncio.Task[None]) -> None:
        del self._endings[queue]

    async def _end(self, queue: QueueId, error: str) -> None:
        try:
            while waiting := await self._store.waiting(queue, ENDED_AT_ONCE):
                now = self._clock.now()
                await asyncio.gather(*(self._fail(one, Failed(at=now, error=error)) for one in waiting))
        except CogyardError as fault:  # a full disk: the next round begins anew
            self._log.error("scheduler.failed", error=str(fault))

    async def _fail(self, waiting: Prediction, failed: Failed) -> None:
        if await self._store.record(waiting, apply(waiting, failed)):
            self._bus.publish(("prediction", waiting.id))
