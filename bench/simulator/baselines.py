"""Two policies to compare with: a fixed pool, and one that scales on the length of queues."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from cogyard.domain.hardware import Share, place
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.policy import MADE_ROOM
from cogyard.domain.schedule import Demand, Plan, Start, Stop, View
from cogyard.domain.values import QueueId


def fixed(view: View) -> Plan:
    """A pool: who comes first keeps its one instance until it is the longest idle and somebody has none."""
    pool = _Pool(view)
    for demand in pool.waiting():
        if not pool.alive(demand.queue) and not pool.start(demand.queue):
            pool.make_room(demand.queue)
    return pool.plan()


def naive(view: View) -> Plan:
    """An instance for each prediction that waits, as far as they fit, and a fixed idle time."""
    pool = _Pool(view)
    for one in pool.idle():
        if view.now - (one.idle_since or view.now) >= view.wants[one.queue].idle_timeout:
            pool.stop(one, "idle")
    for demand in pool.waiting():
        missing = demand.queued - pool.booting(demand.queue)
        while missing > 0 and pool.start(demand.queue):
            missing -= 1
        if not pool.alive(demand.queue):
            pool.make_room(demand.queue)
    return pool.plan()


@dataclass(slots=True)
class _Pool:
    """What is there, and what this round adds and takes."""

    view: View
    stops: list[Stop] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    #: shares that are held once what is being stopped has ended, with those that somebody was promised
    soon: list[Share] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.soon = [one.share for one in self._serving()]

    def plan(self) -> Plan:
        return Plan(actions=[*self.stops, *self.starts])

    def waiting(self) -> list[Demand]:
        return sorted(self.view.demand, key=lambda demand: (demand.since, demand.queue))

    def idle(self) -> list[Instance]:
        """Those that nobody waits for, the longest idle first."""
        stopped = {stop.instance for stop in self.stops}
        asked = {demand.queue for demand in self.view.demand}
        able = [one for one in self.view.instances if one.id not in stopped and one.queue not in asked]
        idle = [one for one in able if one.state is InstanceState.idle]
        return sorted(idle, key=lambda one: one.idle_since or one.created_at)

    def alive(self, queue: QueueId) -> int:
        return sum(one.queue == queue for one in self._serving()) + self._started(queue)

    def booting(self, queue: QueueId) -> int:
        booting = (one for one in self._serving() if one.state is InstanceState.setting_up)
        return sum(one.queue == queue for one in booting) + self._started(queue)

    def start(self, queue: QueueId) -> bool:
        held = [one.share for one in self.view.instances] + [start.share for start in self.starts]
        found = place(self.view.wants[queue].needs, self.view.machine, held)
        if not isinstance(found, Share):
            return False
        self.starts.append(Start(queue, found, "asked for"))
        self.soon.append(found)
        return True

    def stop(self, one: Instance, reason: str) -> None:
        self.stops.append(Stop(one.id, reason))
        self.soon = [share for share in self.soon if share is not one.share]

    def make_room(self, queue: QueueId) -> None:
        """Stop the longest idle whose room will do, unless room is coming that nobody was promised."""
        needs, machine = self.view.wants[queue].needs, self.view.machine
        found = place(needs, machine, self.soon)
        for one in self.idle():
            if isinstance(found, Share):
                break
            without = [share for share in self.soon if share is not one.share]
            found = place(needs, machine, without)
            if isinstance(found, Share):
                self.stop(one, MADE_ROOM)
        if isinstance(found, Share):
            self.soon.append(found)

    def _serving(self) -> Iterator[Instance]:
        return (one for one in self.view.instances if one.state is not InstanceState.stopping)

    def _started(self, queue: QueueId) -> int:
        return sum(start.queue == queue for start in self.starts)
