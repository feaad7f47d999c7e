"""Drives a Cog server over loopback HTTP, and mends what it does badly (`cog-runtime.md` §4, §11)."""

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp
import orjson

from cogyard.domain.errors import SetupFailed
from cogyard.domain.events import Canceled, Failed, Interrupted, Log, Started, Succeeded
from cogyard.domain.prediction import MAX_LOG_CHARACTERS
from cogyard.domain.values import Json, JsonObject, PredictionId
from cogyard.instances.cog_errors import late_setup, setup_error, told_error, told_refusal
from cogyard.instances.cog_marks import mark_inputs, resolve_output, whole_key
from cogyard.instances.cog_process import CogProcess, free_port
from cogyard.instances.cog_stream import CogEvent, EventTooLarge, read_events, read_metric
from cogyard.instances.driver import DriverEvent, Process
from cogyard.instances.scratch import clean_up_after, clean_up_all, make_scratch, read_setup_error, read_setup_log
from cogyard.ports import Clock, Launch

LOG_ROOM_BYTES = 16 * 2**20
"""What the last event may hold besides output: the server repeats in it all that the wrapper let through."""

BUSY_RETRY = 3.0
"""Seconds for which "no slot is free" is believed to be late news (the slot is freed after the answer is sent)."""

BEGIN_PATIENCE = 2.0
"""Seconds for which a cancel waits for the model's code to begin; the server loses one that comes before."""

CANCEL_RETRY = 0.02
"""Seconds between two tries of a cancel that the server did not take."""

_DISOBEYED = "the model's process was killed, since a prediction did not end when it was told to"
_WORKER_GONE = re.compile(r"(?:Prediction failed: )*(?:Worker crashed$|Failed to send request: )")
"""How the server says that its worker died while it ran something, or just before."""

