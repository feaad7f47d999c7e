"""Statements of collections."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, update

from cogyard.domain.catalog import OFFICIAL, Collection, Model, Visibility
from cogyard.domain.errors import Conflict
from cogyard.domain.values import ModelId
from cogyard.store.rows import to_model
from cogyard.store.tables import collection_models, collections, models

_C = collections.c
_SHOWN = (_C.slug, _C.name, _C.description, _C.full_description)


def every(connection: Connection) -> Sequence[Collection]:
    """All of them, `official` first, then by name."""
    rows = connection.execute(select(*_SHOWN).order_by(_C.slug != OFFICIAL.slug, _C.name, _C.slug)).mappings()
    found = [Collection(**row) for row in rows]
    return found if found and found[0].slug == OFFICIAL.slug else [OFFICIAL, *found]


def get(connection: Connection, slug: str) -> Collection | None:
    """By slug; the one of the official models is always there."""
    row = connection.execute(select(*_SHOWN).where(_C.slug == slug)).mappings().one_or_none()
    return Collection(**row) if row is not None else OFFICIAL if slug == OFFICIAL.slug else None


def models_of(connection: Connection, slug: str) -> Sequence[Model]:
    """Its public models with a version, in its order; the official ones by their use."""
    seen = (models.c.visibility == Visibility.public.value) & models.c.latest_version.is_not(None)
    if slug == OFFICIAL.slug:
        wanted = select(models).where(models.c.is_official, seen).order_by(models.c.run_count.desc(), models.c.id)
    else:
        wanted = (
            select(models)
            .join(collection_models, collection_models.c.model == models.c.id)
            .join(collections, _C.number == collection_models.c.collection)
            .where(_C.slug == slug, seen)
            .order_by(collection_models.c.number)
        )
    return [to_model(row) for row in connection.execute(wanted).mappings()]


def create(connection: Connection, collection: Collection) -> None:
    """Store a new one. Raises `Conflict` when its slug is taken."""
    if collection.slug == OFFICIAL.slug or get(connection, collection.slug) is not None:
        raise Conflict("A collection with that slug already exists.", "slug")
    connection.execute(insert(collections), _values(collection))


def save(connection: Connection, collection: Collection) -> None:
    """Store changed words."""
    changed = update(collections).where(_C.slug == collection.slug).values(**_values(collection))
    if connection.execute(changed).rowcount == 0:
        connection.execute(insert(collections), _values(collection))


def remove(connection: Connection, slug: str) -> None:
    """Delete it; its models stay."""
    number = select(_C.number).where(_C.slug == slug).scalar_subquery()
    connection.execute(delete(collection_models).where(collection_models.c.collection == number))
    connection.execute(delete(collections).where(_C.slug == slug))


def put_model(connection: Connection, slug: str, model: ModelId) -> None:
    """Add a model at the end; one that is in it stays where it is."""
    number = connection.execute(select(_C.number).where(_C.slug == slug)).scalar_one()
    mine = (collection_models.c.collection == number) & (collection_models.c.model == model)
    if connection.execute(select(collection_models.c.number).where(mine)).first() is None:
        connection.execute(insert(collection_models), {"collection": number, "model": model})


def take_model(connection: Connection, slug: str, model: ModelId) -> bool:
    """Take a model out; False when it was not in it."""
    number = select(_C.number).where(_C.slug == slug).scalar_subquery()
    mine = (collection_models.c.collection == number) & (collection_models.c.model == model)
    return connection.execute(delete(collection_models).where(mine)).rowcount == 1


def _values(collection: Collection) -> dict[str, str | None]:
    return {
        "slug": collection.slug,
        "name": collection.name,
        "description": collection.description,
        "full_description": collection.full_description,
    }
