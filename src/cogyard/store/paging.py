"""Pages by key, never by offset: the rows beside a cursor are found at any depth in the same time."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, literal, tuple_

from cogyard.ports import PageKey, PageRequest


def cut(
    connection: Connection,
    statement: Select[Any],
    keys: Sequence[ColumnElement[int]],
    request: PageRequest,
) -> tuple[list[Any], tuple[PageKey | None, PageKey | None]]:
    """The rows of one page of `statement`, and the keys of the next and previous page.

    Rows stand in the descending order of `keys` (together unique), or ascending where the request says so.
    """
    goes_up = request.ascending != request.reverse
    if request.cursor is not None:
        here, there = tuple_(*keys), tuple_(*(literal(value) for value in _padded(request.cursor, len(keys))))
        statement = statement.where(here > there if goes_up else here < there)
    ordered = statement.order_by(*(key.asc() if goes_up else key.desc() for key in keys)).limit(request.limit + 1)
    labelled = ordered.add_columns(*(key.label(f"page_key_{number}") for number, key in enumerate(keys)))
    rows = list(connection.execute(labelled).mappings())
    more = len(rows) > request.limit
    rows = rows[: request.limit]
    if request.reverse:
        rows.reverse()
    came_from = request.cursor is not None
    has_next, has_previous = (came_from, more) if request.reverse else (more, came_from)
    first, last = (_key(rows[0], len(keys)), _key(rows[-1], len(keys))) if rows else (None, None)
    return [_without_key(row) for row in rows], (last if has_next else None, first if has_previous else None)


def _padded(cursor: PageKey, size: int) -> PageKey:
    """A cursor of another list is no error, it is merely a place."""
    return (*cursor, *([0] * size))[:size]


def _key(row: RowMapping, size: int) -> PageKey:
    return tuple(row[f"page_key_{number}"] for number in range(size))


def _without_key(row: RowMapping) -> Any:  # noqa: ANN401 - a mapping, as the row conversions want it
    return {name: row[name] for name in row if not name.startswith("page_key_")}
