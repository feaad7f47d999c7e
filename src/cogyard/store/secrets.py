"""Statements of secrets. What changes them also changes the marks of the queues whose instances get them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from cogyard.domain.errors import InvalidResource
from cogyard.domain.queue import deployment_of, model_of
from cogyard.domain.secret import MOST_BYTES_TOGETHER, MOST_SECRETS, Holder, HolderKind, Secret
from cogyard.domain.values import AccountId, QueueId
from cogyard.ids import new_mark
from cogyard.store.account_tables import accounts
from cogyard.store.rows import Values
from cogyard.store.secret_tables import variables
from cogyard.store.tables import IS_CURRENT, deployments, models, releases

_C = variables.c
_SHOWN = select(_C.name, _C.created_at, _C.updated_at, accounts.c.username.label("updated_by")).join(
    accounts, accounts.c.id == _C.updated_by
)


def page(connection: Connection, holder: Holder) -> Sequence[Secret]:
    """By name."""
    wanted = _SHOWN.where(_of(holder)).order_by(_C.name)
    return [Secret(**row) for row in connection.execute(wanted).mappings()]


def put(connection: Connection, holder: Holder, name: str, sealed: bytes, by: AccountId, at: datetime) -> Secret:
    """Set one. Raises `InvalidResource`."""
    mine = _of(holder) & (_C.name == name)
    others = select(func.count(), func.coalesce(func.sum(func.length(_C.sealed)), 0))
    count, size = connection.execute(others.where(_of(holder), _C.name != name)).one()
    if count >= MOST_SECRETS:
        raise InvalidResource("secret", f"a {holder.kind} has at most {MOST_SECRETS} secrets; remove one first")
    if size + len(sealed) > MOST_BYTES_TOGETHER:
        raise InvalidResource(
            "value", f"the secrets of a {holder.kind} have at most {MOST_BYTES_TOGETHER} bytes together"
        )
    changed: Values = {"sealed": sealed, "updated_at": at, "updated_by": by}
    if connection.execute(update(variables).where(mine).values(**changed)).rowcount == 0:
        connection.execute(insert(variables), {**changed, holder.kind.value: holder.id, "name": name, "created_at": at})
    _mark(connection, holder)
    return Secret(**connection.execute(_SHOWN.where(mine)).mappings().one())


def remove(connection: Connection, holder: Holder, name: str) -> bool:
    """Forget one; False when there was none."""
    if connection.execute(delete(variables).where(_of(holder), _C.name == name)).rowcount == 0:
        return False
    _mark(connection, holder)
    return True


def of_queue(connection: Connection, queue: QueueId) -> Mapping[str, tuple[Holder, bytes]]:
    """What instances of the queue get, sealed: the model's, and over them the deployment's."""
    model, deployment = model_of(queue), deployment_of(queue)
    if model is not None:
        return _sealed(connection, Holder(HolderKind.model, model))
    if deployment is None:
        return {}
    theirs = (deployments.c.id == deployment) & (models.c.account == deployments.c.account)
    found = select(models.c.id).join(releases, func.lower(releases.c.model) == models.c.key)
    model = connection.execute(found.join(deployments, IS_CURRENT).where(theirs)).scalar_one_or_none()
    inherited = {} if model is None else _sealed(connection, Holder(HolderKind.model, model))
    return {**inherited, **_sealed(connection, Holder(HolderKind.deployment, deployment))}


def _sealed(connection: Connection, holder: Holder) -> dict[str, tuple[Holder, bytes]]:
    rows = connection.execute(select(_C.name, _C.sealed).where(_of(holder)).order_by(_C.name))
    return {row.name: (holder, row.sealed) for row in rows}


def _of(holder: Holder) -> ColumnElement[bool]:
    column: ColumnElement[Any] = _C.model if holder.kind is HolderKind.model else _C.deployment
    return column == holder.id


def _mark(connection: Connection, holder: Holder) -> None:
    """Let what is created from now on wait in other queues than what is there."""
    if holder.kind is HolderKind.deployment:
        connection.execute(update(deployments).where(deployments.c.id == holder.id).values(secrets_mark=new_mark()))
        return
    has_some = connection.execute(select(_C.number).where(_of(holder)).limit(1)).first() is not None
    mark = new_mark() if has_some else None
    connection.execute(update(models).where(models.c.id == holder.id).values(secrets_mark=mark))
    # a deployment does not go back to no mark: instances of that queue may still have older secrets
    deployed = (
        select(deployments.c.id)
        .join(releases, IS_CURRENT)
        .join(models, (func.lower(releases.c.model) == models.c.key) & (models.c.account == deployments.c.account))
        .where(models.c.id == holder.id)
    )
    for deployment in connection.execute(deployed).scalars().all():
        connection.execute(update(deployments).where(deployments.c.id == deployment).values(secrets_mark=new_mark()))
