"""Drives one instance: boots it, claims predictions for its free slots, sees each to its end, drains, stops.

Work is pulled: the queue hands out nothing by itself. Whatever ends the process, the predictions that it had are
given back or ended here; if this server dies with it, the next one does so from the store.
"""

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import structlog

from cogyard.domain.catalog import Version
from cogyard.domain.errors import CogyardError, SetupFailed, StorageFull
from cogyard.domain.events import Canceled, CancelRequested, Event, Failed, Interrupted, Log, Output, Succeeded
from cogyard.domain.file import Content, File, FileKind
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.prediction import Prediction, PredictionKind, apply
from cogyard.domain.queue import is_training
from cogyard.domain.values import FileId, JsonObject, PredictionId
from cogyard.instances.driver import Driver, DriverEvent, Produced
from cogyard.instances.inputs import InputFiles
from cogyard.instances.recorder import Fenced, Recorder
from cogyard.media import unit_of
from cogyard.ports import Bus, ClaimStore, Clock, Files, FileStore, InstanceStore, Listener, PredictionStore

LEASE = timedelta(seconds=15)
"""How long a claim holds without a sign of life; extended three times in that time."""

SAFETY_POLL = 1.0
"""Seconds after which the queue is looked at without a notice, since notices may be lost."""

CANCEL_POLL = 1.0
"""Seconds after which a running prediction is looked at for a cancel without a notice."""


class DirectorStore(ClaimStore, InstanceStore, PredictionStore, FileStore, Protocol):
    """What a director needs of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every director of this server shares."""

    store: DirectorStore
    bus: Bus
    clock: Clock
    files: Files
    inputs: InputFiles
    prepare: Callable[[Version, bool], Callable[[JsonObject], tuple[JsonObject, list[str]]]]
    #: a prediction's input with what is sealed in it
    open_input: Callable[[Prediction], JsonObject]
    #: what follows when a training's function has returned
    graduate: Callable[[Prediction], Awaitable[list[Event]]]
    new_file_id: Callable[[], FileId]
    content_type: Callable[[Path], str]
    setup_timeout: timedelta
    stop_grace: timedelta


