"""When the service lets a new release serve."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pytest

from cogyard.bus import LocalBus
from cogyard.domain.deployment import Deployment
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.rollout import PATIENCE, Past, Standing
from cogyard.domain.values import DeploymentId, InstanceId
from cogyard.rollout import Registry, Rollout
from tests.domain.test_rollout import NOW, ROLLING

SETTING_UP = Instance(id=InstanceId("i"), queue=ROLLING.next_queue, state=InstanceState.setting_up, created_at=NOW)
READY = replace(SETTING_UP, state=InstanceState.idle, ready_at=NOW)
SECOND = timedelta(seconds=1)


class Clock:
    """A clock that is set by hand."""

    time = NOW

    def now(self) -> datetime:
        return self.time


class Store:
    """One deployment on its way."""

    def __init__(self) -> None:
        self.finished: list[tuple[DeploymentId, int]] = []

    async def rolling_deployments(self) -> Sequence[Deployment]:
        return [] if self.finished else [ROLLING]

    async def standing(self, _deployment: DeploymentId) -> Standing:
        return Standing(deployment=ROLLING, releases=[], past=Past())

    async def finish_roll(self, deployment: DeploymentId, number: int) -> bool:
        self.finished.append((deployment, number))
        return True


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("there", "serves_at"),
    [
        ([[], [SETTING_UP], [SETTING_UP], [READY]], 3),
        ([[SETTING_UP], [], [SETTING_UP], [], [SETTING_UP]], None),
        ([[]] * (PATIENCE // SECOND + 2), PATIENCE // SECOND),
        ([[SETTING_UP], *[[]] * (PATIENCE // SECOND + 2)], PATIENCE // SECOND),
    ],
    ids=["it is ready", "it is tried again", "there is no room", "there is no room any more"],
)
async def test_a_release_serves_when_it_is_ready_or_has_no_room(
    there: list[list[Instance]], serves_at: int | None
) -> None:
    store, clock, bus, instances = Store(), Clock(), LocalBus(), list[Instance]()
    rollout = Rollout(cast("Registry", store), bus, clock, lambda: instances)

    seen = None
    with bus.listen(("queue", ROLLING.next_queue)) as told:
        for second, now_there in enumerate(there):
            clock.time, instances[:] = NOW + second * SECOND, now_there
            await rollout.look()
            if store.finished and seen is None:
                seen = second
        is_told = await told.wait(0.01)

    assert seen == serves_at
    assert is_told is (serves_at is not None)
    assert store.finished == ([] if serves_at is None else [(ROLLING.id, 2)])
