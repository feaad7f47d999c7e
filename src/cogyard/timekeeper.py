"""Ends predictions whose deadline has come (`api-contract.md` §9.5)."""

from typing import Protocol

import structlog

from cogyard.domain.errors import CogyardError
from cogyard.domain.events import DeadlinePassed
from cogyard.ports import Bus, Clock, PredictionStore, TimeStore

LONGEST_SLEEP = 1.0
"""Seconds after which deadlines are looked at without a notice, since notices may be lost."""


class Registry(PredictionStore, TimeStore, Protocol):
    """What the timekeeper needs of the store."""


class Timekeeper:
    """Sleeps until the next deadline."""

    def __init__(self, store: Registry, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Until cancelled."""
        with self._bus.listen(("deadline", "*")) as news:
            while True:
                try:
                    wait = await self.look()
                except CogyardError as fault:
                    self._log.error("timekeeper.failed", error=str(fault))
                    wait = LONGEST_SLEEP
                await news.wait(wait)

    async def look(self) -> float:
        """End what is due; in how many seconds to look again."""
        for prediction in await self._store.overdue(self._clock.now()):
            await self._store.wish_end(prediction, DeadlinePassed(at=self._clock.now()))
            self._bus.publish(("cancel", prediction))
            self._bus.publish(("prediction", prediction))
        following = await self._store.next_deadline()
        if following is None:
            return LONGEST_SLEEP
        return min(max((following - self._clock.now()).total_seconds(), 0.001), LONGEST_SLEEP)
