"""Takes secrets out of what a model says: whole values, in whatever pieces they come.

Text that may be the beginning of a secret is held back until it is known what it is; everything else passes at once.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from math import ceil
from urllib.parse import quote, quote_plus

from cogyard.domain.values import Json

MARK = "[secret]"

SHORTEST = 4
"""Characters. Shorter values are not taken out: they stand in too much that is none of theirs."""

SHORTEST_LINE = 8
"""Characters of a line of a longer value that is taken out by itself."""

_LONGEST = 1024
"""Characters of what is looked for at once; a longer value is taken out piece by piece."""

_IS_PLAIN = re.compile(r"[A-Za-z0-9_.~-]+")
"""What JSON, Python and URLs write as it is."""

_PERCENT = re.compile(r"%[0-9A-F]{2}")


class Scrubber:
    """Replaces some values, and what JSON, Python and URLs make of them.

    Its cost hardly depends on how many there are: a text is looked at where one of their first characters stands, and
    what may stand there is found in a sorted list.
    """

    def __init__(self, values: Iterable[str], base: "Scrubber | None" = None) -> None:
        """With a `base`, its values are replaced too."""
        forms = {form for value in values for part in _parts(value) for form in _forms(part)}
        found = {piece for form in forms for piece in _pieces(form)}
        known: list[str] = [] if base is None else base._patterns
        self._patterns: list[str] = sorted({*known, *found}) if found else known
        self._stems = {one[:SHORTEST] for one in self._patterns}
        #: of each pattern the longest other one that it begins with, by their places in the list
        self._within = _nested(self._patterns)
        self._longest = max(map(len, self._patterns), default=0)
        firsts = "".join(re.escape(one) for one in sorted({stem[0] for stem in self._stems}))
        self._first = re.compile(f"[{firsts}]") if firsts else None

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to look for."""
        return not self._patterns

    def text(self, text: str) -> str:
        """The text without them."""
        return "".join(_without(text, self.spans(text), [0, len(text)]))

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
        return self._scan(text, is_whole=True)[0]

    def split(self, text: str) -> tuple[str, str]:
        """What can be told of a text that goes on, scrubbed, and its rest, with which a secret may begin."""
        spans, rest = self.scan(text)
        return "".join(_without(text, spans, [0, rest])), text[rest:]

    def scan(self, text: str) -> tuple[list[tuple[int, int]], int]:
        """Where the secrets of a text that goes on begin and end, and where its rest begins."""
        return self._scan(text, is_whole=False)

    def _scan(self, text: str, *, is_whole: bool) -> tuple[list[tuple[int, int]], int]:
        spans: list[tuple[int, int]] = []
        size, end = len(text), 0
        for found in () if self._first is None else self._first.finditer(text):
            start = found.start()
            if start < end or (size - start >= SHORTEST and text[start : start + SHORTEST] not in self._stems):
                continue
            # a longer pattern that has begun goes before a shorter one that is whole: its lines, say
            if not is_whole and size - start < self._longest and self._begins(text[start:]):
                return spans, start
            if length := self._length_at(text, start):
                end = start + length
                spans.append((start, end))
        return spans, size

    def _begins(self, rest: str) -> bool:
        """Whether a pattern goes on after the text that it begins with."""
        place = bisect_right(self._patterns, rest)
        return place < len(self._patterns) and self._patterns[place].startswith(rest)

    def _length_at(self, text: str, start: int) -> int:
        """Characters of the longest pattern that stands there; 0 where none does."""
        ahead = text[start : start + self._longest]
        # all that stand there are the one before it in the list, or stand in a row at that one's beginning
        place = bisect_right(self._patterns, ahead) - 1
        if place < 0:
            return 0
        common = _common(self._patterns[place], ahead)
        while place >= 0 and len(self._patterns[place]) > common:
            place = self._within[place]
        return len(self._patterns[place]) if place >= 0 else 0


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


def _nested(patterns: Sequence[str]) -> list[int]:
    within: list[int] = []
    for place, pattern in enumerate(patterns):
        before = place - 1
        while before >= 0 and not pattern.startswith(patterns[before]):
            before = within[before]
        within.append(before)
    return within


def _common(one: str, other: str) -> int:
    """How many first characters two texts have in common."""
    if other.startswith(one):
        return len(one)
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def _parts(value: str) -> set[str]:
    """The value, with and without the blanks around it that programs take away, and its longer lines."""
    lines = value.splitlines()
    parts = {value, value.strip()}
    if len(lines) > 1:
        parts.update(part for line in lines for part in (line, line.strip()) if len(part) >= SHORTEST_LINE)
    return parts


def _forms(value: str) -> set[str]:
    """The value as it is, and inside of what programs write."""
    if len(value) < SHORTEST:
        return set()
    found = {value}
    if not _IS_PLAIN.fullmatch(value):
        escaped = json.dumps(value)[1:-1]
        urls = {quote(value, safe="/"), quote(value, safe=""), quote_plus(value)}
        found |= {escaped, json.dumps(value, ensure_ascii=False)[1:-1], json.dumps(escaped)[1:-1]}
        found |= {repr(value)[1:-1], repr(value.encode(errors="surrogatepass"))[2:-1]}
        found |= urls | {_PERCENT.sub(lambda code: code[0].lower(), url) for url in urls}
    return found


def _pieces(form: str) -> Iterator[str]:
    """A form, or pieces of about one length: with long ones, text that repeats itself would take very long."""
    size = ceil(len(form) / ceil(len(form) / _LONGEST))
    for start in range(0, len(form), size):
        yield form[start : start + size]
