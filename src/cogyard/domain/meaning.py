"""Finding by meaning: how near two texts' vectors are, and how that joins what their words say."""

import math
from array import array
from collections.abc import Hashable, Sequence
from operator import mul
from typing import TypeVar

Vector = Sequence[float]
Key = TypeVar("Key", bound=Hashable)

NEAR = 0.2
"""Cosine below which two texts have nothing to do with each other (all-MiniLM-L6-v2: 0.25 to 0.6 where they have)."""

_RANK_OFFSET = 60
"""Of reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009): how much the first places count above the next."""


def signature(vector: Vector) -> bytes:
    """One bit for each number, its sign: vectors that are near differ in few of them, and bits are quick to compare."""
    bits = sum(1 << place for place, value in enumerate(vector) if value > 0)
    return bits.to_bytes(-(-len(vector) // 8), "little")


def pack(vector: Vector) -> bytes:
    """The vector as numbers of 32 bits."""
    return array("f", vector).tobytes()


def unpack(packed: bytes) -> Vector:
    """What `pack` was given, rounded to 32 bits."""
    return array("f", packed)


def nearest_signatures(wanted: bytes, found: Sequence[tuple[Key, bytes]], limit: int) -> list[Key]:
    """The keys whose signatures differ least from the wanted one; those of another length are passed over."""
    bits = int.from_bytes(wanted, "little")
    ranked = sorted(
        ((int.from_bytes(one, "little") ^ bits).bit_count(), place)
        for place, (_, one) in enumerate(found)
        if len(one) == len(wanted)
    )
    return [found[place][0] for _, place in ranked[:limit]]


def cosine(one: Vector, other: Vector) -> float:
    """Of two vectors of one length: 1 for the same direction, 0 for nothing in common; 0 where one is all zeros."""
    norms = math.sqrt(sum(map(mul, one, one)) * sum(map(mul, other, other)))
    return sum(map(mul, one, other)) / norms if norms else 0.0


def fuse(rankings: Sequence[Sequence[Key]], limit: int) -> list[tuple[Key, float]]:
    """One ranking of several, with scores: 1 for the first of one of them, their number for the first of all."""
    scores: dict[Key, float] = {}
    for ranking in rankings:
        for place, key in enumerate(ranking):
            scores[key] = scores.get(key, 0.0) + (_RANK_OFFSET + 1) / (_RANK_OFFSET + 1 + place)
    return sorted(scores.items(), key=lambda entry: -entry[1])[:limit]
