"""Which instances to start and stop: one pure function over demand, wants, instances, machine, habits and the time.

- What nobody has asked for in its idle time stops; what only a former release or a training could use, at once.
- Each queue that waits gets one instance before any gets a second. Of those that have none: priority first, then who
  has gone without for longest, since it was served or since it waits.
- More instances are started for a queue only as far as each has more to do than its boot takes: a boot is a cost, and
  what has never run is not known to be worth one. Processors bound how far a shared queue grows, its owner's word how
  far a deployment does.
- Room is made by idle instances, those that save least first (arrivals a second × seconds of a boot), what is kept
  warm last. What is asked for often does not give way to what was asked for once, until that has waited half a turn;
  to a second instance of somebody only what has been idle for long does.
- When all room is busy, second instances give way to who has none; then who has had its turn, which is longer where a
  boot takes long.
- What is kept warm is there before anyone asks; what is expected soon is started where room is free.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil

from cogyard.domain.habit import ONE_ARRIVAL, Habit
from cogyard.domain.hardware import Resource, Share, Shortage, place
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.schedule import (
    CALM,
    STUBBORN,
    Action,
    Booting,
    Busy,
    Demand,
    Disabled,
    Plan,
    Resting,
    Short,
    Start,
    Stop,
    View,
    Wait,
    Want,
)
from cogyard.domain.values import InstanceId, QueueId

MADE_ROOM = "made room for another model"
TURN_OVER = "its turn is over, others wait"

LINGER = 1.0
"""Seconds that an instance is idle before it gives way, or as long as its boot takes where that is less."""

SHORTEST_BOOT = 0.1
"""Seconds below which no boot is taken to be."""

SPARE = timedelta(seconds=90)
"""How long an instance is idle before it gives way to a further one of a queue that has some."""

LONGEST_TURN = 4
"""Turns up to which a queue serves as long as its boot took before it gives way: a short one would not pay for that."""

OFTEN = 4
"""Arrivals, fresh ones, from which on a queue is asked for often: chance alone does not bring so many."""

TOLD_LATE = 1.0
"""Seconds after which the end of a run is known at the latest."""


def decide(view: View) -> Plan:
    """The actions that bring the instances nearer to what is wanted, and why those wait who wait.

    A queue without a want is one of something that is gone: its instances stop once they are idle.
    """
    return _Decision(view).plan()


@dataclass(slots=True)
class _Decision:
    view: View
    stops: dict[InstanceId, str] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)
    waits: dict[QueueId, Wait] = field(default_factory=dict)
    #: shares that are held, until the end of this round and by what was started in it
    held: list[Share] = field(default_factory=list)
    serving: list[Instance] = field(default_factory=list)
    alive: Counter[QueueId] = field(default_factory=Counter)
    waiting: dict[QueueId, Demand] = field(default_factory=dict)

    def plan(self) -> Plan:
        view = self.view
        self.held = [one.share for one in view.instances]
        self.serving = [one for one in view.instances if one.state is not InstanceState.stopping]
        self.alive = Counter(one.queue for one in self.serving)
        self.waiting = {one.queue: one for one in view.demand if one.queued > 0 and one.queue in view.wants}
        self._stop_idle()
        for queue, is_first in self._requests():
            self._ask(queue, is_first=is_first)
        for queue, reason in self._unasked():
            self._offer(queue, reason)
        actions: list[Action] = [Stop(instance, reason) for instance, reason in self.stops.items()]
        return Plan(actions=[*actions, *self.starts], waits=self.waits)

    # --- what is not needed any more ------------------------------------------------------------------------------

    def _stop_idle(self) -> None:
        """The longest idle first, down to what is kept."""
        unused = [
            one for one in self.serving if one.state is not InstanceState.active and one.queue not in self.waiting
        ]
        for one in sorted(unused, key=lambda one: one.idle_since or self.view.now):
            if (reason := self._is_overdue(one)) is not None:
                self.stops[one.id] = reason
                self.alive[one.queue] -= 1

    def _is_overdue(self, one: Instance) -> str | None:
        want, now = self.view.wants.get(one.queue), self.view.now
        if want is None or not want.is_current:
            return "not needed any more"
        if want.max_instances is not None and self.alive[one.queue] > want.max_instances:
            return "more than its limit allows"
        if one.state is not InstanceState.idle or self.alive[one.queue] <= want.min_instances:
            return None
        habit = self._habit(one.queue)
        idle = now - (one.idle_since or now)
        is_due = idle >= habit.keep_for(want.idle_timeout, want.longest_idle)
        may_stay = want.longest_idle > want.idle_timeout and habit.is_expected(now)
        return "idle" if is_due and not may_stay else None

    # --- what is asked for ----------------------------------------------------------------------------------------

    def _requests(self) -> Iterator[tuple[QueueId, bool]]:
        """Queues that want another instance, in the order in which they get one; whether it is their first."""
        wants, served = self.view.wants, self.view.served

        def standing(queue: QueueId) -> tuple[object, ...]:
            since = self.waiting[queue].since
            had = served.get(queue, since)
            return -wants[queue].priority, max(since, had), had, queue

        ordered = sorted(self.waiting, key=standing)
        for queue in ordered:
            if not self.alive[queue] and self._may_have(queue):
                yield queue, True
        missing = {queue: self._missing(queue) for queue in ordered if self.alive[queue]}
        while missing := {queue: count for queue, count in missing.items() if count > 0}:
            for queue in sorted(missing, key=lambda queue: (-wants[queue].priority, self.alive[queue])):
                yield queue, False
                missing[queue] -= 1

    def _may_have(self, queue: QueueId) -> bool:
        rest = self.view.rests.get(queue)
        if rest is not None and rest.failures >= STUBBORN and self.view.now < rest.until:
            self.waits[queue] = Resting(rest=rest)
            return False
        if self.view.wants[queue].max_instances == 0:
            self.waits[queue] = Disabled()
            return False
        return True

    def _missing(self, queue: QueueId) -> int:
        """Instances that those who wait would be served sooner by; notes why they wait."""
        want, demand, habit = self.view.wants[queue], self.waiting[queue], self._habit(queue)
        mine = [one for one in self.serving if one.queue == queue and one.id not in self.stops]
        booting = [one for one in mine if one.state is InstanceState.setting_up]
        if booting:
            usually = habit.boot if queue in self.view.habits else None
            self.waits[queue] = Booting(since=min(one.created_at for one in booting), usually=usually)
        elif mine:
            self.waits[queue] = Busy(instances=len(mine))
        slots = max([want.slots, *(one.slots for one in mine)])
        busy = sum(one.state is InstanceState.active for one in mine)
        useful = busy + -(-demand.queued // slots)
        if (worthwhile := self._worthwhile(queue, mine, demand.queued / slots)) is not None:
            useful = min(useful, worthwhile)
        useful = min(max(useful, want.min_instances), self.view.machine.max_instances)
        if want.max_instances is not None:
            useful = min(useful, want.max_instances)
        if not demand.is_certain or self._is_resting(queue):
            return 0
        return max(useful - self.alive[queue], 0)

    def _worthwhile(self, queue: QueueId, mine: Sequence[Instance], runs: float) -> int | None:
        """Instances up to which each would have to work longer on the runs that wait than one more takes to boot.

        None: nothing is known of it. As long as none is ready none but the first is known to be worth its boot.
        """
        ready = [one.ready_at for one in mine if one.ready_at is not None]
        if queue not in self.view.habits and ready:
            return None
        habit = self._habit(queue)
        seconds = habit.service
        if seconds is None:  # as long as none has ended: so long already
            seconds = (self.view.now - min(ready)).total_seconds() - TOLD_LATE if ready else 0.0
        return max(ceil(runs * seconds / max(habit.boot, SHORTEST_BOOT)), 0)

    def _ask(self, queue: QueueId, *, is_first: bool) -> None:
        want, demand = self.view.wants[queue], self.waiting[queue]
        if not is_first and want.max_instances is None and not self._has_processors(want):
            return
        found = place(want.needs, self.view.machine, self.held)
        if isinstance(found, Share):
            self._start(queue, found, "asked for")
            return
        if is_first:
            self.waits[queue] = self._short(found, want)
        if demand.is_certain and not found.is_for_ever and not self._is_coming(want):
            self._make_room(want, self._victims(want, demand, is_first=is_first))

    def _has_processors(self, want: Want) -> bool:
        """Whether one more instance would find processors that no busy one uses."""
        used = sum(one.share.cpus for one in self.serving if one.state is not InstanceState.idle)
        used += sum(start.share.cpus for start in self.starts)
        return used + want.needs.hardware.cpus <= self.view.machine.cpus

    def _start(self, queue: QueueId, share: Share, reason: str) -> None:
        self.starts.append(Start(queue, share, reason))
        self.held.append(share)
        self.alive[queue] += 1
        if queue in self.waiting:
            self.waits.setdefault(queue, Booting(since=self.view.now, usually=self._habit(queue).boot))

    def _short(self, shortage: Shortage, want: Want) -> Short:
        """What is missing, and who has it: what would be missing if the idle gave way, where that is not enough."""
        idle = [one.id for one in self._evictable()]
        others = [one for one in self.view.instances if one.id not in idle]
        still = place(want.needs, self.view.machine, [one.share for one in others])
        if isinstance(still, Shortage):
            shortage = still
        is_gpu = shortage.resource is Resource.gpus
        holders = [
            one for one in (others if shortage is still else self.view.instances) if one.share.gpus or not is_gpu
        ]
        names = dict.fromkeys(self._name(one) for one in holders)
        return Short(shortage=shortage, hardware=want.needs.hardware.sku, holders=tuple(names))

    def _name(self, one: Instance) -> str:
        want = self.view.wants.get(one.queue)
        return "another model" if want is None else want.name

    # --- making room ----------------------------------------------------------------------------------------------

    def _is_coming(self, want: Want) -> bool:
        """Whether it will fit once what is being stopped has ended; that room is then spoken for."""
        found = place(want.needs, self.view.machine, self._held_soon())
        if isinstance(found, Shortage):
            return False
        self.held.append(found)
        return True

    def _held_soon(self) -> list[Share]:
        """What is held once what is being stopped has ended."""
        left = list(self.held)
        for one in self.view.instances:
            if one.state is InstanceState.stopping or one.id in self.stops:
                left.remove(one.share)
        return left

    def _make_room(self, want: Want, victims: Iterator[tuple[Instance, str]]) -> None:
        """Stop as few of the victims as will do for it; none, if all of them would not do."""
        chosen: list[tuple[Instance, str]] = []
        left = self._held_soon()
        for one, reason in victims:
            left.remove(one.share)
            chosen.append((one, reason))
            if isinstance(place(want.needs, self.view.machine, left), Share):
                break
        else:
            return
        for number in reversed(range(len(chosen) - 1)):  # whose room would be of no use stays
            with_it = [*left, chosen[number][0].share]
            if isinstance(place(want.needs, self.view.machine, with_it), Share):
                left = with_it
                del chosen[number]
        for one, reason in chosen:
            self.stops[one.id] = reason
            self.alive[one.queue] -= 1
        self._is_coming(want)

    def _victims(self, want: Want, demand: Demand, *, is_first: bool) -> Iterator[tuple[Instance, str]]:
        """Those that may give way, in the order in which they do."""
        now, turn = self.view.now, self.view.turn
        waited = now - demand.since
        mine = self._habit(want.queue)
        worth = max(mine.rate, ONE_ARRIVAL) * mine.boot  # who waits has come, even if that is not learned yet
        for one in sorted(self._evictable(), key=self._standing):
            is_kept = self._is_kept(one)
            habit = self._habit(one.queue)
            is_often = habit.rate >= OFTEN * max(mine.rate, ONE_ARRIVAL)
            is_dear = is_often and habit.worth > worth and waited < turn / 2
            is_above = is_kept and self.view.wants[one.queue].priority > want.priority
            idle = now - (one.idle_since or now)
            is_spare = idle >= SPARE and not is_kept
            # the next one of a caller who asks again and again comes in no time
            is_resting = idle < timedelta(seconds=min(habit.boot, LINGER)) and waited < turn
            if not is_resting and not is_dear and not is_above and (is_first or is_spare):
                yield one, MADE_ROOM
        if not is_first:
            return
        busy = [one for one in self.serving if one.state is InstanceState.active and one.id not in self.stops]
        for one in sorted(
            busy, key=lambda one: (-self.alive[one.queue], self._habit(one.queue).worth, one.ready_at or now)
        ):
            had = now - (one.ready_at or now)
            theirs = self.view.wants.get(one.queue)
            above = 0 if theirs is None else theirs.priority
            boot = timedelta(seconds=self._habit(one.queue).boot)
            is_further = self._is_one_of_many(one)
            theirs_is_over = had >= max(turn, min(boot, LONGEST_TURN * turn)) and waited >= turn
            is_over = theirs_is_over or (is_further and had >= min(turn, boot))
            if (is_over and above <= want.priority and not self._is_kept(one)) or (
                above < want.priority and waited >= turn
            ):
                yield one, TURN_OVER

    def _is_one_of_many(self, one: Instance) -> bool:
        """Whether its queue would be left with another one that serves, and with as many as are kept."""
        theirs = [other for other in self.serving if other.queue == one.queue and other.id not in self.stops]
        return sum(other.ready_at is not None for other in theirs) > 1 and not self._is_kept(one)

    def _evictable(self) -> list[Instance]:
        return [
            one
            for one in self.serving
            if one.state is InstanceState.idle and one.queue not in self.waiting and one.id not in self.stops
        ]

    def _standing(self, one: Instance) -> tuple[object, ...]:
        return self._is_kept(one), self._habit(one.queue).worth, one.idle_since or one.created_at

    def _is_kept(self, one: Instance) -> bool:
        want = self.view.wants.get(one.queue)
        return want is not None and self.alive[one.queue] <= want.min_instances

    # --- what nobody has asked for --------------------------------------------------------------------------------

    def _unasked(self) -> Iterator[tuple[QueueId, str]]:
        """Queues that shall have an instance although nobody waits in them: those that are kept before the others."""
        wants = sorted(self.view.wants.values(), key=lambda want: -want.priority)
        able = [want for want in wants if want.queue not in self.waiting and not self._is_resting(want.queue)]
        for want in able:
            for _ in range(want.min_instances - self.alive[want.queue]):
                yield want.queue, "kept warm"
        for want in able:
            may = want.is_current and want.max_instances != 0 and want.min_instances == 0
            if may and not self.alive[want.queue] and self._habit(want.queue).is_expected(self.view.now):
                yield want.queue, "expected soon"

    def _is_resting(self, queue: QueueId) -> bool:
        rest = self.view.rests.get(queue)
        return rest is not None and self.view.now < rest.until

    def _offer(self, queue: QueueId, reason: str) -> None:
        want, now = self.view.wants[queue], self.view.now
        found = place(want.needs, self.view.machine, self.held)
        if isinstance(found, Share):
            self._start(queue, found, reason)
        elif want.min_instances and not found.is_for_ever and not self._is_coming(want):
            idle = sorted(self._evictable(), key=self._standing)
            calm = [one for one in idle if now - (one.idle_since or now) >= CALM and not self._is_kept(one)]
            self._make_room(want, iter([(one, MADE_ROOM) for one in calm]))

    def _habit(self, queue: QueueId) -> Habit:
        return self.view.habits.get(queue) or _UNKNOWN


_UNKNOWN = Habit()
