"""What `openapi` says of one route."""

from collections.abc import Mapping
from dataclasses import dataclass

Answers = Mapping[int, tuple[str, str]]
"""Status → words, and the shape of the body as `openapi` reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path. `parameters` are keys of `openapi_parameters`, those of the path aside."""

    method: str
    path: str
    name: str
    summary: str
    answers: Answers
    parameters: tuple[str, ...] = ()
    body: str | None = None
    is_open: bool = False
    is_extension: bool = False


def page(of: str) -> Answers:
    """A page of a list."""
    return {200: ("A page.", f"page of {of}")}
