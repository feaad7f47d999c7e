"""Statements of deployments and their releases."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from cogyard.domain.deployment import Deployment, Release
from cogyard.domain.errors import Conflict
from cogyard.domain.queue import deployment_queue
from cogyard.domain.schedule import Target
from cogyard.domain.values import AccountId, DeploymentId, VersionId
from cogyard.ports import Page, PageRequest
from cogyard.store.accounts import get_by_id as get_account_by_id
from cogyard.store.paging import cut
from cogyard.store.rows import from_release, to_deployment, to_release
from cogyard.store.tables import deployments, models, releases

_D, _R = deployments.c, releases.c
_IS_CURRENT = (_R.deployment == _D.id) & (_R.number == _D.current_release)
_WHOLE: Select[Any] = select(
    _D.id.label("deployment_id"),
    _D.created_at.label("deployment_created_at"),
    _D.account,
    _D.owner,
    _D.name,
    _D.used_at,
    releases,
).join(releases, _IS_CURRENT)


def create(connection: Connection, deployment: Deployment) -> Deployment:
    """Store a new deployment with its first release (its `id` is ignored). Raises `Conflict`."""
    key = deployment.full_name.lower()
    if connection.execute(select(_D.id).where(_D.key == key)).first() is not None:
        raise Conflict("A deployment with that name and owner already exists.", "name")
    values = {
        "key": key,
        "account": deployment.account,
        "owner": deployment.owner,
        "name": deployment.name,
        "created_at": deployment.created_at,
        "current_release": deployment.current.number,
    }
    number = connection.execute(insert(deployments).returning(_D.id), values).scalar_one()
    connection.execute(insert(releases), {**from_release(deployment.current), "deployment": number})
    return _one(connection, _WHOLE.where(_D.id == number)) or deployment


def get(connection: Connection, owner: str, name: str) -> Deployment | None:
    """By name, in any letter case."""
    return _one(connection, _WHOLE.where(_D.key == f"{owner}/{name}".lower()))


def page(
    connection: Connection, account: AccountId, request: PageRequest, models_named: frozenset[str] | None
) -> Page[Deployment]:
    """The account's, newest first."""
    wanted = _WHOLE.where(_D.account == account)
    if models_named is not None:
        wanted = wanted.where(func.lower(_R.model).in_(models_named))
    rows, neighbours = cut(connection, wanted, (_D.id,), request)
    return Page([to_deployment(row, get_account_by_id(connection, row["created_by"])) for row in rows], *neighbours)


def release(connection: Connection, deployment: DeploymentId, new: Release) -> bool:
    """Make `new` the current release; False when another one was quicker."""
    mine = update(deployments).where(_D.id == deployment, _D.current_release == new.number - 1)
    if connection.execute(mine.values(current_release=new.number)).rowcount != 1:
        return False
    connection.execute(insert(releases), {**from_release(new), "deployment": deployment})
    return True


def releases_of(connection: Connection, deployment: DeploymentId, request: PageRequest) -> Page[Release]:
    """Newest first."""
    rows, neighbours = cut(connection, select(releases).where(_R.deployment == deployment), (_R.number,), request)
    return Page([to_release(row, get_account_by_id(connection, row["created_by"])) for row in rows], *neighbours)


def remove(connection: Connection, deployment: DeploymentId) -> None:
    """Delete it with its releases."""
    connection.execute(delete(releases).where(_R.deployment == deployment))
    connection.execute(delete(deployments).where(_D.id == deployment))


def is_deployed(connection: Connection, version: VersionId) -> bool:
    """Whether a deployment's current release runs the version."""
    current = select(_D.id).join(releases, _IS_CURRENT).where(_R.version == version)
    return connection.execute(current.limit(1)).first() is not None


def targets(connection: Connection, official_instances: int, official_most: int) -> Sequence[Target]:
    """What official models and deployments want to have running."""
    official = select(models.c.latest_version).where(models.c.is_official, models.c.latest_version.is_not(None))
    wanted = [
        Target(queue=version, min_instances=official_instances, max_instances=official_most)
        for version in dict.fromkeys(connection.execute(official).scalars())
    ]
    current = select(_D.id, _R.version, _R.min_instances, _R.max_instances).join(releases, _IS_CURRENT)
    for row in connection.execute(current.where(_R.max_instances > 0)):
        queue = deployment_queue(row.id, row.version)
        wanted.append(Target(queue=queue, min_instances=row.min_instances, max_instances=row.max_instances))
    return wanted


def _one(connection: Connection, wanted: Select[Any]) -> Deployment | None:
    row = connection.execute(wanted).mappings().one_or_none()
    return None if row is None else to_deployment(row, get_account_by_id(connection, row["created_by"]))
