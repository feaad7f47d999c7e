"""Which instances to start and stop: a pure decision over demand, instances and limits.

Today's policy: an instance for each version that somebody waits for, as long as there is room; room is made by
stopping what has been idle longest; what nobody has asked for in `idle_timeout` stops.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.values import InstanceId, VersionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Predictions of one version that wait for an instance; `since` is when the oldest was created."""

    version: VersionId
    queued: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many Cog servers this machine may hold, and how long an idle one stays."""

    max_instances: int
    idle_timeout: timedelta


@dataclass(frozen=True, slots=True)
class Start:
    """Start an instance for the version."""

    version: VersionId


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the instance; `reason` is for people."""

    instance: InstanceId
    reason: str


Action = Start | Stop


def decide(demand: Sequence[Demand], instances: Sequence[Instance], limits: Limits, now: datetime) -> list[Action]:
    """The actions that bring `instances` (those that are not over) nearer to `demand`, stops first."""
    wanted = {entry.version for entry in demand if entry.queued > 0}
    served = {instance.version for instance in instances if instance.state is not InstanceState.stopping}
    missing = [entry.version for entry in sorted(demand, key=lambda entry: entry.since)]
    missing = [version for version in missing if version in wanted and version not in served]
    idle = sorted(
        (instance for instance in instances if _is_stoppable(instance, wanted)),
        key=lambda instance: instance.idle_since or now,
    )
    stops = [
        Stop(instance.id, "idle")
        for instance in idle
        if instance.idle_since is not None and now - instance.idle_since >= limits.idle_timeout
    ]
    stopped = {stop.instance for stop in stops}
    room = limits.max_instances - len(instances)
    for instance in idle:
        if len(missing) <= room + len(stops):
            break
        if instance.id not in stopped:
            stops.append(Stop(instance.id, "made room for another model"))
    starts = [Start(version) for version in missing[: max(room, 0)]]
    return [*stops, *starts]


def _is_stoppable(instance: Instance, wanted: set[VersionId]) -> bool:
    return instance.state is InstanceState.idle and instance.version not in wanted
