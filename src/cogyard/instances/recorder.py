"""Folds what a model says into its prediction and keeps the store up to date, in batches.

While one batch is being committed the next one gathers, so a fast model costs as many commits as the disk can do,
not one for each token. Nobody is told of anything before it is stored.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping

from cogyard.domain.errors import AlreadyFinished
from cogyard.domain.events import Event, Log, Metric, Output
from cogyard.domain.prediction import Prediction, apply
from cogyard.domain.values import FileId, Json
from cogyard.ports import Bus, ClaimStore

GATHER = 0.002
"""Seconds that a first change waits for company: short beside the 50 ms in which a token is due at the client."""


class Fenced(Exception):
    """The claim was lost: the prediction has ended or belongs to another instance."""


class Recorder:
    """The one that writes a claimed prediction. Use as a context: leaving it stores what is left."""

    def __init__(self, prediction: Prediction, store: ClaimStore, bus: Bus) -> None:
        #: the prediction as it was claimed
        self.claimed = prediction
        #: files that came, by the metric that counts them
        self.units: Counter[str] = Counter()
        #: set once the caller wants an end
        self.cancel_requested = asyncio.Event()
        self._stored = prediction
        self._current = prediction
        self._pending: list[Event] = []
        self._store = store
        self._bus = bus
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None
        self._lost = False

    @property
    def prediction(self) -> Prediction:
        """The prediction with all that was added, stored or not."""
        self._fold()
        return self._current

    def unit_metrics(self) -> list[Metric]:
        """The counters of output units that the model did not record itself."""
        known = self.prediction.metrics
        return [Metric(name=unit, value=count) for unit, count in sorted(self.units.items()) if unit not in known]

    async def add(self, event: Event) -> None:
        """Take an event; it is stored soon, a terminal state before this returns.

        Raises `Fenced` when the claim was lost.
        """
        if self._lost:
            raise Fenced(self._stored.id)
        self._pending.append(event)
        if isinstance(event, Output | Log) or not self.prediction.status.is_terminal:
            if self._writer is None or self._writer.done():
                self._writer = asyncio.create_task(self._write_soon())
            return
        await self.flush()

    def note(self, event: Event) -> None:
        """Take an event that is stored with the next one."""
        self._pending.append(event)

    async def flush(self) -> None:
        """Store everything now. Raises `Fenced` when the claim was lost."""
        async with self._writing:
            before, after = self._stored, self.prediction
            if after is before:
                return
            if self._lost or not await self._store.record(before, after):
                self._lost = True
                raise Fenced(before.id)
            self._stored = after
        self._bus.publish(("prediction", after.id))

    async def _write_soon(self) -> None:
        await asyncio.sleep(GATHER)
        try:
            while self._pending or self._current is not self._stored:
                await self.flush()
        except Fenced:
            return  # the next `add` says so to the director

    def _fold(self) -> None:
        pending, self._pending = self._pending, []
        for event in merge(pending):
            try:
                self._current = apply(self._current, event)
            except AlreadyFinished:
                return  # a model that goes on after its end has nothing more to say


def merge(events: list[Event]) -> list[Event]:
    """The same events with neighbouring outputs and neighbouring log texts joined, so that folding stays linear."""
    merged: list[Event] = []
    run: list[Event] = []
    for event in events:
        if run and (type(event) is not type(run[-1]) or not isinstance(event, Output | Log)):
            merged.append(_join(run))
            run = []
        run.append(event)
    return [*merged, _join(run)] if run else merged


def _join(run: list[Event]) -> Event:
    if len(run) == 1:
        return run[0]
    outputs = [event for event in run if isinstance(event, Output)]
    if not outputs:
        return Log(text="".join(event.text for event in run if isinstance(event, Log)))
    items: list[Json] = []
    files: dict[str, FileId] = {}
    for output in outputs:
        files.update(_shifted(output.files, len(items)))
        items.extend(output.items)
    return Output(items=tuple(items), files=files)


def _shifted(files: Mapping[str, FileId], offset: int) -> dict[str, FileId]:
    shifted: dict[str, FileId] = {}
    for pointer, file in files.items():
        position, slash, rest = pointer[1:].partition("/")
        shifted[f"/{int(position) + offset}{slash}{rest}"] = file
    return shifted
