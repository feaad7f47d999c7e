"""Pages of lists, by key."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)

PageKey = tuple[int, ...]
"""Where a row stands in its list: the values that the list is sorted by."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """Rows in order, with the sort keys before and after them (None at the ends)."""

    items: Sequence[T_co]
    next: PageKey | None = None
    previous: PageKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """Which rows: those after `cursor` in the list's order, or before it when `reverse`; at most `limit`.

    Lists show the newest first, with `ascending` the oldest.
    """

    limit: int
    cursor: PageKey | None = None
    reverse: bool = False
    ascending: bool = False
