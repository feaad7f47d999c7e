"""Rate limits of one server: a token bucket for each account and kind of request (`api-contract.md` §1.6)."""

from collections import OrderedDict
from collections.abc import Callable

from cogyard.ports import Allowance, Rate

MOST_BUCKETS = 100_000
"""Buckets that are kept; a forgotten one is a full one."""


class LocalLimiter:
    """Implements `ports.Limiter` in memory; `seconds` is a clock that never goes back."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        #: tokens that were left, and when
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, who: str, rate: Rate) -> Allowance:
        """See `ports.Limiter`."""
        now = self._seconds()
        left, then = self._buckets.pop((who, rate.name), (float(rate.per_minute), now))
        left = min(left + (now - then) * rate.per_minute / 60.0, float(rate.per_minute))
        is_allowed = left >= 1.0
        if is_allowed:
            left -= 1.0
        self._buckets[who, rate.name] = (left, now)
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        wait = 0.0 if is_allowed else (1.0 - left) * 60.0 / rate.per_minute
        return Allowance(is_allowed=is_allowed, remaining=int(left), wait=wait)
