"""Ends that a Cog server does not come to by itself: of cancelled predictions, late ones, ones nobody listens to."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cogyard.domain.events import Canceled, Failed
from cogyard.domain.values import PredictionId
from cogyard.instances.cog_http import CogHttp
from cogyard.instances.cog_process import CogProcess
from cogyard.ports import Clock

BEGIN_PATIENCE = 2.0
"""Seconds for which a cancel waits for the model's code to begin; the server loses one that comes before."""

CANCEL_RETRY = 0.02
"""Seconds between two tries of a cancel that the server did not take."""

MISSES = 3
"""So many times in a row a server does not answer before it is given up."""

_DISOBEYED = "the model's process was killed, since a prediction did not end when it was told to"
_SILENT = "the model's server stopped answering"


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverLimits:
    """What a model may use: time to obey a cancel, time for a prediction, bytes of output.

    Its server begins what it took within `begin_timeout`. It is asked for a sign of life each `liveness_interval`, and
    has half of that time to answer. How much memory it uses is looked at each `memory_interval`. Setup that takes more
    than its `head_start` gives way to what runs: an interpreter's start is soon over, and somebody waits for it.
    """

    cancel_grace: timedelta
    predict_timeout: timedelta
    output_bytes: int
    begin_timeout: timedelta = timedelta(seconds=30)
    liveness_interval: timedelta = timedelta(seconds=10)
    memory_interval: timedelta = timedelta(seconds=0.5)
    head_start: timedelta = timedelta(seconds=1)


@dataclass(slots=True)
class Run:
    """A prediction in flight. `ending` is what its end shall be called, once somebody wants one."""

    prediction: PredictionId
    ending: Canceled | Failed | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    #: a file that is there while an async model runs this; the Cog server calls it ended as soon as it is cancelled
    sign_of_life: Path | None = None
    output_bytes: int = 0
    log_characters: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class Ends:
    """Ends the predictions of one process, and the process itself where they do not obey."""

    def __init__(self, process: CogProcess, http: CogHttp, limits: DriverLimits, clock: Clock) -> None:
        self._process = process
        self._http = http
        self._limits = limits
        self._clock = clock
        self.runs: dict[PredictionId, Run] = {}
        self._abandoned: set[asyncio.Task[None]] = set()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing runs, listened to or not."""
        return not self.runs and not self._abandoned

    @property
    def has_abandoned(self) -> bool:
        """Whether something still runs to which nobody listens."""
        return bool(self._abandoned)

    def begin(self, prediction: PredictionId) -> Run:
        """A prediction comes; its time runs."""
        run = self.runs[prediction] = Run(prediction)
        run.tasks.append(asyncio.create_task(self._time_out(run)))
        return run

    def leave(self, run: Run, *, is_over: bool) -> None:
        """Nobody listens to it any more; it is ended if it is not over."""
        for task in run.tasks:
            task.cancel()
        del self.runs[run.prediction]
        if not is_over or (run.ending is not None and _is_there(run.sign_of_life)):
            self.abandon(run)

    def taken(self, run: Run) -> None:
        """The server took it: it has so much time to begin it."""
        run.tasks.append(asyncio.create_task(self._await_begin(run)))

    def cancel(self, prediction: PredictionId) -> None:
        """Somebody wants it cancelled."""
        run = self.runs.get(prediction)
        if run is not None and run.ending is None:
            self.end(run, Canceled(at=self._clock.now()))

    def end(self, run: Run, ending: Canceled | Failed) -> None:
        """Have it end; it will be called that."""
        run.ending = ending
        run.tasks.append(asyncio.create_task(self._enforce(run)))

    def abandon(self, run: Run) -> None:
        """See to it that a prediction to which nobody listens any more ends."""
        if self._process.has_ended:
            return
        task = asyncio.create_task(self._end_abandoned(run))
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)

    def close(self) -> None:
        """The process is to end: what is abandoned ends with it."""
        for task in self._abandoned:
            task.cancel()

    async def watch_leader(self) -> None:
        """Ask for signs of life; end the process when none come."""
        interval = self._limits.liveness_interval.total_seconds()
        missed = 0
        while missed < MISSES:
            await asyncio.sleep(interval)
            missed = 0 if await self._http.answers(interval / 2) else missed + 1
        self._process.kill(_SILENT)

    async def _time_out(self, run: Run) -> None:
        seconds = self._limits.predict_timeout.total_seconds()
        await asyncio.sleep(seconds)
        if run.ending is None:
            self.end(run, Failed(at=self._clock.now(), error=f"Prediction timed out after {seconds:g} seconds"))

    async def _await_begin(self, run: Run) -> None:
        """Kill a process that begins nothing, unless something that did begin keeps it from that."""
        seconds = self._limits.begin_timeout.total_seconds()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await run.begun.wait()
                return
            if not self._abandoned and not any(other.begun.is_set() for other in self.runs.values()):
                break
        self._process.kill(f"the model's server took a prediction and did not begin it within {seconds:g} s")

    async def _enforce(self, run: Run) -> None:
        """Ask the model to end; kill it, and all that runs beside it, when it has not after the grace."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.cancel_grace.total_seconds()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(BEGIN_PATIENCE, deadline - loop.time())):
                await run.begun.wait()
        was_asked = False
        while (left := deadline - loop.time()) > 0:
            was_asked = was_asked or await self._http.cancel(run.prediction, left)
            await asyncio.sleep(left if was_asked else min(left, CANCEL_RETRY))
        if run.prediction in self.runs:
            self._process.kill(_DISOBEYED)

    async def _end_abandoned(self, run: Run) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.cancel_grace.total_seconds()
        pause = 0.05  # the server cancels by itself when its listener leaves; asking tells whether it still runs
        while await self._http.cancel(run.prediction, 1.0) or _is_there(run.sign_of_life):
            if loop.time() > deadline:
                self._process.kill(_DISOBEYED)
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)


def _is_there(path: Path | None) -> bool:
    return path is not None and path.exists()
