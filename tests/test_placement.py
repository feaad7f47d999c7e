"""When a queue whose instance ended may have the next one without being asked."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from cogyard.bus import LocalBus
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.values import InstanceId, QueueId
from cogyard.instances.director import Director
from cogyard.placement.local import LocalPlacement
from cogyard.ports import InstanceStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUEUE = QueueId("a" * 64)


class Clock:
    """A clock that is set by hand."""

    time = NOW

    def now(self) -> datetime:
        return self.time


class Records:
    """Keeps no instance."""

    async def save_instance(self, instance: Instance) -> None:
        pass


@dataclass
class Brief:
    """A director whose instance dies at once, `served` after it was ready; None if it never was."""

    instance: Instance
    served: timedelta | None

    async def run(self) -> None:
        ready_at = None if self.served is None else NOW - self.served
        self.instance = replace(self.instance, state=InstanceState.failed, ready_at=ready_at, ended_at=NOW)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("served", "rests"), [(None, True), (timedelta(seconds=1), True), (timedelta(seconds=5), False)]
)
async def test_a_queue_rests_after_what_never_served(served: timedelta | None, *, rests: bool) -> None:
    async def make(instance: Instance) -> Director:
        return cast("Director", Brief(instance, served))

    bus = LocalBus()
    placement = LocalPlacement(make, cast("InstanceStore", Records()), bus, Clock(), lambda: InstanceId("i" * 26))

    with bus.listen(("instances", "*")) as ended:
        await placement.start(QUEUE)
        assert await ended.wait(5)

    assert placement.resting() == ([QUEUE] if rests else [])
