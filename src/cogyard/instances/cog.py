"""Drives a Cog server over loopback HTTP, and mends what it does badly (`cog-runtime.md` §4, §11)."""

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp
import orjson

from cogyard.domain.errors import SetupFailed
from cogyard.domain.events import Canceled, Failed, Interrupted, Log, Metric, MetricMode, Started, Succeeded
from cogyard.domain.prediction import MAX_LOG_CHARACTERS
from cogyard.domain.values import Json, JsonObject, PredictionId
from cogyard.instances.cog_process import CogProcess, free_port
from cogyard.instances.cog_stream import CogEvent, EventTooLarge, read_events
from cogyard.instances.driver import DriverEvent, Process, Produced
from cogyard.instances.scratch import clean_up_after, clean_up_all, read_setup_error, read_setup_log
from cogyard.ports import Clock, Launch

LOG_ROOM_BYTES = 256 * 2**20
"""What the last event may hold besides output: the server repeats in it all that the model printed."""

BUSY_RETRY = 3.0
"""Seconds for which "no slot is free" is believed to be late news (the slot is freed after the answer is sent)."""

_PREFIXES = re.compile(r"^(?:(?:Prediction failed|Setup failed|Generator iteration error|Async prediction failed): )+")
_MODES = {"increment": MetricMode.increment, "incr": MetricMode.increment, "append": MetricMode.append}
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
        self._base = ""

    @property
    def process(self) -> Process | None:
        """See `Driver`."""
        return None if self._process is None else self._process.identity

    # --- start and stop -------------------------------------------------------------------------------------------

    async def start(self, timeout: timedelta) -> str:  # noqa: ASYNC109 - the group is killed at the deadline
        """See `Driver`."""
        await asyncio.to_thread(self._make_scratch)
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await self._boot()
        except TimeoutError:
            reason = f"setup did not end within {timeout.total_seconds():g} seconds"
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

    def _make_scratch(self) -> None:
        for name in ("tmp", "spool", "home", "inputs"):
            (self._scratch / name).mkdir(mode=0o700, parents=True, exist_ok=True)

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
                error = _setup_error(health)
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
        if self._cleaning is not None:
            await self._cleaning
        run = self._runs[prediction] = _Run(prediction)
        run.tasks.append(asyncio.create_task(self._time_out(run)))
        try:
            async for event in self._converse(run, self._marked(model_input, paths)):
                yield event
        finally:
            for task in run.tasks:
                task.cancel()
            del self._runs[prediction]
            keep = None if self._runs else self._kept_temporary
            self._cleaning = asyncio.create_task(asyncio.to_thread(clean_up_after, self._scratch, prediction, keep))

    async def cancel(self, prediction: PredictionId) -> None:
        """See `Driver`."""
        run = self._runs.get(prediction)
        if run is not None and run.ending is None:
            self._end(run, Canceled(at=self._clock.now()))

    def _marked(self, model_input: JsonObject, paths: Mapping[str, Path]) -> JsonObject:
        """The input with the wrapper's marks where files stand."""
        marked: JsonObject = orjson.loads(orjson.dumps(model_input)) if paths else model_input
        for pointer, path in paths.items():
            keys = [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]
            place: Json = marked
            for key in keys[:-1]:
                place = _step(place, key)
            mark = f"cogyard-input:{self._nonce}:{path}"
            if isinstance(place, list):
                place[int(keys[-1])] = mark
            elif isinstance(place, dict):
                place[keys[-1]] = mark
        return marked

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
            while True:
                async with session.put(url, data=body, headers=headers) as response:
                    if response.status == 409 and loop.time() < give_up and not process.has_ended:
                        await response.read()
                    elif response.status == 200:
                        async for event in self._listen(run, response):
                            yield event
                            if isinstance(event, Succeeded | Failed | Canceled | Interrupted):
                                return
                        break
                    else:
                        yield await self._refused(run, response)
                        return
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.05)
        except (aiohttp.ClientError, ConnectionError):
            pass  # the process went away; how, is told below
        except EventTooLarge as error:
            process.kill()
            yield Failed(at=self._clock.now(), error=f"The model printed or returned more than {error} bytes.")
            return
        yield self._interrupted(run, await self._reason())

    async def _reason(self) -> str:
        """How the process ended; it may take a moment to be known after the connection broke."""
        if self._process is None:
            return "its instance was stopped"
        try:
            async with asyncio.timeout(1.0):
                return await self._process.ended()
        except TimeoutError:
            self._process.kill()
            return "the Cog server closed the connection"

    def _interrupted(self, run: _Run, reason: str) -> DriverEvent:
        """What an end without a word counts as: the wanted end, if there was one."""
        return run.ending or Interrupted(at=self._clock.now(), reason=reason)

    async def _refused(self, run: _Run, response: aiohttp.ClientResponse) -> DriverEvent:
        text = (await response.read())[:2000].decode(errors="replace")
        if response.status == 422:
            return Failed(at=self._clock.now(), error=f"The model refused the input: {_detail(text)}")
        if self._process is not None and response.status in (409, 503):
            self._process.kill()  # a server that takes nothing although a slot is free is of no more use
        return self._interrupted(run, f"the Cog server answered {response.status} {text[:200].strip()}")

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
                    self._end(run, Failed(at=self._clock.now(), error=_TOO_FAST))
                    yield run.ending or Canceled(at=self._clock.now())
                    return

    def _told(self, run: _Run, event: CogEvent) -> DriverEvent | None:
        """Output or a metric; nothing of either once an end is wanted."""
        whole = f"cogyard_{self._nonce}"
        if event.name == "output":
            value = event.data.get("chunk")
            value = value[whole] if isinstance(value, dict) and whole in value else value
        elif event.data.get("name") == whole:
            held = event.data.get("value")
            value = held.get("item") if isinstance(held, dict) else None
        else:
            return _metric(event.data)
        run.output_bytes += event.size
        if run.output_bytes > self._limits.output_bytes and run.ending is None:
            error = f"The model's output is larger than {self._limits.output_bytes} bytes, the most that is kept."
            self._end(run, Failed(at=self._clock.now(), error=error))
        return None if run.ending is not None else self._produced(value)

    def _produced(self, value: Json) -> Produced:
        """Output with the wrapper's marks resolved: only files of this instance's spool, and only with its nonce."""
        mark = f"cogyard-output:{self._nonce}:"
        spool = self._scratch / "spool"
        paths: dict[str, Path] = {}

        def walk(item: Json, pointer: str) -> Json:
            if isinstance(item, str) and item.startswith(mark):
                folder, _, name = item[len(mark) :].partition("/")
                path = spool / Path(folder).name / Path(name).name
                if path.is_file() and not path.is_symlink():
                    paths[pointer] = path
                    return path.name
            if isinstance(item, dict):
                return {key: walk(inner, f"{pointer}/{_escaped(key)}") for key, inner in item.items()}
            if isinstance(item, list):
                return [walk(inner, f"{pointer}/{index}") for index, inner in enumerate(item)]
            return item

        return Produced(value=walk(value, ""), paths=paths)

    async def _completed(self, run: _Run, event: CogEvent) -> DriverEvent:
        now = self._clock.now()
        status, error = event.data.get("status"), event.data.get("error")
        if event.data.get("id") != run.prediction:
            return self._interrupted(run, "the Cog server answered for another prediction")
        if status == "succeeded":
            return run.ending if isinstance(run.ending, Failed) else Succeeded(at=now)
        if status == "failed" and error != "Worker crashed":
            return run.ending if isinstance(run.ending, Failed) else Failed(at=now, error=_told_error(error))
        if status == "canceled" and run.ending is None:
            return Canceled(at=now)
        return self._interrupted(run, await self._reason() if status == "failed" else "it was cancelled")

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
        session = self._session
        if session is not None:
            try:
                async with session.post(f"{self._base}/predictions/{run.prediction}/cancel") as response:
                    await response.read()
            except (aiohttp.ClientError, OSError):
                pass  # a server that cannot be asked is killed below
        await asyncio.sleep(self._limits.cancel_grace.total_seconds())
        if run.prediction in self._runs and self._process is not None:
            self._process.kill()


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def _step(place: Json, key: str) -> Json:
    if isinstance(place, list):
        return place[int(key)]
    return place[key] if isinstance(place, dict) else None


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _metric(data: JsonObject) -> Metric | None:
    name, mode = data.get("name"), data.get("mode")
    if not isinstance(name, str):
        return None
    return Metric(name=name, value=data.get("value"), mode=_MODES.get(str(mode), MetricMode.replace))


def _told_error(error: Json) -> str:
    """The model's own words, without the server's prefixes."""
    text = _PREFIXES.sub("", str(error or "The model failed without a word"))
    if text.startswith("Failed to parse output JSON"):
        return "The model's output is not valid JSON: it holds NaN or Infinity."
    if text.startswith("Failed to serialize output: "):
        return "The model's output is not JSON: " + text.partition("TypeError: ")[2]
    return text


def _setup_error(health: JsonObject) -> str:
    setup = health.get("setup")
    logs = setup.get("logs") if isinstance(setup, dict) else None
    lines = [line for line in str(logs or "").splitlines() if line and not line.startswith("[coglet")]
    return _PREFIXES.sub("", lines[-1]) if lines else "setup failed without a word"


def _detail(text: str) -> str:
    try:
        value = orjson.loads(text)
        return "; ".join(f"{entry['loc'][-1]}: {entry['msg']}" for entry in value["detail"])
    except (ValueError, KeyError, TypeError, IndexError):
        return text.strip()
