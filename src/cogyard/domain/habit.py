"""How a queue is used, learned from its own arrivals: when it will be asked again, and what a boot would cost then.

The histogram of gaps follows "Serverless in the Wild" (Shahrad et al., USENIX ATC 2020): where it is concentrated, its
head says when the next arrival is due and its tail how long it is worth to wait for it; where it is not, the fixed
timeout holds. The bins grow geometrically here, since models are called every second or every few hours.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from math import log, sqrt

HALF_LIFE = timedelta(minutes=10)
"""After so long without arrivals the rate is taken for half of what it was."""

EDGES = tuple(2.0 ** (step / 4) for step in range(56))
"""Seconds between the bins: from one second to four hours, each a fifth longer than the one before."""

FEWEST_GAPS = 8
"""Gaps that must have been seen before they say anything."""

CONCENTRATED = 2.0
"""Coefficient of variation of the bins from which on the histogram stands for something (section 4.2 there)."""

HEAD, TAIL, MARGIN = 0.05, 0.99, 0.1
"""The parts of the gaps that are shorter, and by how much what they say is stretched (10 % there)."""

ONE_ARRIVAL = log(2) / HALF_LIFE.total_seconds()
"""Arrivals a second, as the rate tells it right after the first one."""

BOOT_GUESS = 2.0
"""Seconds that a boot is thought to take before one was seen."""

_WEIGHT = 0.3
"""Of the newest figure in a running mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What is known of a queue now: arrivals a second, seconds of a boot and of a run (None: none was seen).

    `head` and `tail` are the seconds after an arrival between which the next one is expected; None where its arrivals
    say nothing. `last` is the time of the latest arrival; `longest_gap` the seconds of the longest that was below four
    hours, rounded down to the edge of its bin; 0 until some have been seen.
    """

    rate: float = 0.0
    boot: float = BOOT_GUESS
    service: float | None = None
    head: float | None = None
    tail: float | None = None
    last: datetime | None = None
    longest_gap: float = 0.0

    @property
    def worth(self) -> float:
        """Seconds of waiting that a warm instance saves in a second."""
        return self.rate * self.boot

    def keep_for(self, idle_timeout: timedelta, longest: timedelta) -> timedelta:
        """How long an idle instance is kept: longer than `idle_timeout` where arrivals say that it will be of use.

        Where they came again after more than that, without saying when, it is as long as may be (section 4.2 there):
        who needs the room gets it anyway.
        """
        if self.tail is None:
            return max(idle_timeout, longest) if self.longest_gap > idle_timeout.total_seconds() else idle_timeout
        return max(idle_timeout, min(timedelta(seconds=self.tail * (1 + MARGIN)), longest))

    def is_expected(self, now: datetime) -> bool:
        """Whether an instance should be ready about now, since an arrival is due once it has booted."""
        if self.last is None or self.head is None or self.tail is None:
            return False
        gone = (now - self.last).total_seconds()
        return self.head * (1 - MARGIN) - self.boot <= gone <= self.tail * (1 + MARGIN)


@dataclass(slots=True)
class Learner:
    """What has been seen of one queue."""

    boot: float | None = None
    service: float | None = None
    last: datetime | None = None
    _count: float = 0.0
    _bins: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))
    #: what the bins say; None: they changed since. It is asked for at each look, for hundreds of queues
    _said: tuple[float | None, float | None, float] | None = None

    def note_arrival(self, at: datetime) -> None:
        """A prediction came; those of one queue come in their order."""
        if self.last is not None:
            self._count *= _decay(at - self.last)
            self._bins[bisect_right(EDGES, (at - self.last).total_seconds())] += 1
            self._said = None
        self._count += 1
        self.last = at if self.last is None else max(at, self.last)

    def note_boot(self, seconds: float) -> None:
        """An instance was ready so long after it was started."""
        self.boot = seconds if self.boot is None else self.boot + _WEIGHT * (seconds - self.boot)

    def note_runs(self, runs: int, seconds: float) -> None:
        """So many predictions took so long, all together."""
        each = seconds / runs
        self.service = each if self.service is None else self.service + _WEIGHT * (each - self.service)

    def habit(self, now: datetime) -> Habit:
        """What that says now."""
        since = timedelta(0) if self.last is None else max(now - self.last, timedelta(0))
        if self._said is None:
            self._said = *self._window(), self._longest_gap()
        head, tail, longest_gap = self._said
        return Habit(
            rate=self._count * _decay(since) * ONE_ARRIVAL,
            boot=BOOT_GUESS if self.boot is None else self.boot,
            service=self.service,
            head=head,
            tail=tail,
            last=self.last,
            longest_gap=longest_gap,
        )

    def _window(self) -> tuple[float | None, float | None]:
        gaps, beyond = sum(self._bins), self._bins[-1]
        if gaps < FEWEST_GAPS or beyond > gaps / 2:
            return None, None
        mean = gaps / len(self._bins)
        spread = sqrt(sum((one - mean) ** 2 for one in self._bins) / len(self._bins))
        if spread / mean < CONCENTRATED:
            return None, None
        up_to = list(accumulate(self._bins))
        first = next(number for number, count in enumerate(up_to) if count >= gaps * HEAD)
        last = next(number for number, count in enumerate(up_to) if count >= gaps * TAIL)
        return EDGES[first - 1] if first else 0.0, EDGES[min(last, len(EDGES) - 1)]

    def _longest_gap(self) -> float:
        if sum(self._bins) < FEWEST_GAPS:
            return 0.0
        seen = [number for number, count in enumerate(self._bins[:-1]) if count]
        return EDGES[seen[-1] - 1] if seen and seen[-1] else 0.0


def _decay(passed: timedelta) -> float:
    """What is left of a count after so long."""
    return float(2.0 ** -(max(passed, timedelta(0)) / HALF_LIFE))
