"""Rate limits of one server: token buckets for each who and kind of request (`api-contract.md` §1.6)."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from cogyard.ports import Allowance, Rate

MOST_BUCKETS = 100_000
"""Buckets that are kept; a forgotten one is a full one."""


class LocalLimiter:
    """Implements `ports.Limiter` in memory; `seconds` is a clock that never goes back."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        #: tokens that were left, and when
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, claims: Sequence[tuple[str, Rate]]) -> Allowance:
        """See `ports.Limiter`."""
        now = self._seconds()
        levels = [self._level(who, rate, now) for who, rate in claims]
        is_allowed = all(level >= 1.0 for level in levels)
        allowances = []
        for (who, rate), level in zip(claims, levels, strict=True):
            left = level - 1.0 if is_allowed else level
            self._buckets[who, rate.name] = (left, now)
            wait = 0.0 if level >= 1.0 else (1.0 - level) * 60.0 / rate.per_minute
            allowances.append(Allowance(is_allowed=is_allowed, remaining=int(left), wait=wait))
        while len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return max(allowances, key=lambda one: (one.wait, -one.remaining))

    def _level(self, who: str, rate: Rate, now: float) -> float:
        """What is in a bucket now; it is taken out, to be put back as the one that was used last."""
        left, then = self._buckets.pop((who, rate.name), (float(rate.per_minute), now))
        return min(left + (now - then) * rate.per_minute / 60.0, float(rate.per_minute))
