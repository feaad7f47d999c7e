"""Full-text search of models on SQLite (FTS5); the index is kept in the transactions that change a model.

It holds what searches may find and nothing else: public models with a version.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

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

_MOST_COMBINED = 5
"""Ideas of a question whose combinations are looked for."""

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
    """Public models with a version that fit the question, the best first, with their scores.

    Who fits more of a question's words comes first, whatever often it says one of them.
    """
    ranks: list[dict[int, float]] = []
    known: set[int] = set()
    for wanted in match_expressions(question):
        values = {"wanted": wanted, "limit": limit + len(known)}
        new = {row.id: row.score for row in connection.execute(_FIND, values) if row.id not in known}
        ranks.append(new)
        known |= set(new)
        if len(known) >= limit:
            break
    scores = _lifted(ranks)[:limit]
    rows = connection.execute(select(models).where(models.c.id.in_([number for number, _ in scores]))).mappings()
    found = {row["id"]: to_model(row) for row in rows}
    return [(found[number], score) for number, score in scores if number in found]


def _lifted(ranks: Sequence[dict[int, float]]) -> list[tuple[int, float]]:
    """All in one order, each rank's scores above those of the ranks that follow it."""
    lifted: list[tuple[int, float]] = []
    floor = 0.0
    for rank in reversed(ranks):
        lifted = [(number, floor + score) for number, score in rank.items()] + lifted
        floor = max([floor, *(score for _, score in lifted)])
    return lifted


def match_expressions(question: str) -> list[str]:
    """The question in FTS5's language, from the strictest to the widest.

    All its words; all its ideas, a word or a neighbour of it; as many of them as may be; any word; any idea; at last in
    READMEs too. A word that is still being typed counts as a beginning.
    """
    groups = search_terms(question)
    if not groups:
        return []
    ideas = [_any(_quoted(term) for term in group) for group in groups]
    if len(groups[-1][0]) > 2:
        ideas[-1] = f"({ideas[-1]} OR {_quoted(groups[-1][0])}*)"
    counts = range(len(ideas), 1, -1) if len(ideas) <= _MOST_COMBINED else [len(ideas)]
    combined = [_any(_all(some) for some in combinations(ideas, count)) for count in counts]
    asked = [_quoted(group[0]) for group in groups]
    near = [_all(asked), *combined, _any(asked), _any(ideas)]
    told = [f"{_WITHOUT_README}({wanted})" for wanted in dict.fromkeys(near)]
    return [*told, *dict.fromkeys([_all(ideas), _any(ideas)])]


def _all(terms: Iterable[str]) -> str:
    return f"({' AND '.join(terms)})"


def _any(terms: Iterable[str]) -> str:
    return f"({' OR '.join(terms)})"


def _quoted(term: str) -> str:
    return '"' + term.replace('"', '""') + '"'
