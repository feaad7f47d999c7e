"""Runs a trace in virtual time: the looks of `cogyard.scheduler`, its learners, and instances that only take time.

As there, a look follows each change and at the latest a second after the one before; arrivals are learned up to a
second late; a queue whose instances fail rests as in `cogyard.placement.local`. A request that a free slot takes at
once causes no look here: nothing waits, so a look could only stop what the next one, in the same second, stops too.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from random import Random

from bench.simulator.world import GIB, Model, Outcome, Policy, Request, Trace, Waits

from cogyard.domain.habit import Habit, Learner
from cogyard.domain.hardware import Needs
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.schedule import Demand, Rest, Start, Stop, View, Want
from cogyard.domain.values import InstanceId, QueueId
from cogyard.placement.local import FIRST_REST, LONGEST_REST
from cogyard.scheduler import MIN_INTERVAL, SAFETY_POLL

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
STOP_SECONDS = 0.5
"""From the end of the last prediction until the room of a stopped instance is free."""

AFTERWARDS = 600.0
"""Seconds for which those who still wait at the end of a trace may be served."""

BROKEN_AFTER = 0.3
"""The part of its usual boot after which a broken setup fails."""


def simulate(trace: Trace, policy: Policy, seed: int = 0) -> Outcome:
    """What the policy makes of the trace; the same arguments give the same outcome."""
    return _Simulation(trace, policy, seed).run()


class _Habits(Mapping[QueueId, Habit]):
    """What is known of the queues at one moment, worked out for those that are asked about."""

    def __init__(self, learners: Mapping[QueueId, Learner], now: datetime) -> None:
        self._learners, self._now = learners, now
        self._known: dict[QueueId, Habit] = {}

    def __getitem__(self, queue: QueueId) -> Habit:
        if queue not in self._known:
            self._known[queue] = self._learners[queue].habit(self._now)
        return self._known[queue]

    def __iter__(self) -> Iterator[QueueId]:
        return iter(self._learners)

    def __len__(self) -> int:
        return len(self._learners)

    def __contains__(self, queue: object) -> bool:
        return queue in self._learners


@dataclass(slots=True)
class _Live:
    """An instance that is not over."""

    instance: Instance
    model: Model
    since: float
    running: int = 0
    busy_since: float = 0.0

    @property
    def is_free(self) -> bool:
        state = self.instance.state
        return state in (InstanceState.idle, InstanceState.active) and self.running < self.model.slots


class _Simulation:
    def __init__(self, trace: Trace, policy: Policy, seed: int) -> None:
        self.trace, self.policy, self.seed = trace, policy, seed
        self.models = {QueueId(model.name): model for model in trace.models}
        self.now = 0.0
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.number = 0
        self.queues: dict[QueueId, deque[tuple[Request, bool]]] = {queue: deque() for queue in self.models}
        self.waiting: set[QueueId] = set()
        self.lives: dict[InstanceId, _Live] = {}
        self.of: dict[QueueId, list[_Live]] = {queue: [] for queue in self.models}
        self.learners: dict[QueueId, Learner] = {}
        self.unlearned: list[Request] = []
        self.runs: dict[QueueId, tuple[int, float]] = {}
        #: queues whose arrivals say when the next one is due
        self.regular: set[QueueId] = set()
        self.rests: dict[QueueId, Rest] = {}
        self.served: dict[QueueId, datetime] = {}
        self.look_at = self.looked_at = self.learned_at = 0.0
        self.outcome = Outcome(groups={model.group: Waits() for model in trace.models})

    # --- the clock ------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        requests, position, end = self.trace.requests, 0, self.trace.seconds + AFTERWARDS
        while True:
            arrival = requests[position].at if position < len(requests) else end
            event = self.events[0][0] if self.events else end
            self.now = min(arrival, event, self.look_at, end)
            if self.now >= end or (self.now >= self.trace.seconds and not self.waiting):
                break
            if event == self.now:
                heappop(self.events)[2]()
            elif arrival == self.now:
                self._arrive(requests[position])
                position += 1
            else:
                self._look()
        return self._closed()

    def _after(self, seconds: float, what: Callable[[], None]) -> None:
        self.number += 1
        heappush(self.events, (self.now + seconds, self.number, what))

    def _hint(self) -> None:
        """As in the scheduler: a burst of changes is one look."""
        self.look_at = min(self.look_at, max(self.now, self.looked_at + MIN_INTERVAL))

    def _time(self, at: float | None = None) -> datetime:
        return EPOCH + timedelta(seconds=self.now if at is None else at)

    def _closed(self) -> Outcome:
        outcome = self.outcome
        for live in self.lives.values():
            outcome.alive += self.now - live.since
            outcome.busy += self.now - live.busy_since if live.running else 0.0
        for queue in self.waiting:
            waits = outcome.groups[self.models[queue].group]
            waits.unserved += len(self.queues[queue])
            waits.seconds += [self.now - request.at for request, _ in self.queues[queue]]
        outcome.capacity = self.trace.machine.max_instances * self.now
        return outcome

    # --- requests -------------------------------------------------------------------------------------------------

    def _arrive(self, request: Request) -> None:
        queue = QueueId(request.model)
        self.unlearned.append(request)
        ready = [live for live in self.of[queue] if live.instance.ready_at is not None]
        is_cold = all(live.instance.state is InstanceState.stopping for live in ready)
        free = next((live for live in ready if live.is_free), None)
        if free is not None:
            self._begin(free, request, is_cold=False)
            return
        self.queues[queue].append((request, is_cold))
        self.waiting.add(queue)
        self._hint()

    def _begin(self, live: _Live, request: Request, *, is_cold: bool) -> None:
        waits = self.outcome.groups[live.model.group]
        waits.seconds.append(self.now - request.at)
        waits.cold += is_cold
        if not live.running:
            live.busy_since = self.now
        live.running += 1
        if live.instance.state is not InstanceState.active:
            live.instance = replace(live.instance, state=InstanceState.active, idle_since=None)
        self._after(request.seconds, partial(self._finish, live, request))

    def _finish(self, live: _Live, request: Request) -> None:
        live.running -= 1
        if not live.running:
            self.outcome.busy += self.now - live.busy_since
        queue = live.instance.queue
        runs, seconds = self.runs.get(queue, (0, 0.0))
        self.runs[queue] = runs + 1, seconds + request.seconds
        is_going = live.instance.state is InstanceState.stopping
        if not is_going:
            self._claim(live)
        if not live.running:
            if is_going:
                self._after(STOP_SECONDS, partial(self._over, live))
            else:
                live.instance = replace(live.instance, state=InstanceState.idle, idle_since=self._time())
            self._hint()

    def _claim(self, live: _Live) -> None:
        waiting = self.queues[live.instance.queue]
        while waiting and live.is_free:
            request, is_cold = waiting.popleft()
            self._begin(live, request, is_cold=is_cold)
        if not waiting:
            self.waiting.discard(live.instance.queue)

    # --- instances ------------------------------------------------------------------------------------------------

    def _start(self, action: Start) -> None:
        queue, model = action.queue, self.models[action.queue]
        outcome = self.outcome
        outcome.boots += 1
        number = outcome.boots_of[queue] = outcome.boots_of.get(queue, 0) + 1
        instance = Instance(
            id=InstanceId(f"{queue} {number}"),
            queue=queue,
            state=InstanceState.setting_up,
            created_at=self._time(),
            slots=model.slots,
            share=action.share,
        )
        live = _Live(instance, model, self.now)
        self.lives[instance.id] = live
        self.of[queue].append(live)
        outcome.most_alive = max(outcome.most_alive, len(self.lives))
        seconds = model.boot * Random(f"{self.seed} {instance.id}").uniform(0.9, 1.1)
        self._after(seconds * (BROKEN_AFTER if model.is_broken else 1), partial(self._booted, live))

    def _booted(self, live: _Live) -> None:
        self.outcome.boot_seconds += self.now - live.since
        if live.instance.state is InstanceState.stopping:
            return
        if live.model.is_broken:
            self._setup_failed(live)
            return
        now = self._time()
        live.instance = replace(live.instance, state=InstanceState.idle, ready_at=now, idle_since=now)
        self._learner(live.instance.queue).note_boot(self.now - live.since)
        self.rests.pop(live.instance.queue, None)
        self._claim(live)
        self._hint()

    def _setup_failed(self, live: _Live) -> None:
        """Those who wait are told so."""
        queue, waits = live.instance.queue, self.outcome.groups[live.model.group]
        waits.failed += len(self.queues[queue])
        self.queues[queue].clear()
        self.waiting.discard(queue)
        before = self.rests.get(queue)
        failures = 1 if before is None else before.failures + 1
        self.rests[queue] = Rest(failures=failures, until=self._time() + _rest_after(failures), reason="boom")
        self._over(live)

    def _stop(self, action: Stop) -> None:
        live = self.lives[action.instance]
        is_idle_stop = action.reason == "idle"
        self.outcome.idle_stops += is_idle_stop
        self.outcome.evictions += not is_idle_stop
        live.instance = replace(live.instance, state=InstanceState.stopping, reason=action.reason, idle_since=None)
        if not live.running:
            self._after(STOP_SECONDS, partial(self._over, live))

    def _over(self, live: _Live) -> None:
        del self.lives[live.instance.id]
        self.of[live.instance.queue].remove(live)
        self.outcome.alive += self.now - live.since
        self._hint()

    # --- looks ----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        now = self._time()
        if self.now - self.learned_at > SAFETY_POLL:
            self._learn(now)
        instances = [live.instance for live in self.lives.values()]
        for one in instances:
            self.served[one.queue] = now
        self.rests = {
            queue: rest for queue, rest in self.rests.items() if now < rest.until + _rest_after(rest.failures)
        }
        expected = {queue for queue in self.regular if self.learners[queue].habit(now).is_expected(now)}
        asked = {*self.waiting, *(one.queue for one in instances), *expected}
        view = View(
            now=now,
            machine=self.trace.machine,
            demand=[
                Demand(queue=queue, queued=len(self.queues[queue]), since=self._time(self.queues[queue][0][0].at))
                for queue in sorted(self.waiting)
            ],
            wants={queue: self._want(queue) for queue in sorted(asked)},
            instances=instances,
            habits=_Habits(self.learners, now),
            rests=self.rests,
            served=self.served,
            turn=self.trace.turn,
        )
        for action in self.policy(view).actions:
            if isinstance(action, Start):
                self._start(action)
            else:
                self._stop(action)
        self.looked_at = self.now
        self.look_at = self.now + SAFETY_POLL

    def _want(self, queue: QueueId) -> Want:
        model, trace = self.models[queue], self.trace
        return Want(
            queue=queue,
            needs=Needs(hardware=model.hardware, memory=GIB),
            slots=model.slots,
            idle_timeout=trace.idle_timeout,
            longest_idle=trace.longest_idle,
            name=model.name,
        )

    def _learn(self, now: datetime) -> None:
        self.learned_at = self.now
        learned = {QueueId(request.model) for request in self.unlearned}
        for request in self.unlearned:
            self._learner(QueueId(request.model)).note_arrival(self._time(request.at))
        self.unlearned.clear()
        for queue, (runs, seconds) in self.runs.items():
            self._learner(queue).note_runs(runs, seconds)
        self.runs.clear()
        for queue in learned:
            is_regular = self.learners[queue].habit(now).tail is not None
            (self.regular.add if is_regular else self.regular.discard)(queue)

    def _learner(self, queue: QueueId) -> Learner:
        return self.learners.setdefault(queue, Learner())


def _rest_after(failures: int) -> timedelta:
    return min(FIRST_REST * float(2 ** min(failures - 1, 20)), LONGEST_REST)
