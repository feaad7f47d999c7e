"""Statements of the models' vectors. Each function runs in the transaction that it is given."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, insert, select

from cogyard.domain.catalog import Model, Visibility
from cogyard.domain.discovery import model_text
from cogyard.domain.meaning import NEAR, Vector, cosine, nearest_signatures, pack, signature, unpack
from cogyard.domain.values import ModelId, VersionId
from cogyard.store.rows import to_model
from cogyard.store.tables import model_vectors, models

_C = model_vectors.c
_IS_FOUND = (models.c.visibility == Visibility.public.value) & models.c.latest_version.is_not(None)

CANDIDATES = 4
"""Vectors that are looked at for each one that is wanted: what signatures say is nearly right."""


def forget(connection: Connection, model: ModelId) -> None:
    """The model's text has changed."""
    connection.execute(delete(model_vectors).where(_C.model == model))


def missing(connection: Connection, embedder: VersionId, limit: int) -> Sequence[tuple[ModelId, str]]:
    """Models that searches find and that have no vector of this embedding model, with their texts."""
    mine = and_(_C.model == models.c.id, _C.embedder == embedder)
    wanted = select(models.c.id).outerjoin(model_vectors, mine).where(_IS_FOUND, _C.model.is_(None)).limit(limit)
    texts = [(ModelId(model), _text(connection, ModelId(model))) for model in connection.execute(wanted).scalars()]
    return [(model, text) for model, text in texts if text is not None]


def save(connection: Connection, embedder: VersionId, made: Sequence[tuple[ModelId, str, Vector]]) -> None:
    """Store vectors of models whose text is still the one that they were made of."""
    for model, text, vector in made:
        forget(connection, model)
        if _text(connection, model) == text:
            row = {"model": model, "embedder": embedder, "signature": signature(vector), "vector": pack(vector)}
            connection.execute(insert(model_vectors), row)


def nearest(connection: Connection, embedder: VersionId, vector: Vector, limit: int) -> Sequence[Model]:
    """The public models whose vectors are near, the nearest first."""
    public = select(_C.model, _C.signature).join(models, models.c.id == _C.model)
    rows = connection.execute(public.where(_C.embedder == embedder, _IS_FOUND)).all()
    signatures = [(row.model, row.signature) for row in rows]
    candidates = nearest_signatures(signature(vector), signatures, CANDIDATES * limit)
    found = connection.execute(select(_C.model, _C.vector).where(_C.model.in_(candidates)))
    ranked = sorted(((cosine(vector, unpack(row.vector)), row.model) for row in found), reverse=True)
    wanted = [model for closeness, model in ranked[:limit] if closeness >= NEAR]
    known = {
        row["id"]: to_model(row) for row in connection.execute(select(models).where(models.c.id.in_(wanted))).mappings()
    }
    return [known[model] for model in wanted]


def _text(connection: Connection, model: ModelId) -> str | None:
    row = connection.execute(select(models).where(models.c.id == model)).mappings().one_or_none()
    return None if row is None else model_text(to_model(row))
