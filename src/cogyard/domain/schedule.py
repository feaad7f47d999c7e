"""Which instances to start and stop: a pure decision over demand, targets, instances and limits.

Today's policy: an instance for each queue that somebody waits in, more for a deployment that allows more; what a target
keeps warm is there before anyone asks, as long as there is room. Room is made by stopping what has been idle longest,
kept ones last; what nobody has asked for in `idle_timeout` stops.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.queue import is_shared
from cogyard.domain.values import InstanceId, QueueId


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Predictions of one queue that wait for an instance; `since` is when the oldest was created."""

    queue: QueueId
    queued: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an official model or a deployment's current release asks for: so many instances, asked for or not."""

    queue: QueueId
    min_instances: int
    max_instances: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many Cog servers this machine may hold, and how long an idle one stays."""

    max_instances: int
    idle_timeout: timedelta


@dataclass(frozen=True, slots=True)
class Start:
    """Start an instance for the queue."""

    queue: QueueId


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the instance; `reason` is for people."""

    instance: InstanceId
    reason: str


Action = Start | Stop


def decide(
    demand: Sequence[Demand],
    targets: Sequence[Target],
    instances: Sequence[Instance],
    limits: Limits,
    now: datetime,
    *,
    resting: Collection[QueueId] = (),
) -> list[Action]:
    """The actions that bring `instances` (those that are not over) nearer to what is wanted, stops first.

    For `resting` queues, whose instances have failed lately, none is started unless somebody waits.
    """
    kept = {target.queue: target.min_instances for target in targets}
    most = {target.queue: target.max_instances for target in targets}
    waiting = {entry.queue: entry.queued for entry in demand if entry.queued > 0}
    serving = [instance for instance in instances if instance.state is not InstanceState.stopping]
    alive = Counter(instance.queue for instance in serving)
    stops = _overdue([one for one in serving if one.queue not in waiting], alive, kept, limits, now)
    stopped = {stop.instance for stop in stops}

    asked = [entry.queue for entry in sorted(demand, key=lambda entry: entry.since) if entry.queue in waiting]
    missing = [
        queue
        for queue in asked
        for _ in range(_wanted(waiting[queue], serving, queue, most.get(queue, 1)) - alive[queue])
    ]
    room = limits.max_instances - len(instances)
    for instance in _evictable(serving, waiting, kept):
        if len(missing) <= room + len(stops):
            break
        if instance.id not in stopped:
            stops.append(Stop(instance.id, "made room for another model"))
    unasked = [
        queue
        for queue, minimum in kept.items()
        if queue not in waiting and queue not in resting
        for _ in range(minimum - alive[queue])
    ]
    return [*stops, *(Start(queue) for queue in [*missing, *unasked][: max(room, 0)])]


def _wanted(queued: int, serving: Sequence[Instance], queue: QueueId, most: int) -> int:
    """Instances for a queue that somebody waits in: those that are busy, and enough free slots for the rest."""
    mine = [instance for instance in serving if instance.queue == queue]
    busy = sum(instance.state is InstanceState.active for instance in mine)
    slots = max((instance.slots for instance in mine), default=1)
    return max(min(most, busy + -(-queued // slots)), 1 if most else 0)


def _overdue(
    serving: Sequence[Instance], alive: Counter[QueueId], kept: dict[QueueId, int], limits: Limits, now: datetime
) -> list[Stop]:
    """Stops for what was idle for too long, the longest first, down to what is kept.

    An instance that only a former release or a training could use does not wait for its time.
    """
    left = Counter(alive)
    stops: list[Stop] = []
    for instance in sorted(serving, key=lambda instance: instance.idle_since or now):
        if instance.state is not InstanceState.idle or instance.idle_since is None:
            continue
        is_useless = not is_shared(instance.queue) and instance.queue not in kept
        is_due = is_useless or now - instance.idle_since >= limits.idle_timeout
        if is_due and left[instance.queue] > kept.get(instance.queue, 0):
            left[instance.queue] -= 1
            stops.append(Stop(instance.id, "not needed any more" if is_useless else "idle"))
    return stops


def _evictable(serving: Sequence[Instance], waiting: dict[QueueId, int], kept: dict[QueueId, int]) -> list[Instance]:
    """Idle instances that nobody waits for, in the order in which they give way."""
    idle = [one for one in serving if one.state is InstanceState.idle and one.queue not in waiting]
    return sorted(idle, key=lambda one: (kept.get(one.queue, 0) > 0, one.idle_since or one.created_at))
