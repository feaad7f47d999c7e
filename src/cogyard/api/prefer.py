"""The `Prefer: wait` header (`api-contract.md` §9.4)."""

import re
from dataclasses import dataclass

DEFAULT_WAIT = 60

LONGEST_WAIT = 58.0
"""Seconds after which even a wait of 60 is answered: clients give up at 60 and would create a second prediction."""

_WAIT = re.compile(r"wait(?:\s*=\s*\"?(\d{1,6})\"?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wait:
    """A caller's wish to wait `seconds`; `applied` is what the answer's `Preference-Applied` says."""

    seconds: float
    applied: str


def parse_prefer(header: str | None) -> Wait | None:
    """The wait that a `Prefer` header asks for; None without one, or when it is malformed or 0.

    More than 60 seconds count as 60.
    """
    for preference in (header or "").split(","):
        match = _WAIT.fullmatch(preference.strip())
        if match is None:
            continue
        seconds = min(int(match[1]), DEFAULT_WAIT) if match[1] else DEFAULT_WAIT
        if seconds < 1:
            return None
        return Wait(min(float(seconds), LONGEST_WAIT), f"wait={seconds}" if match[1] else "wait")
    return None
