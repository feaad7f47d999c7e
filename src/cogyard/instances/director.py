"""Drives one instance: boots it, claims predictions for its free slots, sees each to its end, drains, stops.

Work is pulled: the queue hands out nothing by itself. Whatever ends the process, the predictions that it had are
given back or ended here; if this server dies with it, the next one does so from the store.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import structlog

from cogyard.domain.catalog import Version
from cogyard.domain.errors import SetupFailed, StorageFull
from cogyard.domain.events import Event, Failed, Interrupted, Log
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.prediction import Prediction, Status, apply
from cogyard.domain.queue import is_training
from cogyard.domain.timing import waited
from cogyard.domain.values import JsonObject, PredictionId
from cogyard.instances.batch import BatchRun
from cogyard.instances.driver import Driver
from cogyard.instances.run import PredictionRun, Slot, Surroundings
from cogyard.ports import Figures

LEASE = timedelta(seconds=15)
"""How long a claim holds without a sign of life; extended three times in that time."""

TOLD_AT_ONCE = 200
"""Predictions that wait for a model that does not come up, and that are told so together."""

SAFETY_POLL = 1.0
"""Seconds after which the queue is looked at without a notice, since notices may be lost."""


class Director:
    """One instance and the driver of its process."""

    def __init__(
        self, instance: Instance, version: Version, driver: Driver, scratch: Path, around: Surroundings
    ) -> None:
        self.instance = instance
        self._driver = driver
        self._around = around
        prepare = around.prepare(version, is_training(instance.queue))
        self._runs = PredictionRun(driver, scratch / "inputs", around, prepare, self._waited)
        self._batch = None if is_training(instance.queue) else version.config.batch
        self._slots = asyncio.Semaphore(instance.slots)
        self._running: set[asyncio.Task[None]] = set()
        self._held: set[PredictionId] = set()
        #: predictions that ended since this was last asked for, and the seconds that they ran
        self._ended, self._ran = 0, 0.0
        #: it was ready, and took a prediction
        self.has_claimed = False
        self._memory = 0
        self._draining = asyncio.Event()
        self._hurry = asyncio.Event()
        self._log = structlog.get_logger().bind(instance=instance.id, version=version.id[:12])

    async def run(self) -> None:
        """The instance's whole life; returns when its process is gone and its record says how it ended."""
        try:
            await self._live()
        finally:
            await self._driver.stop()

    async def _live(self) -> None:
        try:
            is_ready = await self._set_up()
        except SetupFailed as failure:
            await self._driver.stop()
            await self._setup_failed(failure)
            return
        if not is_ready:
            await self._end(self.instance.reason or "stopped", InstanceState.stopped)
            return
        reason = await self._serve()
        died = not self._draining.is_set()
        await self._give_back(reason)
        if died and not self.has_claimed:
            await self._end_waiting(Interrupted(at=self._around.clock.now(), reason=f"after setup: {reason}"))
        self._log.log(logging.WARNING if died else logging.INFO, "instance.over", reason=reason, died=died)
        await self._end(reason, InstanceState.failed if died else InstanceState.stopped)

    async def settle(self, reason: str) -> None:
        """Store the end of a life that broke, which that could not do itself: nobody is to pay for it any longer."""
        if await self._around.store.get_instance(self.instance.id) is not None:
            await self._give_back(reason)
            await self._end(reason, InstanceState.stopped)

    def stop(self, reason: str, *, hurry: bool = False) -> None:
        """Drain: claim nothing more, let what runs end, then stop; in a hurry, within the grace."""
        if hurry:
            self._hurry.set()
        if not self._draining.is_set():
            self.instance = replace(self.instance, state=InstanceState.stopping, reason=reason, idle_since=None)
            self._draining.set()

    def figures(self) -> Figures:
        """How it is doing."""
        return Figures(memory=self._memory, predictions=tuple(self._held))

    def measure(self) -> None:
        """Look at how much memory it uses."""
        self._memory = self._driver.memory()
        if self._memory > self.instance.peak_memory:
            self.instance = replace(self.instance, peak_memory=self._memory)

    def take_runs(self) -> tuple[int, float]:
        """How many predictions have ended since this was last asked, and how many seconds they ran."""
        taken = self._ended, self._ran
        self._ended, self._ran = 0, 0.0
        return taken

    # --- setup ----------------------------------------------------------------------------------------------------

    async def _set_up(self) -> bool:
        """Start the model; False when the instance was told to stop before it was ready. Raises `SetupFailed`."""
        starting = asyncio.create_task(self._driver.start(self._around.setup_timeout))
        draining = asyncio.create_task(self._draining.wait())
        await asyncio.sleep(0)  # the process first: its record is written while it boots
        try:
            await self._save(self.instance)
            while not starting.done() and not draining.done():
                pause = 0.02 if self.instance.pid is None else None
                await asyncio.wait({starting, draining}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                await self._note_process()
            if not starting.done():
                return False
            logs = starting.result()
        finally:
            draining.cancel()
            if not starting.done():
                starting.cancel()
                await asyncio.wait({starting})
        now = self._around.clock.now()
        await self._save(
            replace(
                self.instance,
                state=InstanceState.idle,
                ready_at=now,
                idle_since=now,
                setup_logs=logs,
                boot=self._driver.boot,
            )
        )
        self._log.info("instance.ready", seconds=round((now - self.instance.created_at).total_seconds(), 3))
        return True

    async def _note_process(self) -> None:
        """Store the process group as soon as it exists: a server that dies now must still find it."""
        process = self._driver.process
        if process is not None and self.instance.pid is None:
            await self._save(replace(self.instance, pid=process.pid, pid_started=process.started))

    async def _setup_failed(self, failure: SetupFailed) -> None:
        """End what waits for a version that does not come up; a mere crash gives it another attempt instead."""
        now = self._around.clock.now()
        self._log.warning("instance.setup_failed", reason=str(failure), died=failure.died)
        is_answered = await self._around.setup_failed(self.instance.queue, str(failure), died=failure.died)
        if not is_answered:
            died = Interrupted(at=now, reason=f"setup: {failure}")
            end = died if failure.died else Failed(at=now, error=f"Model setup failed: {failure}")
            await self._end_waiting(*([Log(text=failure.logs)] if failure.logs else []), end)
        failed = replace(self.instance, state=InstanceState.failed, reason=str(failure), ended_at=now)
        await self._save(replace(failed, setup_logs=failure.logs))

    async def _end_waiting(self, *events: Event) -> None:
        """Tell what waits in the queue now; lots of them are recorded together."""
        waiting = await self._around.store.waiting(self.instance.queue)
        for start in range(0, len(waiting), TOLD_AT_ONCE):
            lot = waiting[start : start + TOLD_AT_ONCE]
            await asyncio.gather(*(self._tell_waiting(one, events) for one in lot))

    async def _tell_waiting(self, waiting: Prediction, events: Sequence[Event]) -> None:
        after = waiting
        for event in events:
            after = apply(after, event)
        if await self._around.store.record(waiting, after):
            self._around.bus.publish(("prediction", waiting.id))

    # --- serving --------------------------------------------------------------------------------------------------

    async def _serve(self) -> str:
        """Claim and run until drained or dead; returns the reason."""
        exited = asyncio.create_task(self._driver.exited())
        draining = asyncio.create_task(self._draining.wait())
        helpers = [asyncio.create_task(self._claim_work()), asyncio.create_task(self._extend_leases())]
        try:
            await asyncio.wait({exited, draining, *helpers}, return_when=asyncio.FIRST_COMPLETED)
            helpers[0].cancel()
            await asyncio.wait({helpers[0]})
            for helper in helpers:
                if helper.done() and not helper.cancelled():
                    helper.result()  # a broken loop is a fault of ours and must not look like a quiet instance
            await self._let_run_end(exited)
            return exited.result() if exited.done() else self.instance.reason or "stopped"
        finally:
            for task in (exited, draining, *helpers):
                task.cancel()
            await self._driver.stop()  # whatever still runs now ends as interrupted
            if self._running:
                await asyncio.wait(self._running)

    async def _let_run_end(self, exited: asyncio.Task[str]) -> None:
        """What runs ends in its own time; in its grace, once the server stops."""
        if not exited.done():
            with suppress(StorageFull):  # what runs need not end for that
                await self._save(self.instance)
        if not self._running:
            return
        if not exited.done():
            hurried = asyncio.create_task(self._hurry.wait())
            ended = asyncio.create_task(asyncio.wait(self._running))
            await asyncio.wait({hurried, ended, exited}, return_when=asyncio.FIRST_COMPLETED)
            for task in (hurried, ended):
                task.cancel()
        if self._running:
            grace = None if exited.done() else self._around.stop_grace.total_seconds()
            await asyncio.wait(self._running, timeout=grace)

    async def _claim_work(self) -> None:
        around = self._around
        with around.bus.listen(("queue", self.instance.queue)) as work:
            while True:
                await self._slots.acquire()
                claimed: list[Prediction] = []
                try:
                    while not claimed:
                        claimed = await self._claim()
                        if not claimed:
                            self._rest()
                            await work.wait(SAFETY_POLL)
                finally:
                    if not claimed:
                        self._slots.release()
                self.has_claimed = True
                self.instance = replace(self.instance, state=InstanceState.active, idle_since=None)
                task = asyncio.create_task(self._run(claimed))
                self._running.add(task)
                task.add_done_callback(self._finished)

    async def _claim(self) -> list[Prediction]:
        """The next one with what may run together with it; none when nobody waits."""
        store, now = self._around.store, self._around.clock.now()
        claimed: list[Prediction] = []
        try:
            first = await store.claim(self.instance.queue, self.instance.id, LEASE, now)
            if first is not None:
                claimed.append(first)
                # what was interrupted runs alone from then on: perhaps it is what ends the process
                if self._batch is not None and first.batch_key is not None and first.attempt == 1:
                    claimed += await store.claim_alike(first, self._batch, LEASE, now)
        except StorageFull as fault:  # what runs need not end for that
            self._log.warning("claim.failed", error=str(fault))
        return claimed

    async def _run(self, claimed: Sequence[Prediction]) -> None:
        slot = Slot(self._slots)
        self._held.update(one.id for one in claimed)
        began = asyncio.get_running_loop().time()
        try:
            if self._batch is not None and len(claimed) > 1:
                await BatchRun(self._driver, self._around, self._batch, self._runs).run(claimed, slot)
            else:
                await self._runs.run(claimed[0], slot)
        finally:
            self._held.difference_update(one.id for one in claimed)
            self._ended += len(claimed)
            self._ran += asyncio.get_running_loop().time() - began

    def _waited(self, claimed: Prediction) -> JsonObject:
        begun, boot = self.instance.created_at, self.instance.boot
        return waited(claimed.created_at, self._around.clock.now(), begun, boot)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._log.error("prediction.lost", exc_info=fault)
        self._rest()

    def _rest(self) -> None:
        if not self._running and self.instance.state is InstanceState.active:
            self.instance = replace(self.instance, state=InstanceState.idle, idle_since=self._around.clock.now())
            self._around.bus.publish(("instances", self.instance.id))

    async def _extend_leases(self) -> None:
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            if not self._held:
                continue
            try:
                await self._around.store.extend(self.instance.id, list(self._held), LEASE, self._around.clock.now())
            except StorageFull as fault:  # there are two more tries before a lease runs out
                self._log.warning("leases.not_extended", error=str(fault))

    async def _give_back(self, reason: str) -> None:
        """Return claims that no task of ours holds any more, such as one that came while draining began.

        That was no try of what has not begun; what could not be stored may have.
        """
        for left in await self._around.store.claimed(instance=self.instance.id):
            has_begun = left.status is not Status.starting
            after = apply(left, Interrupted(at=self._around.clock.now(), reason=reason, is_try=has_begun))
            if await self._around.store.record(left, after):
                self._around.bus.publish(("prediction", left.id))
                self._around.bus.publish(("queue", left.queue))

    async def _end(self, reason: str, state: InstanceState) -> None:
        await self._save(replace(self.instance, state=state, reason=reason, ended_at=self._around.clock.now()))

    async def _save(self, instance: Instance) -> None:
        self.instance = instance
        await self._around.store.save_instance(instance)
        self._around.bus.publish(("instances", instance.id))
