"""How a deployment comes from one release to the next: what serves meanwhile, and what follows a setup that fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cogyard.domain.deployment import Deployment, Release
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.queue import version_of
from cogyard.domain.values import QueueId, VersionId

MOST_DEATHS = 3
"""Instances that die in setup before their release counts as one that does not come up."""

LONGEST_REASON = 300
"""Characters of a failure that a release's note holds."""

PATIENCE = timedelta(seconds=30)
"""How long no instance of a new release may be there before the former one gives way: there is no room for both."""

LONG_PATIENCE = timedelta(minutes=5)
"""The same for a release of which an instance died: the next try may wait for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What became of a deployment's instances, by the version that they ran."""

    #: one was ready once
    worked: frozenset[VersionId] = frozenset()
    #: when those ended that were never ready, whatever the others did
    failed: Mapping[VersionId, Sequence[datetime]] = field(default_factory=dict)

    def deaths(self, release: Release) -> int:
        """How many instances of it failed since it was made."""
        return sum(at >= release.created_at for at in self.failed.get(release.version, ()))

    def is_known_to_fail(self, version: VersionId) -> bool:
        """Whether instances of it failed, and none ever came up."""
        return version in self.failed and version not in self.worked


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A deployment, its releases with the newest first, and what became of its instances."""

    deployment: Deployment
    releases: Sequence[Release]
    past: Past


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The setup of an instance of the queue failed; `died` tells a process that ended from a setup that raised."""

    queue: QueueId
    reason: str
    at: datetime
    died: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """Make this release, as an earlier one was; what waits for the failed one moves to its queue."""

    release: Release


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Let what waits in the failed queue run on this release, which serves from now on."""

    to: Release


Answer = RollBack | Move


def former_after(before: Deployment, new: Release, past: Past) -> Release | None:
    """Which release serves until the new one is set up; None when the new one does at once."""
    serving = before.serving
    is_kept = serving.min_instances > 0 and new.min_instances > 0
    is_other = serving.version != new.version and serving.model.lower() == new.model.lower()
    return serving if is_kept and is_other and not past.is_known_to_fail(serving.version) else None


def is_up(queue: QueueId, instances: Sequence[Instance]) -> bool:
    """Whether an instance of the queue can take predictions."""
    ready = (InstanceState.idle, InstanceState.active)
    return any(one.queue == queue and one.state in ready for one in instances)


def is_given_up(standing: Standing, absent: timedelta) -> bool:
    """Whether the current release, of which no instance was there for some time, is to serve without one."""
    has_died = standing.past.deaths(standing.deployment.current) > 0
    return absent >= (LONG_PATIENCE if has_died else PATIENCE)


def answer(standing: Standing, failure: Failure) -> Answer | None:
    """What follows a failed setup; None when what waits in the queue has nowhere else to go."""
    deployment, past = standing.deployment, standing.past
    current, version = deployment.current, version_of(failure.queue)
    if current.is_disabled:
        return None
    if failure.queue not in (deployment.queue, deployment.next_queue):
        return Move(to=deployment.serving)  # a release or secrets that are not in use any more
    if version in past.worked or not _is_final(standing, failure):
        return None
    if failure.queue != deployment.next_queue:
        return Move(to=current)
    good = None if current.note else _fallback(standing)
    return None if good is None else RollBack(release=_again(good, current, failure))


def _is_final(standing: Standing, failure: Failure) -> bool:
    """Whether there is no use in another try: a mere death may have been of another cause."""
    made = (
        standing.deployment.current if failure.queue == standing.deployment.next_queue else standing.deployment.serving
    )
    return not failure.died or standing.past.deaths(made) + 1 >= MOST_DEATHS


def _fallback(standing: Standing) -> Release | None:
    """The release that served last: one that worked, or else one of which nothing bad is known."""
    deployment, past = standing.deployment, standing.past
    earlier = [one for one in standing.releases if one.version != deployment.current.version and not one.is_disabled]
    earlier = [one for one in earlier if not past.is_known_to_fail(one.version)]
    if deployment.former is not None:
        earlier = [deployment.former, *earlier]
    worked = [one for one in earlier if one.version in past.worked]
    return next(iter([*worked, *earlier]), None)


def _again(good: Release, failed: Release, failure: Failure) -> Release:
    reason = failure.reason if len(failure.reason) <= LONGEST_REASON else failure.reason[:LONGEST_REASON] + " …"
    return replace(
        good,
        number=failed.number + 1,
        created_at=failure.at,
        created_by=failed.created_by,
        note=f"rolled back by itself: the setup of release {failed.number} failed: {reason}",
    )
