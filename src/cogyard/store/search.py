"""Full-text search of models on SQLite (FTS5); the index is kept in the transactions that change a model.

It holds what searches may find and nothing else: public models with a version.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, select, text

from cogyard.domain.catalog import Model, Visibility
from cogyard.domain.discovery import schema_words, search_terms, words
from cogyard.domain.values import ModelId
from cogyard.store import vectors
from cogyard.store.rows import to_model
from cogyard.store.tables import models, versions

NAME = "model_search"

CREATE_INDEX = (
    f"CREATE VIRTUAL TABLE {NAME} USING fts5"
    "(name, description, tags, fields, readme, tokenize = 'porter unicode61 remove_diacritics 2')"
)

_WEIGHTS = "10.0, 6.0, 6.0, 2.0, 1.0"
"""How much a hit counts in the columns, in their order."""

_README_CHARACTERS = 1500
"""What is indexed of a README: its beginning says what the model is, its end holds licences."""

_WITHOUT_README = "{name description tags fields} : "
"""Asked first: most questions are answered by it, in a third of the time."""

_FIND = text(
    f"SELECT rowid AS id, -bm25({NAME}, {_WEIGHTS}) AS score FROM {NAME} "
    f"WHERE {NAME} MATCH :wanted ORDER BY score DESC, id LIMIT :limit"
)
_CLEAR = text(f"DELETE FROM {NAME}")
_DELETE = text(f"DELETE FROM {NAME} WHERE rowid = :id")
_INSERT = text(
    f"INSERT INTO {NAME} (rowid, name, description, tags, fields, readme) "
    "VALUES (:id, :name, :description, :tags, :fields, :readme)"
)


def index_model(connection: Connection, model: ModelId) -> None:
    """Bring the index up to date with the model's row, which may be gone; its vector is made anew in time."""
    vectors.forget(connection, model)
    _index_words(connection, model)


def _index_words(connection: Connection, model: ModelId) -> None:
    connection.execute(_DELETE, {"id": model})
    wanted = (
        select(models, versions.c.openapi_schema)
        .outerjoin(versions, versions.c.id == models.c.latest_version)
        .where(models.c.id == model)
    )
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None or row["visibility"] != Visibility.public.value or row["latest_version"] is None:
        return
    connection.execute(
        _INSERT,
        {
            "id": model,
            "name": " ".join(words(f"{row['owner']} {row['name']}")),
            "description": row["description"] or "",
            "tags": " ".join(row["tags"] or ()),
            "fields": schema_words(row["openapi_schema"] or {}),
            "readme": (row["readme"] or "")[:_README_CHARACTERS],
        },
    )


def fill_index(connection: Connection) -> None:
    """Index every model anew."""
    connection.execute(_CLEAR)
    for model in list(connection.execute(select(models.c.id)).scalars()):
        _index_words(connection, model)


def search_models(connection: Connection, question: str, limit: int) -> Sequence[tuple[Model, float]]:
    """Public models with a version that fit the question, the best first, with their scores."""
    wanted = match_expression(question)
    if not wanted:
        return []
    scores: dict[int, float] = {}
    for columns in (_WITHOUT_README, ""):
        values = {"wanted": f"{columns}({wanted})", "limit": limit}
        scores = {row.id: row.score for row in connection.execute(_FIND, values)}
        if len(scores) == limit:
            break
    rows = connection.execute(select(models).where(models.c.id.in_(scores))).mappings()
    found = {row["id"]: to_model(row) for row in rows}
    return [(found[number], score) for number, score in scores.items() if number in found]


def match_expression(question: str) -> str:
    """The question in FTS5's language: any of its terms; a word that is still being typed counts as a beginning."""
    groups = search_terms(question)
    terms = [_quoted(term) for term in dict.fromkeys(term for group in groups for term in group)]
    if groups and len(groups[-1][0]) > 2:
        terms.append(f"{_quoted(groups[-1][0])}*")
    return " OR ".join(terms)


def _quoted(term: str) -> str:
    return '"' + term.replace('"', '""') + '"'
