"""Exact arithmetic of what things cost: whole billionths of a currency, microseconds, and millionths of a unit.

Prices are decimal numbers as they were written. A cost is rounded once, half up, when it is made of a price; sums of
costs are exact.
"""

import math
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal

from cogyard.domain.values import Json

NANO = 10**9
"""Billionths in one of a currency."""

MICRO = 10**6
"""Microseconds in a second, millionths in a unit."""

CENT = NANO // 100

MOST_UNITS = 10**9
"""More units than this of one prediction are nonsense: they count as none."""

MOST_COST = 10**6 * NANO
"""Most that one prediction can cost; it keeps sums far from the largest number that a database holds."""

_EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
_MICROSECOND = timedelta(microseconds=1)


def to_nano(amount: Decimal) -> int:
    """An amount of the currency in billionths, rounded half up."""
    return int(_EXACT.to_integral_value(_EXACT.multiply(amount, Decimal(NANO))))


def cost_of(price: Decimal | None, amount: int) -> int:
    """What `amount` costs, in billionths; it is in microseconds or millionths, the price for one second or unit."""
    if not price or amount <= 0:
        return 0
    exact = _EXACT.multiply(price, Decimal(amount * (NANO // MICRO)))
    return min(int(_EXACT.to_integral_value(exact)), MOST_COST)


def micros(start: datetime, end: datetime) -> int:
    """The microseconds from `start` to `end`; none when the clock was set back in between."""
    return max((end - start) // _MICROSECOND, 0)


def millionths(value: Json) -> int:
    """A metric's value in millionths of a unit; what is no number, negative or beyond `MOST_UNITS` counts as none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    if not math.isfinite(value) or not 0 < value <= MOST_UNITS:
        return 0
    if isinstance(value, int):
        return value * MICRO
    return int(_EXACT.to_integral_value(_EXACT.multiply(Decimal(repr(value)), Decimal(MICRO))))


def told(nano: int) -> str:
    """Billionths as a decimal number for people and programs: exact, with two decimals at least."""
    whole, rest = divmod(abs(nano), NANO)
    decimals = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano < 0 else ''}{whole}.{decimals}"


def seconds(microseconds: int) -> float | int:
    """Microseconds as seconds, exact to the microsecond for any time that can come."""
    whole, rest = divmod(microseconds, MICRO)
    return microseconds / MICRO if rest else whole
