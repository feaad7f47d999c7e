"""What the janitor takes for dead, and when it does not trust the clock."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from cogyard.bus import LocalBus
from cogyard.domain.prediction import Prediction
from cogyard.janitor import Janitor, JanitorStore
from cogyard.ports import Files

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that is set by hand."""

    time = NOW

    def now(self) -> datetime:
        return self.time


class Claims:
    """A store in which nothing is left; it notes for which times it was asked what had run out."""

    def __init__(self) -> None:
        self.asked: list[datetime] = []

    async def claimed(self, *, expired_at: datetime) -> Sequence[Prediction]:
        self.asked.append(expired_at)
        return []

    async def expired_files(self, *_: Any) -> Sequence[Any]:
        return []

    async def forget_records(self, _before: datetime) -> None:
        pass

    async def forget_instances(self, _before: datetime) -> None:
        pass


@pytest.mark.anyio
@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
async def test_a_clock_that_is_set_lets_no_claim_run_out_until_instances_had_their_say(jump: timedelta) -> None:
    store, clock, moment = Claims(), Clock(), [100.0]
    parts = (cast("JanitorStore", store), cast("Files", None), LocalBus(), clock)
    janitor = Janitor(*parts, None, Path("/nowhere"), moment=lambda: moment[0])

    async def round_after(seconds: float, jumped: timedelta = timedelta(0)) -> int:
        moment[0] += seconds
        clock.time += timedelta(seconds=seconds) + jumped
        await janitor.clean()
        return len(store.asked)

    assert await round_after(5) == 1
    assert await round_after(5, jump) == 1
    assert await round_after(5) == 1
    assert await round_after(5) == 1
    assert await round_after(5) == 2
    assert await round_after(5) == 3
