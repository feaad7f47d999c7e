"""How a check ends other than well: the fact does not hold, or it cannot be tried here."""

import json

from cogyard.domain.values import Json

LONGEST_SHOWN = 300
"""Characters of a value that a sentence quotes."""


class Broken(Exception):
    """The server does something else; the sentence says what was expected and what came."""


class NotTried(Exception):
    """The fact cannot be tried on this server; the sentence says why, and what to pass."""


def require(condition: object, sentence: str) -> None:
    """Raise `Broken` with the sentence unless the condition is true."""
    if not condition:
        raise Broken(sentence)


def show(value: Json) -> str:
    """A value as JSON, short enough for a sentence."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
