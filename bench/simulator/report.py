"""Outcomes as rows, medians of several seeds, tables and JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from statistics import median

from bench.simulator.world import Outcome

HEAD = (
    "| policy | of | requests | wait p50 s | p99 s | max s | cold | failed | boots | boot s | evictions | busy |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One group of a trace under one policy; what is of the whole machine is the same in all its groups.

    Waits and `boot_seconds` in seconds; `cold` and `busy` are parts of 1: of the requests, of the machine's room.
    """

    trace: str
    policy: str
    group: str
    requests: float
    p50: float
    p99: float
    max: float
    cold: float
    failed: float
    unserved: float
    boots: float
    boot_seconds: float
    evictions: float
    busy: float


def rows(trace: str, policy: str, outcome: Outcome) -> list[Row]:
    """A row for each group of models."""
    return [
        Row(
            trace=trace,
            policy=policy,
            group=group,
            requests=len(waits.seconds) + waits.failed,
            p50=waits.at(0.5),
            p99=waits.at(0.99),
            max=max(waits.seconds, default=0.0),
            cold=waits.cold / max(len(waits.seconds), 1),
            failed=waits.failed,
            unserved=waits.unserved,
            boots=outcome.boots,
            boot_seconds=outcome.boot_seconds,
            evictions=outcome.evictions,
            busy=outcome.busy / outcome.capacity,
        )
        for group, waits in outcome.groups.items()
    ]


def medians(several: Sequence[Row]) -> Row:
    """The median of each figure over rows that differ in their seed alone."""
    first = asdict(several[0])
    figures = [one.name for one in fields(Row) if not isinstance(first[one.name], str)]
    return Row(**{**first, **{name: median(getattr(row, name) for row in several) for name in figures}})


def table(given: Sequence[Row]) -> str:
    """The rows of one trace as a table."""
    return "\n".join([HEAD, *map(_line, given)])


def _line(row: Row) -> str:
    cells = [
        row.policy,
        row.group,
        f"{row.requests:,.0f}",
        *(_seconds(wait) if row.requests > row.failed else "–" for wait in (row.p50, row.p99, row.max)),
        f"{row.cold:.1%}",
        f"{row.failed:,.0f}" + (f" + {row.unserved:,.0f} left" if row.unserved else ""),
        f"{row.boots:,.0f}",
        f"{row.boot_seconds:,.0f}",
        f"{row.evictions:,.0f}",
        f"{row.busy:.0%}",
    ]
    return f"| {' | '.join(cells)} |"


def _seconds(wait: float) -> str:
    return f"{wait:,.0f}" if wait >= 100 else f"{wait:.1f}" if wait >= 1 else f"{wait:.2f}"
