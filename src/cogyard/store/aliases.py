"""Statements of aliases: ids that versions have elsewhere."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from cogyard.domain.catalog import Alias, Model
from cogyard.domain.values import ModelId, VersionId
from cogyard.store.rows import to_model
from cogyard.store.tables import aliases, models

_C = aliases.c


def put(connection: Connection, model: ModelId, alias: Alias) -> None:
    """Let an id stand for a version of the model from now on, whatever it stood for before."""
    values = {"version": alias.version, "created_at": alias.created_at}
    mine = (_C.model == model) & (_C.id == alias.id)
    if connection.execute(update(aliases).where(mine).values(values)).rowcount == 0:
        connection.execute(insert(aliases), {"model": model, "id": alias.id, **values})


def remove(connection: Connection, model: ModelId, alias: VersionId) -> bool:
    """Forget one; False when the model has no such alias."""
    gone = connection.execute(delete(aliases).where(_C.model == model, _C.id == alias).returning(_C.number))
    return gone.first() is not None


def of_model(connection: Connection, model: ModelId) -> Sequence[Alias]:
    """The newest first."""
    wanted = select(_C.id, _C.version, _C.created_at).where(_C.model == model).order_by(_C.number.desc())
    return [Alias(**row) for row in connection.execute(wanted).mappings()]


def version_of(connection: Connection, model: ModelId, alias: VersionId) -> VersionId | None:
    """The version of the model that an id stands for."""
    found = connection.execute(select(_C.version).where(_C.model == model, _C.id == alias)).scalar_one_or_none()
    return None if found is None else VersionId(found)


def models_of(connection: Connection, alias: VersionId) -> Sequence[Model]:
    """The models that have an alias, the first to have it first."""
    wanted = select(models).join(aliases, _C.model == models.c.id).where(_C.id == alias).order_by(_C.number)
    return [to_model(row) for row in connection.execute(wanted).mappings()]


def is_aliased(connection: Connection, model: ModelId, version: VersionId) -> bool:
    """Whether an id stands for this version of the model."""
    return connection.execute(select(_C.number).where(_C.model == model, _C.version == version)).first() is not None


def forget_version(connection: Connection, model: ModelId, version: VersionId) -> None:
    """Forget what stands for a version that leaves the model."""
    connection.execute(delete(aliases).where(_C.model == model, _C.version == version))