_TOO_FAST = "The model printed or returned more at once than could be read."
_ID = re.compile(r"[0-9a-z]{26}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverLimits:
    """What a model may use: time to obey a cancel, time for a prediction, bytes of output."""

    cancel_grace: timedelta
    predict_timeout: timedelta
    output_bytes: int


@dataclass(slots=True)
class _Run:
    """A prediction in flight. `ending` is what its end shall be called, once somebody wants one."""

    prediction: PredictionId
    ending: Canceled | Failed | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    #: a file that is there while an async model runs this; the Cog server calls it ended as soon as it is cancelled
    sign_of_life: Path | None = None
    output_bytes: int = 0
    log_characters: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class CogServer:
    """A driver (`instances.driver.Driver`) over the server that `cog` brings."""

    def __init__(self, launch: Callable[[int, str], Launch], scratch: Path, clock: Clock, limits: DriverLimits) -> None:
        self._launch = launch
        self._scratch = scratch
        self._clock = clock
        self._limits = limits
        self._nonce = secrets.token_hex(8)
        self._process: CogProcess | None = None
        self._session: aiohttp.ClientSession | None = None
        self._runs: dict[PredictionId, _Run] = {}
        self._kept_temporary: frozenset[str] = frozenset()
        self._cleaning: asyncio.Task[None] | None = None
        self._abandoned: set[asyncio.Task[None]] = set()
        self._base = ""

    @property
    def process(self) -> Process | None:
        """See `Driver`."""
        return None if self._process is None else self._process.identity

    # --- start and stop -------------------------------------------------------------------------------------------

    async def start(self, timeout: timedelta) -> str:  # noqa: ASYNC109 - the group is killed at the deadline
        """See `Driver`."""
        await asyncio.to_thread(make_scratch, self._scratch)
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await self._boot()
        except TimeoutError:
            reason = late_setup((await self._health()).get("user_healthcheck_error"), timeout.total_seconds())
            raise await self._setup_failed(reason, died=False) from None
        except OSError as error:
            raise await self._setup_failed(f"the Cog server could not be started: {error}", died=False) from error
        except asyncio.CancelledError:
            await self.stop()
            raise
        self._kept_temporary = await asyncio.to_thread(lambda: frozenset(_names(self._scratch / "tmp")))
        return await asyncio.to_thread(read_setup_log, self._scratch)

    async def stop(self) -> None:
        """See `Driver`."""
        process, session = self._process, self._session
        self._process = self._session = None
        for task in self._abandoned:
            task.cancel()
        if process is not None:
            await process.stop()
        if session is not None:
            await session.close()
        await asyncio.to_thread(clean_up_all, self._scratch)

    async def exited(self) -> str:
        """See `Driver`."""
        if self._process is None:
            return "it was stopped"
        return await self._process.ended()

    async def _boot(self) -> None:
        port = free_port()
        self._base = f"http://127.0.0.1:{port}"
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=300)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
        process = self._process = await CogProcess.start(self._launch(port, self._nonce))
        pause = 0.01
        while True:
            process.watch_worker()
            if process.has_ended:
                raise await self._setup_failed(await process.ended(), died=True)
            health = await self._health()
            status = health.get("status")
            if status in ("READY", "BUSY") and await asyncio.to_thread(process.owns_port, port):
                process.watch_worker()
                return
            if status == "SETUP_FAILED":
                error = setup_error(health)
                died = error == "worker crashed"
                raise await self._setup_failed(await self._reason() if died else error, died=died)
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.1)

    async def _health(self) -> JsonObject:
        if self._session is None:
            return {}
        try:
            async with self._session.get(f"{self._base}/health-check") as response:
                value: Json = orjson.loads(await response.read())
        except (aiohttp.ClientError, ValueError, OSError):
            return {}
        return value if isinstance(value, dict) else {}

    async def _setup_failed(self, reason: str, *, died: bool) -> SetupFailed:
        """Stop everything; the error to raise, with what setup printed."""
        logs = await asyncio.to_thread(read_setup_log, self._scratch)
        error = await asyncio.to_thread(read_setup_error, self._scratch)
        if not logs and died and error is None and self._process is not None:
            logs = self._process.printed()
        await self.stop()
        # a worker whose setup raised ends too, so its word comes before its exit code
        return SetupFailed(error or reason, logs, died=died and error is None)

    # --- predictions ----------------------------------------------------------------------------------------------

    async def submit(
        self, prediction: PredictionId, model_input: JsonObject, paths: Mapping[str, Path]
    ) -> AsyncGenerator[DriverEvent, None]:
        """See `Driver`."""
        if not _ID.fullmatch(prediction):
            raise ValueError(f"{prediction!r} is no prediction id")
        run = self._runs[prediction] = _Run(prediction)
        run.tasks.append(asyncio.create_task(self._time_out(run)))
        last: DriverEvent | None = None
        try:
            if self._cleaning is not None:
                await self._cleaning
            async with aclosing(self._converse(run, mark_inputs(model_input, paths, self._nonce))) as events:
                async for event in events:
                    if isinstance(event, Succeeded | Failed | Canceled | Interrupted):
                        last = event
                        break
                    yield event
        finally:
            self._finish(run, is_over=last is not None)
        if last is not None:  # told when nothing of it is left, so that the next one may begin at once
            yield last

    def _finish(self, run: _Run, *, is_over: bool) -> None:
        for task in run.tasks:
            task.cancel()
        del self._runs[run.prediction]
        if self._process is not None and (not is_over or (run.ending is not None and _is_there(run.sign_of_life))):
            self._abandon(run)
        keep = None if self._runs or self._abandoned else self._kept_temporary
        self._cleaning = asyncio.create_task(asyncio.to_thread(clean_up_after, self._scratch, run.prediction, keep))

    async def cancel(self, prediction: PredictionId) -> None:
        """See `Driver`."""
        run = self._runs.get(prediction)
        if run is not None and run.ending is None:
            self._end(run, Canceled(at=self._clock.now()))

    async def _converse(self, run: _Run, model_input: JsonObject) -> AsyncGenerator[DriverEvent, None]:
        """Send the prediction, until a slot takes it, and tell what comes back."""
        process, session = self._process, self._session
        if process is None or session is None:
            yield self._interrupted(run, "its instance was stopped")
            return
        url = f"{self._base}/predictions/{run.prediction}"
        body = orjson.dumps({"id": run.prediction, "input": model_input})
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        loop, pause = asyncio.get_running_loop(), 0.001
        give_up = loop.time() + BUSY_RETRY
        try:
            while run.ending is None:
                async with session.put(url, data=body, headers=headers) as response:
                    is_early = loop.time() < give_up or self._abandoned
                    if response.status == 409 and is_early and not process.has_ended:
                        await response.read()
                    elif response.status == 200:
                        async for event in self._listen(run, response):
                            yield event
                        break
                    else:
                        yield await self._refused(run, response)
                        return
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.05)
        except (aiohttp.ClientError, ConnectionError):
            pass  # the process went away; how, is told below
        except EventTooLarge as error:
            process.kill("it was killed, since it printed or returned too much at once")
            yield Failed(at=self._clock.now(), error=f"The model printed or returned more than {error} bytes.")
            return
        yield run.ending or self._interrupted(run, await self._reason())

    async def _reason(self) -> str:
        """How the process ended; it may take a moment to be known after the connection broke."""
        if self._process is None:
            return "its instance was stopped"
        try:
            async with asyncio.timeout(1.0):
                return await self._process.ended()
        except TimeoutError:
            self._process.kill("the Cog server closed the connection")
            return await self._process.ended()

    def _interrupted(self, run: _Run, reason: str) -> DriverEvent:
        """What an end without a word counts as: the wanted end, if there was one."""
        return run.ending or Interrupted(at=self._clock.now(), reason=reason)

    async def _refused(self, run: _Run, response: aiohttp.ClientResponse) -> DriverEvent:
        text = (await response.read())[:2000].decode(errors="replace")
        if response.status == 422:
            return Failed(at=self._clock.now(), error=f"The model refused the input: {told_refusal(text)}")
        reason = f"the Cog server answered {response.status} {text[:200].strip()}"
        if self._process is not None and response.status in (409, 503):
            self._process.kill(reason)  # a server that takes nothing although a slot is free is of no more use
            reason = await self._process.ended()
        return self._interrupted(run, reason)

    async def _listen(self, run: _Run, response: aiohttp.ClientResponse) -> AsyncGenerator[DriverEvent, None]:
        async for event in read_events(response, self._limits.output_bytes + LOG_ROOM_BYTES):
            match event.name:
                case "start":
                    yield Started(at=self._clock.now())
                case "log":
                    text = str(event.data.get("data", ""))
                    if run.log_characters <= MAX_LOG_CHARACTERS:  # the rest would be dropped anyway, at a cost
                        yield Log(text=text)
                    run.log_characters += len(text)
                case "output" | "metric":
                    told = self._told(run, event)
                    if told is not None:
                        yield told
                case "completed":
                    yield await self._completed(run, event)
                    return
                case "error":
                    self._abandon(run)
                    yield run.ending or Failed(at=self._clock.now(), error=_TOO_FAST)
                    return

    def _told(self, run: _Run, event: CogEvent) -> DriverEvent | None:
        """Output or a metric; nothing of either once an end is wanted."""
        whole = whole_key(self._nonce)
        if event.name == "output":
            value = event.data.get("chunk")
            value = value[whole] if isinstance(value, dict) and whole in value else value
        elif event.data.get("name") == whole:
            held = event.data.get("value")
            if not isinstance(held, dict) or "item" not in held:
                self._note_begin(run, held)
                return None
            value = held["item"]
        else:
            return read_metric(event.data)
        run.output_bytes += event.size
        if run.output_bytes > self._limits.output_bytes and run.ending is None:
            error = f"The model's output is larger than {self._limits.output_bytes} bytes, the most that is kept."
            self._end(run, Failed(at=self._clock.now(), error=error))
        return None if run.ending is not None else resolve_output(value, self._scratch / "spool", self._nonce)

    def _note_begin(self, run: _Run, told: Json) -> None:
        name = told.get("begun") if isinstance(told, dict) else None
        run.sign_of_life = self._scratch / "spool" / Path(name).name if isinstance(name, str) else None
        run.begun.set()

    async def _completed(self, run: _Run, event: CogEvent) -> DriverEvent:
        now = self._clock.now()
        status, error = event.data.get("status"), event.data.get("error")
        if event.data.get("id") != run.prediction:
            return self._interrupted(run, "the Cog server answered for another prediction")
        if status == "succeeded":
            return run.ending if isinstance(run.ending, Failed) else Succeeded(at=now)
        if status == "failed" and not _WORKER_GONE.match(str(error)):
            return run.ending or Failed(at=now, error=told_error(error))  # many models raise when they are cancelled
        if status == "canceled":
            return run.ending or Canceled(at=now)
        if status == "failed":
            return self._interrupted(run, await self._reason())
        return self._interrupted(run, f"the Cog server gave the status {status!r}")

    # --- ends that are asked for ----------------------------------------------------------------------------------

    async def _time_out(self, run: _Run) -> None:
        seconds = self._limits.predict_timeout.total_seconds()
        await asyncio.sleep(seconds)
        if run.ending is None:
            self._end(run, Failed(at=self._clock.now(), error=f"Prediction timed out after {seconds:g} seconds"))

    def _end(self, run: _Run, ending: Canceled | Failed) -> None:
        run.ending = ending
        run.tasks.append(asyncio.create_task(self._enforce(run)))

    async def _enforce(self, run: _Run) -> None:
        """Ask the model to end; kill it, and all that runs beside it, when it has not after the grace."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.cancel_grace.total_seconds()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(BEGIN_PATIENCE, deadline - loop.time())):
                await run.begun.wait()
        was_asked = False
        while (left := deadline - loop.time()) > 0:
            was_asked = was_asked or await self._ask_to_end(run.prediction, left)
            await asyncio.sleep(left if was_asked else min(left, CANCEL_RETRY))
        if run.prediction in self._runs and self._process is not None:
            self._process.kill(_DISOBEYED)

    async def _ask_to_end(self, prediction: PredictionId, seconds: float) -> bool:
        """Whether the Cog server took the cancel; it takes none for what it does not know (yet, or any more)."""
        if self._session is None:
            return False
        url = f"{self._base}/predictions/{prediction}/cancel"
        try:
            async with asyncio.timeout(seconds), self._session.post(url) as response:
                await response.read()
                return response.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    def _abandon(self, run: _Run) -> None:
        """See to it that a prediction to which nobody listens any more ends."""
        task = asyncio.create_task(self._end_abandoned(run))
        self._abandoned.add(task)
        task.add_done_callback(self._abandoned.discard)

    async def _end_abandoned(self, run: _Run) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.cancel_grace.total_seconds()
        pause = 0.05  # the server cancels by itself when its listener leaves; asking tells whether it still runs
        while await self._ask_to_end(run.prediction, 1.0) or _is_there(run.sign_of_life):
            if loop.time() > deadline:
                if self._process is not None:
                    self._process.kill(_DISOBEYED)
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)


def _is_there(path: Path | None) -> bool:
    return path is not None and path.exists()


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]
