"""Predictions that run together: how a model declares it, which ones fit, and how what it gives is split again."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from cogyard.domain.errors import InvalidRequest
from cogyard.domain.values import Json, JsonObject

MOST = 1000
"""Predictions that can run together at most."""

MOST_ITEMS = 1_000_000
"""Items that can run together at most, where a model says how many."""

_COUNT = re.compile(r"[0-9]{1,9}")

BATCH_SIZE = "batch_size"
"""The metric that tells with how many a prediction ran, itself included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A model's word that it gives one item for each item of a list, whoever sent them."""

    #: the input that is a list
    input: str
    #: predictions together
    max: int
    #: items together; None for any number
    max_items: int | None = None


def parse_batch(text: str) -> Batch:
    """`INPUT:MAX` or `INPUT:MAX:ITEMS`, as a push says it. Raises `InvalidRequest`."""
    name, *numbers = text.split(":")
    known = [int(number) for number in numbers if _COUNT.fullmatch(number)]
    if not name or len(known) != len(numbers) or len(known) not in (1, 2) or not is_possible(*known):
        raise InvalidRequest(
            f"{text!r} declares no batch: write INPUT:MAX or INPUT:MAX:ITEMS, for example texts:16, with the name of "
            f"the input that is a list and 2 to {MOST} predictions."
        )
    return Batch(input=name, max=known[0], max_items=known[1] if len(known) == 2 else None)


def is_possible(most: int, most_items: int | None = None) -> bool:
    """Whether a batch can have these limits."""
    return 2 <= most <= MOST and (most_items is None or 2 <= most_items <= MOST_ITEMS)


def key_of(batch: Batch, model_input: JsonObject) -> str | None:
    """What an input has in common with those that it can run together with; None when it runs alone."""
    count = count_of(batch, model_input)
    if count == 0 or (batch.max_items is not None and count >= batch.max_items):
        return None
    others = {name: value for name, value in model_input.items() if name != batch.input}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()


def items_of(batch: Batch, model_input: JsonObject) -> list[Json]:
    """The items that an input brings into a batch."""
    found = model_input.get(batch.input)
    return found if isinstance(found, list) else []


def count_of(batch: Batch, model_input: JsonObject) -> int:
    """How many they are."""
    return len(items_of(batch, model_input))


def parts(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Where each one's items begin and end, for so many of each in turn."""
    ends = list(accumulate(counts))
    return list(zip([0, *ends[:-1]], ends, strict=True))
