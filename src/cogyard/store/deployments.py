"""Statements of deployments and their releases."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from cogyard.domain.deployment import Deployment, Release, disabled
from cogyard.domain.errors import Conflict, NotFound
from cogyard.domain.prediction import Prediction
from cogyard.domain.queue import deployment_of
from cogyard.domain.rollout import Past, former_after
from cogyard.domain.values import AccountId, DeploymentId, VersionId
from cogyard.ids import new_mark
from cogyard.ports import Page, PageRequest
from cogyard.store.accounts import get_by_id as get_account_by_id
from cogyard.store.paging import cut
from cogyard.store.rows import from_release, to_deployment, to_release
from cogyard.store.tables import IS_CURRENT, IS_USED, deployments, releases

_D, _R = deployments.c, releases.c
_WHOLE: Select[Any] = select(
    _D.id.label("deployment_id"),
    _D.created_at.label("deployment_created_at"),
    _D.account,
    _D.owner,
    _D.name,
    _D.used_at,
    _D.secrets_mark,
    _D.serving_release,
    releases,
).join(releases, IS_CURRENT)
_LIMIT = select(_R.max_instances).join(deployments, IS_CURRENT).where(_D.id == bindparam("deployment_is"))
_NOTE_USE = update(deployments).where(_D.id == bindparam("deployment_is")).values(used_at=bindparam("at"))


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
    return _first(connection, _D.id == number) or deployment


def get(connection: Connection, owner: str, name: str) -> Deployment | None:
    """By name, in any letter case."""
    return _first(connection, _D.key == f"{owner}/{name}".lower())


def several(connection: Connection, *conditions: ColumnElement[bool]) -> Sequence[Deployment]:
    """Those that fulfil the conditions."""
    rows = connection.execute(_WHOLE.where(*conditions).order_by(_D.id)).mappings().all()
    return [_whole(connection, row) for row in rows]


def page(
    connection: Connection, account: AccountId, request: PageRequest, models_named: frozenset[str] | None
) -> Page[Deployment]:
    """The account's, newest first."""
    wanted = _WHOLE.where(_D.account == account)
    if models_named is not None:
        wanted = wanted.where(func.lower(_R.model).in_(models_named))
    rows, neighbours = cut(connection, wanted, (_D.id,), request)
    return Page([_whole(connection, row) for row in rows], *neighbours)


def release(connection: Connection, deployment: DeploymentId, new: Release, past: Past | None) -> bool:
    """Make `new` the current release; False when another one was quicker.

    What serves until it is set up goes by what became of the deployment's instances; without that, the new one does.
    """
    before = _first(connection, _D.id == deployment)
    if before is None or before.current.number != new.number - 1:
        return False
    former = None if past is None else former_after(before, new, past)
    mine = update(deployments).where(_D.id == deployment)
    numbers = {"current_release": new.number, "serving_release": None if former is None else former.number}
    connection.execute(mine.values(**numbers))
    if new.model.lower() != before.current.model.lower():
        # another model may have the same version and other secrets
        connection.execute(mine.values(secrets_mark=new_mark()))
    connection.execute(insert(releases), {**from_release(new), "deployment": deployment})
    return True


def releases_of(connection: Connection, deployment: DeploymentId, request: PageRequest) -> Page[Release]:
    """Newest first."""
    rows, neighbours = cut(connection, select(releases).where(_R.deployment == deployment), (_R.number,), request)
    return Page([to_release(row, get_account_by_id(connection, row["created_by"])) for row in rows], *neighbours)


def remove(connection: Connection, deployment: DeploymentId, unused_since: datetime) -> bool:
    """Delete it with its releases; False when it was used since a time."""
    used = select(_D.id).where(_D.id == deployment, _D.used_at >= unused_since)
    if connection.execute(used).first() is not None:
        return False
    connection.execute(delete(releases).where(_R.deployment == deployment))
    connection.execute(delete(deployments).where(_D.id == deployment))
    return True


def admit(connection: Connection, new: Prediction) -> None:
    """Note that the deployment of a new prediction is used.

    Raises `NotFound`, `Disabled` when it was deleted or disabled since it was asked.
    """
    deployment = deployment_of(new.queue)
    if deployment is None or new.deployment is None:
        return
    most = connection.execute(_LIMIT, {"deployment_is": deployment}).scalar_one_or_none()
    if most is None:
        raise NotFound
    if most == 0:
        raise disabled(new.deployment)
    connection.execute(_NOTE_USE, {"deployment_is": deployment, "at": new.created_at})


def is_deployed(connection: Connection, version: VersionId) -> bool:
    """Whether a deployment runs the version."""
    used = select(_D.id).join(releases, IS_USED).where(_R.version == version)
    return connection.execute(used.limit(1)).first() is not None


def _first(connection: Connection, condition: ColumnElement[bool]) -> Deployment | None:
    return next(iter(several(connection, condition)), None)


def _whole(connection: Connection, row: RowMapping) -> Deployment:
    former, serving = None, row["serving_release"]
    if serving is not None:
        mine = select(releases).where(_R.deployment == row["deployment_id"], _R.number == serving)
        found = connection.execute(mine).mappings().one()
        former = to_release(found, get_account_by_id(connection, found["created_by"]))
    return to_deployment(row, get_account_by_id(connection, row["created_by"]), former)
