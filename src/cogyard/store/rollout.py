"""Statements of a deployment's way from one release to the next."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from cogyard.domain.deployment import Deployment, Release
from cogyard.domain.instance import RESTARTED, InstanceState
from cogyard.domain.queue import version_of
from cogyard.domain.rollout import Answer, Past, RollBack, Standing
from cogyard.domain.values import DeploymentId, PredictionId, QueueId, VersionId
from cogyard.ports import Moved, PageRequest
from cogyard.store import deployments
from cogyard.store.instance_tables import instances
from cogyard.store.predictions import IS_WAITING
from cogyard.store.rows import Values, to_version
from cogyard.store.tables import IS_CURRENT, model_versions, models, predictions, releases, versions
from cogyard.store.tables import deployments as table

_D, _I, _P = table.c, instances.c, predictions.c

RELEASES_SEEN = 100
"""How many releases a roll back may go back."""


def rolling(connection: Connection) -> Sequence[Deployment]:
    """Deployments whose current release does not serve yet."""
    return deployments.several(connection, _D.serving_release.is_not(None))


def release(connection: Connection, deployment: DeploymentId, new: Release) -> bool:
    """Make `new` the current release, with the former one serving where it should; False when another was quicker."""
    return deployments.release(connection, deployment, new, past(connection, deployment))


def finish(connection: Connection, deployment: DeploymentId, number: int) -> bool:
    """Let the release serve; False when it is not the current one any more, or serves already."""
    mine = (_D.id == deployment) & (_D.current_release == number) & _D.serving_release.is_not(None)
    return connection.execute(update(table).where(mine).values(serving_release=None)).rowcount == 1


def disabled_names(connection: Connection) -> Sequence[str]:
    """Deployments that are disabled and that an unfinished prediction is of."""
    unfinished = _P.deployment.is_not(None) & _P.completed_at.is_(None)
    busy = [name for name in connection.execute(select(_P.deployment).where(unfinished).distinct()).scalars() if name]
    off = select(_D.key).join(releases, IS_CURRENT).where(releases.c.max_instances == 0)
    keys = set(connection.execute(off.where(_D.key.in_([name.lower() for name in busy]))).scalars())
    return [name for name in busy if name.lower() in keys]


def standing(connection: Connection, deployment: DeploymentId) -> Standing | None:
    """All that is known of it; None when it was deleted."""
    found = deployments.several(connection, _D.id == deployment)
    if not found:
        return None
    made = deployments.releases_of(connection, deployment, PageRequest(limit=RELEASES_SEEN)).items
    there = [one for one in made if _is_there(connection, one)]
    return Standing(deployment=found[0], releases=there, past=past(connection, deployment))


def _is_there(connection: Connection, release: Release) -> bool:
    """Whether its model still has its version: only those of releases in use cannot be deleted."""
    mine = (models.c.key == release.model.lower()) & (model_versions.c.version == release.version)
    found = select(models.c.id).join(model_versions, model_versions.c.model == models.c.id).where(mine)
    return connection.execute(found).first() is not None


def past(connection: Connection, deployment: DeploymentId) -> Past:
    """What became of its instances, with whatever secrets they ran."""
    mine = _I.queue.like(f"deployment/{deployment}/%") | _I.queue.like(f"deployment/{deployment}.%")
    worked: set[VersionId] = set()
    failed: defaultdict[VersionId, list[datetime]] = defaultdict(list)
    for row in connection.execute(select(_I.queue, _I.state, _I.ready_at, _I.ended_at, _I.reason).where(mine)):
        version = version_of(row.queue)
        if row.ready_at is not None:
            worked.add(version)
        elif row.state == InstanceState.failed.value and row.reason != RESTARTED:
            failed[version].append(row.ended_at)
    return Past(worked=frozenset(worked), failed=failed)


def settle(connection: Connection, before: Deployment, queue: QueueId, answer: Answer) -> Moved | None:
    """Do what follows a failed setup in `queue`: where what waited there waits now, and what that was.

    None, and nothing done, when the deployment's releases are not those of `before` any more, or a version is gone.
    """
    found = deployments.several(connection, _D.id == before.id)
    if not found or (found[0].current, found[0].former) != (before.current, before.former):
        return None
    if isinstance(answer, RollBack):
        good = answer.release
        if not _is_there(connection, good):
            return None
        deployments.release(connection, before.id, good, None)
    else:
        good = answer.to
        if good.number == before.current.number:
            finish(connection, before.id, good.number)
    here = deployments.several(connection, _D.id == before.id)[0].queue_of(good)
    return Moved(queue=here, predictions=_move(connection, queue, here, good))


def _move(connection: Connection, there: QueueId, here: QueueId, release: Release) -> Sequence[PredictionId]:
    """Let what waits in one queue wait in another, for another version; it has not begun, so nothing is lost."""
    row = connection.execute(select(versions).where(versions.c.id == release.version)).mappings().one()
    changed: Values = {
        "queue": here,
        "model": release.model,
        "version": release.version,
        "hardware": release.hardware,
        "is_stream": to_version(row).is_stream,
        "batch_key": None,
        "attempt": 1,  # deaths of the other version's instances are not its own
    }
    waiting = update(predictions).where(_P.queue == there, IS_WAITING)
    return list(connection.execute(waiting.values(**changed).returning(_P.id)).scalars())
