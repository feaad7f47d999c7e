"""One claimed prediction on its way through an instance: its files come, the model runs it, its words are recorded."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import structlog

from cogyard.domain.catalog import Version
from cogyard.domain.errors import CogyardError, StorageFull
from cogyard.domain.events import Canceled, CancelRequested, Event, Failed, Interrupted, Output, Succeeded, Waited
from cogyard.domain.file import Content, File, FileKind
from cogyard.domain.prediction import Prediction, PredictionKind
from cogyard.domain.values import FileId, JsonObject, PredictionId, QueueId
from cogyard.instances.driver import Driver, DriverEvent, Produced
from cogyard.instances.inputs import InputFiles
from cogyard.instances.recorder import Fenced, Recorder
from cogyard.media import unit_of
from cogyard.ports import Bus, ClaimStore, Clock, Files, FileStore, InstanceStore, Listener, PredictionStore

CANCEL_POLL = 1.0
"""Seconds after which a running prediction is looked at for a cancel without a notice."""


class DirectorStore(ClaimStore, InstanceStore, PredictionStore, FileStore, Protocol):
    """What a director needs of the store."""


class SetupAnswer(Protocol):
    """What answers a failed setup."""

    async def __call__(self, queue: QueueId, reason: str, *, died: bool) -> bool:
        """True when what waited in the queue waits elsewhere now, and is not to be failed."""
        ...


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
    setup_failed: SetupAnswer
    new_file_id: Callable[[], FileId]
    content_type: Callable[[Path], str]
    setup_timeout: timedelta
    stop_grace: timedelta


class Slot:
    """One unit of an instance's concurrency, freed once."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots
        self._is_free = False

    @classmethod
    def of_nobody(cls) -> "Slot":
        """For a run within another one's slot."""
        return cls(asyncio.Semaphore(0))

    def free(self) -> None:
        """Give it back; a second time changes nothing."""
        if not self._is_free:
            self._is_free = True
            self._slots.release()


class PredictionRun:
    """Runs claimed predictions on one driver; `prepare` turns a stored input into what the model gets."""

    def __init__(
        self,
        driver: Driver,
        folder: Path,
        around: Surroundings,
        prepare: Callable[[JsonObject], tuple[JsonObject, list[str]]],
        waited: Callable[[Prediction], JsonObject],
    ) -> None:
        """Input files of predictions are brought below `folder`; `waited` is what one has waited for until now."""
        self._waited = waited
        self._driver = driver
        self._folder = folder
        self._around = around
        self._prepare = prepare
        self._log = structlog.get_logger()

    async def run(self, prediction: Prediction, slot: Slot) -> None:
        """See it to its end, or give it back; the slot is freed as soon as the model is done with it."""
        await self.go(self.recorder(prediction), slot)

    def recorder(self, prediction: Prediction) -> Recorder:
        """The one that writes it, from its claim on."""
        recorder = Recorder(prediction, self._around.store, self._around.bus)
        recorder.note(Waited(timing=self._waited(prediction)))
        return recorder

    async def go(self, recorder: Recorder, slot: Slot) -> None:
        """The same for a prediction that its recorder knows already."""
        prediction = recorder.prediction
        folder = self._folder / prediction.id
        with self._around.bus.listen(("cancel", prediction.id)) as asked:
            watcher = asyncio.create_task(self._watch_cancel(recorder, asked))
            try:
                await self._record(recorder, folder, slot)
            except Fenced:
                self._log.warning("prediction.fenced", prediction=prediction.id)
            finally:
                slot.free()
                watcher.cancel()
                if folder.exists():
                    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _record(self, recorder: Recorder, folder: Path, slot: Slot) -> None:
        prediction, clock = recorder.prediction, self._around.clock
        try:
            model_input, pointers = self.prepare(prediction)
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
                if is_last and not isinstance(event, Interrupted):  # or what ends would take the next one down too
                    slot.free()  # the next one may start while this one's end is being stored
                if await self.take(recorder, event) or is_last:
                    break
        await self.close(recorder)

    def prepare(self, prediction: Prediction) -> tuple[JsonObject, list[str]]:
        """What the model gets, and the places of files in it. Raises `CogyardError` for what cannot be opened."""
        return self._prepare(self._around.open_input(prediction))

    async def close(self, recorder: Recorder) -> None:
        """Store what is left; what the model left without an end is given back. Raises `Fenced`."""
        if recorder.prediction.claimed_by is not None:
            reason = "the model's process stopped answering"
            await recorder.add(Interrupted(at=self._around.clock.now(), reason=reason))
        await recorder.flush()
        if not recorder.prediction.status.is_terminal:
            self._around.bus.publish(("queue", recorder.prediction.queue))

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

    async def take(self, recorder: Recorder, event: DriverEvent) -> bool:
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
        """Tell the driver when the caller cancels."""
        await self.asked_to_end(recorder, asked)
        await self.keep_canceling(recorder.prediction.id)

    async def asked_to_end(self, recorder: Recorder, asked: Listener) -> None:
        """Wait until the caller wants an end, and note it; the store is looked at too, since notices may be lost."""
        prediction = recorder.prediction
        requested_at = prediction.cancel_requested_at
        while requested_at is None:
            await asked.wait(CANCEL_POLL)
            current = await self._around.store.get_prediction(prediction.id)
            requested_at = self._around.clock.now() if current is None else current.cancel_requested_at
        await recorder.add(CancelRequested(at=requested_at))
        recorder.cancel_requested.set()

    async def keep_canceling(self, run: PredictionId) -> None:
        """Tell the driver, until this is cancelled: it may not know the run yet."""
        while True:
            await self._driver.cancel(run)
            await asyncio.sleep(CANCEL_POLL)
