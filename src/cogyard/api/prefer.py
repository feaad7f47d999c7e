"""How long a caller waits: `Prefer: wait` (`api-contract.md` §9.4) and `Cancel-After` (§9.5)."""

import re
from dataclasses import dataclass
from datetime import timedelta

from cogyard.domain.errors import InvalidField, InvalidFields

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


SHORTEST_LIFETIME = timedelta(seconds=5)
LONGEST_LIFETIME = timedelta(hours=24)

_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s?)?")


def parse_duration(field: str, text: str | None) -> timedelta | None:
    """`90`, `90s`, `5m`, `1h30m45s` → that long; None without a value.

    Raises `InvalidFields` for `field` when it is no duration, or not within 5 seconds and 24 hours.
    """
    if text is None:
        return None
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        wanted = "must be a duration such as 90, 90s, 5m or 1h30m"
        raise InvalidFields([InvalidField("format", field, f"{field} {wanted}")])
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    duration = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if duration < SHORTEST_LIFETIME:
        raise InvalidFields([InvalidField("number_gte", field, f"{field} must be at least 5 seconds")])
    if duration > LONGEST_LIFETIME:
        raise InvalidFields([InvalidField("number_lte", field, f"{field} must be at most 24 hours")])
    return duration