class Director:
    """One instance and the driver of its process."""

    def __init__(
        self, instance: Instance, version: Version, driver: Driver, scratch: Path, around: Surroundings
    ) -> None:
        self.instance = instance
        self._version = version
        self._driver = driver
        self._scratch = scratch
        self._around = around
        self._prepare = around.prepare(version, is_training(instance.queue))
        self._slots = asyncio.Semaphore(instance.slots)
        self._running: set[asyncio.Task[None]] = set()
        self._held: set[PredictionId] = set()
        self._draining = asyncio.Event()
        self._log = structlog.get_logger().bind(instance=instance.id, version=version.id[:12])

    async def run(self) -> None:
        """The instance's whole life; returns when its process is gone and its record says how it ended."""
        try:
            is_ready = await self._set_up()
        except SetupFailed as failure:
            await self._driver.stop()
            await self._setup_failed(failure)
            return
        if not is_ready:
            await self._end(self.instance.reason or "stopped", InstanceState.stopped)
            return
        try:
            reason = await self._serve()
        finally:
            await self._driver.stop()
        died = not self._draining.is_set()
        self._log.log(logging.WARNING if died else logging.INFO, "instance.over", reason=reason, died=died)
        await self._give_back(reason)
        await self._end(reason, InstanceState.failed if died else InstanceState.stopped)

    def stop(self, reason: str) -> None:
        """Drain: claim nothing more, let what runs end, then stop."""
        if not self._draining.is_set():
            self.instance = replace(self.instance, state=InstanceState.stopping, reason=reason)
            self._draining.set()

    # --- setup ----------------------------------------------------------------------------------------------------

    async def _set_up(self) -> bool:
        """Start the model; False when the instance was told to stop before it was ready. Raises `SetupFailed`."""
        starting = asyncio.create_task(self._driver.start(self._around.setup_timeout))
        draining = asyncio.create_task(self._draining.wait())
        try:
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
            replace(self.instance, state=InstanceState.idle, ready_at=now, idle_since=now, setup_logs=logs)
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
        for waiting in await self._around.store.waiting(self.instance.queue):
            events: list[Event] = [Log(text=failure.logs)] if failure.logs else []
            if failure.died:
                events.append(Interrupted(at=now, reason=f"setup: {failure}"))
            else:
                events.append(Failed(at=now, error=f"Model setup failed: {failure}"))
            after = waiting
            for event in events:
                after = apply(after, event)
            if await self._around.store.record(waiting, after):
                self._around.bus.publish(("prediction", waiting.id))
        failed = replace(self.instance, state=InstanceState.failed, reason=str(failure), ended_at=now)
        await self._save(replace(failed, setup_logs=failure.logs))

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
            if self._running:
                grace = None if exited.done() else self._around.stop_grace.total_seconds()
                await asyncio.wait(self._running, timeout=grace)
            return exited.result() if exited.done() else self.instance.reason or "stopped"
        finally:
            for task in (exited, draining, *helpers):
                task.cancel()
            await self._driver.stop()  # whatever still runs now ends as interrupted
            if self._running:
                await asyncio.wait(self._running)

    async def _claim_work(self) -> None:
        around = self._around
        with around.bus.listen(("queue", self.instance.queue)) as work:
            while True:
                await self._slots.acquire()
                claimed = None
                try:
                    while claimed is None:
                        claimed = await self._claim()
                        if claimed is None:
                            self._rest()
                            await work.wait(SAFETY_POLL)
                finally:
                    if claimed is None:
                        self._slots.release()
                self.instance = replace(self.instance, state=InstanceState.active, idle_since=None)
                task = asyncio.create_task(self._run(claimed, _Slot(self._slots)))
                self._running.add(task)
                task.add_done_callback(self._finished)

    async def _claim(self) -> Prediction | None:
        try:
            return await self._around.store.claim(
                self.instance.queue, self.instance.id, LEASE, self._around.clock.now()
            )
        except StorageFull as fault:  # what runs need not end for that
            self._log.warning("claim.failed", error=str(fault))
            return None

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._log.error("prediction.lost", exc_info=fault)

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

    # --- one prediction -------------------------------------------------------------------------------------------

    async def _run(self, prediction: Prediction, slot: "_Slot") -> None:
        recorder = Recorder(prediction, self._around.store, self._around.bus)
        folder = self._scratch / "inputs" / prediction.id
        self._held.add(prediction.id)
        with self._around.bus.listen(("cancel", prediction.id)) as asked:
            watcher = asyncio.create_task(self._watch_cancel(recorder, asked))
            try:
                await self._record(recorder, folder, slot)
            except Fenced:
                self._log.warning("prediction.fenced", prediction=prediction.id)
            finally:
                self._held.discard(prediction.id)
                slot.free()
                watcher.cancel()
                if folder.exists():
                    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _record(self, recorder: Recorder, folder: Path, slot: "_Slot") -> None:
        prediction, clock = recorder.prediction, self._around.clock
        try:
            model_input, pointers = self._prepare(self._around.open_input(prediction))
            paths = await self._fetch(model_input, pointers, recorder, folder) if pointers else {}
        except CogyardError as fault:
            await recorder.add(Failed(at=clock.now(), error=str(fault)))
            return
        if recorder.prediction.cancel_requested_at is not None:
            await recorder.add(Canceled(at=clock.now()))
            return
        async with aclosing(self._driver.submit(prediction.id, model_input, paths)) as events:
            async for event in events:
                is_last = isinstance(event, Succeeded | Failed | Canceled | Interrupted)
                if is_last:
                    slot.free()  # the next one may start while this one's end is being stored
                if await self._take(recorder, event) or is_last:
                    break
        if recorder.prediction.claimed_by is not None:
            await recorder.add(Interrupted(at=clock.now(), reason="the model's process stopped answering"))
        await recorder.flush()
        if not recorder.prediction.status.is_terminal:
            self._around.bus.publish(("queue", self.instance.queue))

    async def _fetch(
        self, model_input: JsonObject, pointers: list[str], recorder: Recorder, folder: Path
    ) -> dict[str, Path]:
        """Bring the input's files here, or stop when the prediction is cancelled meanwhile."""
        account = recorder.claimed.account
        fetching = asyncio.create_task(self._around.inputs.fetch(model_input, pointers, account, folder))
        canceled = asyncio.create_task(recorder.cancel_requested.wait())
        try:
            await asyncio.wait({fetching, canceled}, return_when=asyncio.FIRST_COMPLETED)
            return fetching.result() if fetching.done() else {}
        finally:
            canceled.cancel()
            fetching.cancel()

    async def _take(self, recorder: Recorder, event: DriverEvent) -> bool:
        """Hand an event to the recorder; True when nothing more can be stored."""
        try:
            if isinstance(event, Succeeded) and recorder.claimed.kind is PredictionKind.training:
                for outcome in await self._around.graduate(recorder.prediction):
                    await recorder.add(outcome)
                return True
            if isinstance(event, Succeeded) and recorder.claimed.is_version_hidden:
                for metric in recorder.unit_metrics():
                    await recorder.add(metric)
            await recorder.add(await self._stored(event, recorder))
        except StorageFull as fault:
            error = f"The output could not be stored: {fault}"
            await recorder.add(Failed(at=self._around.clock.now(), error=error))
            return True
        return False

    async def _stored(self, event: DriverEvent, recorder: Recorder) -> Event:
        """The event as the house knows it: files that the model returned become stored files."""
        if not isinstance(event, Produced):
            return event
        files = {f"/0{pointer}": await self._keep(path, recorder) for pointer, path in event.paths.items()}
        return Output(items=(event.value,), files=files)

    async def _keep(self, path: Path, recorder: Recorder) -> FileId:
        around, prediction = self._around, recorder.claimed
        content_type = await asyncio.to_thread(around.content_type, path)
        if unit := unit_of(content_type):
            recorder.units[unit] += 1
        file_id, now = around.new_file_id(), around.clock.now()
        content: Content = await around.files.adopt(file_id, path)
        await around.store.create_file(
            File(
                id=file_id,
                account=prediction.account,
                kind=FileKind.output,
                name=path.name,
                content_type=content_type,
                content=content,
                created_at=now,
                expires_at=None,  # it goes with the data of its prediction
                prediction=prediction.id,
            )
        )
        return file_id

    async def _watch_cancel(self, recorder: Recorder, asked: Listener) -> None:
        """Tell the driver when the caller cancels; the store is looked at too, since notices may be lost."""
        prediction, wait = recorder.prediction, CANCEL_POLL
        requested_at = prediction.cancel_requested_at
        while requested_at is None:
            await asked.wait(wait)
            current = await self._around.store.get_prediction(prediction.id)
            requested_at = self._around.clock.now() if current is None else current.cancel_requested_at
        await recorder.add(CancelRequested(at=requested_at))
        recorder.cancel_requested.set()
        while True:  # until the prediction has ended and this is cancelled; the driver may not know it yet
            await self._driver.cancel(prediction.id)
            await asyncio.sleep(CANCEL_POLL)

    async def _give_back(self, reason: str) -> None:
        """Return claims that no task of ours holds any more, such as one that came while draining began."""
        for left in await self._around.store.claimed(instance=self.instance.id):
            after = apply(left, Interrupted(at=self._around.clock.now(), reason=reason))
            if await self._around.store.record(left, after):
                self._around.bus.publish(("prediction", left.id))
                self._around.bus.publish(("queue", left.queue))

    async def _end(self, reason: str, state: InstanceState) -> None:
        await self._save(replace(self.instance, state=state, reason=reason, ended_at=self._around.clock.now()))

    async def _save(self, instance: Instance) -> None:
        self.instance = instance
        await self._around.store.save_instance(instance)
        self._around.bus.publish(("instances", instance.id))


class _Slot:
    """One unit of an instance's concurrency, freed once."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._is_free = False

    def free(self) -> None:
        """Give it back; a second time changes nothing."""
        if not self._is_free:
            self._is_free = True
            self._slots.release()
