"""Books the uptime of instances every few seconds, so that a crash loses no more than that."""

import asyncio
import time
from datetime import timedelta

import structlog

from cogyard.domain.errors import CogyardError
from cogyard.domain.usage import Prices
from cogyard.ports import Clock, MeterStore

INTERVAL = 10.0
"""Seconds between two rounds: how late the figures are, and the most uptime that is lost with a server that dies."""


SLACK = timedelta(seconds=1)
"""What a round may book beyond the time that has passed since the last one: clocks are adjusted all the time."""


class Meter:
    """The server's meter."""

    def __init__(self, store: MeterStore, clock: Clock, prices: Prices) -> None:
        self._store = store
        self._clock = clock
        self._prices = prices
        self._booked = time.monotonic()
        self._log = structlog.get_logger()

    async def recover(self) -> None:
        """Before anything starts: book what an earlier server left, up to its last sign of life."""
        left = await self._store.close_meters(self._prices)
        if left:
            self._log.info("meter.closed", instances=left)

    async def run(self) -> None:
        """Book every few seconds, until cancelled."""
        while True:
            try:
                await self.book()
            except CogyardError as fault:  # a full disk: the next round books it all
                self._log.error("meter.failed", error=str(fault))
            await asyncio.sleep(INTERVAL)

    async def book(self) -> None:
        """One round; also when the last instances of a server that stops have ended."""
        now = time.monotonic()
        passed = timedelta(seconds=now - self._booked) + SLACK
        await self._store.meter_instances(self._clock.now(), self._prices, passed)
        self._booked = now
