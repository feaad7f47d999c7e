"""Takes secrets out of what a model says: whole values, in whatever pieces they come.

Text that may be the beginning of a secret is held back until it is known what it is; everything else passes at once.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from urllib.parse import quote

from cogyard.domain.values import Json

MARK = "[secret]"

SHORTEST = 4
"""Characters. Shorter values are not taken out: they stand in too much that is none of theirs."""

SHORTEST_LINE = 8
"""Characters of a line of a longer value that is taken out by itself."""

_STEM = 8
"""Characters by which the beginning of a longer pattern is looked for."""


class Scrubber:
    """Replaces some values, and what JSON, Python and URLs make of them."""

    def __init__(self, values: Iterable[str]) -> None:
        found = {form for value in values for part in _parts(value) for form in _forms(part)}
        #: the longest first: a regular expression takes the first alternative that fits
        self._patterns = sorted((one for one in found if len(one) >= SHORTEST), key=lambda one: (-len(one), one))
        self._search = re.compile("|".join(map(re.escape, self._patterns))) if self._patterns else None

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to look for."""
        return self._search is None

    def text(self, text: str) -> str:
        """The text without them."""
        return text if self._search is None else self._search.sub(MARK, text)

    def json(self, value: Json) -> Json:
        """The value without them, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.json(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self.json(item) for key, item in value.items()}
        return value

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where the secrets of a whole text begin and end."""
        return [] if self._search is None else [match.span() for match in self._search.finditer(text)]

    def split(self, text: str) -> tuple[str, str]:
        """What can be told of a text that goes on, scrubbed, and its rest, with which a secret may begin."""
        spans, rest = self.scan(text)
        return "".join(_without(text, spans, [0, rest])), text[rest:]

    def scan(self, text: str) -> tuple[list[tuple[int, int]], int]:
        """Where the secrets of a text that goes on begin and end, and where its rest begins."""
        spans: list[tuple[int, int]] = []
        start = 0
        while self._search is not None:
            match, rest = self._search.search(text, start), self._rest(text, start)
            # a longer pattern that has begun goes before a shorter one that is whole: its lines, say
            if match is None or rest <= match.start():
                return spans, rest
            spans.append(match.span())
            start = match.end()
        return spans, len(text)

    def _rest(self, text: str, start: int) -> int:
        """Where the longest end of the text begins that a pattern begins with, but is not."""
        found = len(text)
        for pattern in self._patterns:
            place = max(start, len(text) - len(pattern) + 1)
            stem = pattern[:_STEM]
            while (place := text.find(stem, place, len(text))) >= 0 and place < found:
                if pattern.startswith(text[place:]):
                    found = place
                place += 1
            for length in range(min(_STEM - 1, len(pattern) - 1, len(text) - start), 0, -1):
                if len(text) - length >= found:
                    break
                if text.endswith(pattern[:length]):
                    found = len(text) - length
                    break
        return found


class TextScrubber:
    """Scrubs a text that comes in pieces whose borders mean nothing, such as a log."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be told now."""
        told, self._held = self._scrubber.split(self._held + piece)
        return told

    def close(self) -> str:
        """What was held back."""
        told, self._held = self._scrubber.text(self._held), ""
        return told


class ItemScrubber:
    """Scrubs texts that are told one by one, such as the pieces of a stream, also where a secret lies over several.

    As many items come out as went in: the first one of a secret gets the mark, the others lose their part of it.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._held: list[str] = []

    def feed(self, item: str) -> list[str]:
        """The items that can be told now."""
        items = [*self._held, item]
        borders = [0, *accumulate(map(len, items))]
        text = "".join(items)
        spans, rest = self._scrubber.scan(text)
        items = _without(text, spans, borders)
        if rest == len(text):
            self._held = []
            return items
        done = bisect_right(borders, rest) - 1  # the item in which the rest begins, and those after it, wait
        self._held = items[done:]
        return items[:done]

    def close(self) -> list[str]:
        """What was held back: it was not a secret, but may hold a shorter one."""
        text, borders = "".join(self._held), [0, *accumulate(map(len, self._held))]
        self._held = []
        return _without(text, self._scrubber.spans(text), borders)


def _without(text: str, spans: Sequence[tuple[int, int]], borders: Sequence[int]) -> list[str]:
    """The pieces of the text between the borders; a span becomes the mark in the piece in which it begins."""
    pieces: list[str] = []
    for start, end in pairwise(borders):
        piece, place = [], start
        for first, last in spans:
            if last > start and first < end:
                piece += [text[place : max(first, place)], MARK if first >= start else ""]
                place = min(last, end)
        pieces.append("".join([*piece, text[place:end]]))
    return pieces


def _parts(value: str) -> list[str]:
    lines = value.splitlines()
    return [value] if len(lines) < 2 else [value, *(line for line in lines if len(line) >= SHORTEST_LINE)]


def _forms(value: str) -> list[str]:
    """The value as it is, and inside of what programs write."""
    if len(value) < SHORTEST:
        return []
    return [
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        quote(value),
    ]
