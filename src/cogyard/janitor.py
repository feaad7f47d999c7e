"""Cleans up: what a dead server left behind at the start, claims that ran out and files that expired from then on."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog

from cogyard.domain.errors import CogyardError
from cogyard.domain.events import Interrupted
from cogyard.domain.instance import RESTARTED, Instance, InstanceState
from cogyard.domain.prediction import Prediction, apply
from cogyard.ports import Bus, ClaimStore, Clock, Files, FileStore, InstanceStore, TimeStore
from cogyard.processes import INSTANCE_MARK, kill_group, kill_marked

INTERVAL = 5.0
"""Seconds between two rounds: a third of a lease, so that a lost claim is given back soon after it ran out."""

JUMP = timedelta(seconds=3)
"""What the clock may go before or after between two rounds without having been set."""

BLIND = 15.0
"""Seconds after the clock was set for which no claim counts as run out: the length of one."""

FILES_A_ROUND = 500

PREDICTIONS_A_ROUND = 200
"""Predictions whose data is removed in one transaction."""

RECORDS_KEPT = timedelta(days=7)
"""How long webhook deliveries that ended, what made predictions, and instances that are over, are remembered."""


class JanitorStore(ClaimStore, InstanceStore, FileStore, TimeStore, Protocol):
    """What the janitor needs of the store."""


class Janitor:
    """The server's cleaner."""

    def __init__(
        self,
        store: JanitorStore,
        files: Files,
        bus: Bus,
        clock: Clock,
        retention: timedelta | None,
        scratch: Path,
        *,
        moment: Callable[[], float] = time.monotonic,
    ) -> None:
        """`retention` is how long the data of ended predictions is kept; None keeps it for ever.

        Below `scratch` lie the folders of instances; `moment` tells seconds on a clock that nobody sets.
        """
        self._store = store
        self._files = files
        self._bus = bus
        self._clock = clock
        self._retention = retention
        self._scratch = scratch
        #: when it last looked, by both clocks
        self._looked_at = moment(), clock.now()
        self._moment = moment
        self._blind_until = 0.0
        self._log = structlog.get_logger()

    async def recover(self) -> None:
        """Before anything starts: end the processes that an earlier server left, give its predictions back."""
        for instance in await self._store.unfinished_instances():
            await self._bury(instance)
        await asyncio.to_thread(kill_marked, INSTANCE_MARK, f"{self._scratch}/")
        for prediction in await self._store.claimed():
            await self._give_back(prediction, RESTARTED)

    async def run(self) -> None:
        """Clean every few seconds, until cancelled."""
        while True:
            try:
                await self.clean()
            except CogyardError as fault:
                self._log.error("janitor.failed", error=str(fault))
            await asyncio.sleep(INTERVAL)

    async def clean(self) -> None:
        """One round."""
        now = self._clock.now()
        if self._leases_are_true(now):
            for prediction in await self._store.claimed(expired_at=now):
                await self._give_back(prediction, "its instance gave no sign of life")
        if self._retention is not None:
            await self._forget(now - self._retention)
        await self._store.forget_records(now - RECORDS_KEPT)
        await self._store.forget_instances(now - RECORDS_KEPT)
        for file in await self._store.expired_files(now, FILES_A_ROUND):
            await self._files.delete(file.id)
            await self._store.delete_file(file.id)

    def _leases_are_true(self, now: datetime) -> bool:
        """Whether the clock was not set lately: instances that live need a while to extend what it made run out."""
        moment = self._moment()
        passed = timedelta(seconds=moment - self._looked_at[0])
        if abs(now - self._looked_at[1] - passed) > JUMP:
            self._log.warning("clock.set", seconds=round((now - self._looked_at[1] - passed).total_seconds()))
            self._blind_until = moment + BLIND
        self._looked_at = moment, now
        return moment >= self._blind_until

    async def _forget(self, before: datetime) -> None:
        while True:
            forgotten = await self._store.forget_predictions(before, PREDICTIONS_A_ROUND)
            for prediction in forgotten:
                self._bus.publish(("prediction", prediction))
            if len(forgotten) < PREDICTIONS_A_ROUND:
                return

    async def _bury(self, instance: Instance) -> None:
        if instance.pid is not None and instance.pid_started is not None:
            await asyncio.to_thread(kill_group, instance.pid, instance.pid_started)
        over = replace(instance, state=InstanceState.failed, reason=RESTARTED)
        await self._store.save_instance(replace(over, ended_at=self._clock.now()))

    async def _give_back(self, prediction: Prediction, reason: str) -> None:
        after = apply(prediction, Interrupted(at=self._clock.now(), reason=reason))
        if await self._store.record(prediction, after):
            self._log.info("prediction.given_back", prediction=prediction.id, status=after.status, reason=reason)
            self._bus.publish(("prediction", prediction.id))
            self._bus.publish(("queue", prediction.queue))
