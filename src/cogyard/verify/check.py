"""What a check is: one fact of the reference, and how to see whether a server holds it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from cogyard.domain.values import JsonObject
from cogyard.verify.lab import Lab

Assertion = Callable[[Lab], Awaitable[None]]
"""Returns when the fact holds. Raises `Broken` when it does not, `NotTried` when that cannot be seen here."""


@dataclass(frozen=True, slots=True)
class Check:
    """One fact."""

    #: dotted and stable: people and programs select by it
    name: str
    #: of the reference
    section: str
    #: a sentence that states the fact
    fact: str
    assertion: Assertion


@dataclass(frozen=True, slots=True)
class Finding:
    """How one check ended."""

    check: Check
    result: Literal["passed", "failed", "skipped"]
    #: what was expected and what came, or why it was not tried; empty when it passed
    detail: str = ""

    def as_json(self) -> JsonObject:
        """For the machine-readable result."""
        return {
            "name": self.check.name,
            "section": self.check.section,
            "fact": self.check.fact,
            "result": self.result,
            "detail": self.detail,
        }
