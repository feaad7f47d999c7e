"""When a queue whose instance ended may have the next one without being asked."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from cogyard.bus import LocalBus
from cogyard.domain.hardware import Share
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.values import InstanceId, QueueId
from cogyard.instances.director import Director
from cogyard.placement.local import LocalPlacement

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUEUE = QueueId("a" * 64)


class Clock:
    """A clock that is set by hand."""

    time = NOW

    def now(self) -> datetime:
        return self.time


@dataclass
class Brief:
    """A director whose instance dies at once, `served` after it was ready; None if it never was."""

    instance: Instance
    served: timedelta | None
    has_claimed: bool = False

    async def run(self) -> None:
        ready_at = None if self.served is None else NOW - self.served
        ended = replace(self.instance, state=InstanceState.failed, ready_at=ready_at, ended_at=NOW, reason="boom")
        self.instance = ended

    def take_runs(self) -> tuple[int, float]:
        return 0, 0.0


async def after_ends(clock: Clock, *served: timedelta | None, has_claimed: bool = False) -> LocalPlacement:
    """A placement in which instances of the queue ended one after the other."""
    lives = iter(served)

    async def make(instance: Instance) -> Director:
        return cast("Director", Brief(instance, next(lives), has_claimed))

    bus = LocalBus()
    placement = LocalPlacement(make, bus, clock, lambda: InstanceId("i" * 26))
    for _ in served:
        with bus.listen(("instances", "*")) as ended:
            await placement.start(QUEUE, Share(), "asked for")
            assert await ended.wait(5)
    return placement


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("served", "rests"), [(None, True), (timedelta(seconds=1), True), (timedelta(seconds=5), False)]
)
async def test_a_queue_rests_after_what_never_served(served: timedelta | None, *, rests: bool) -> None:
    placement = await after_ends(Clock(), served)

    assert list(placement.rests()) == ([QUEUE] if rests else [])


@pytest.mark.anyio
async def test_what_a_prediction_does_to_its_instance_is_not_held_against_the_queue() -> None:
    placement = await after_ends(Clock(), timedelta(seconds=1), has_claimed=True)

    assert list(placement.rests()) == []


@pytest.mark.anyio
async def test_each_failure_in_a_row_rests_twice_as_long_as_the_one_before() -> None:
    clock = Clock()
    placement = await after_ends(clock, None, None, None)
    rest = placement.rests()[QUEUE]

    assert (rest.failures, rest.until - NOW, rest.reason) == (3, timedelta(seconds=20), "boom")


@pytest.mark.anyio
async def test_nothing_is_held_against_a_queue_for_ever() -> None:
    clock = Clock()
    placement = await after_ends(clock, None, None)

    clock.time = NOW + timedelta(seconds=19)
    assert list(placement.rests()) == [QUEUE]
    clock.time = NOW + timedelta(seconds=20)
    assert list(placement.rests()) == []


@pytest.mark.anyio
async def test_a_long_row_of_failures_rests_no_longer_than_the_longest() -> None:
    placement = await after_ends(Clock(), *[None] * 30)

    assert placement.rests()[QUEUE].until - NOW == timedelta(minutes=5)
