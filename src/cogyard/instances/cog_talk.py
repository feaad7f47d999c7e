"""One prediction's talk with a Cog server: sent until a slot takes it, then told in the words of the house."""

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp

from cogyard.domain.events import Canceled, Failed, Interrupted, Log, Started, Succeeded
from cogyard.domain.prediction import MAX_LOG_CHARACTERS
from cogyard.domain.values import Json, JsonObject
from cogyard.instances.cog_ends import DriverLimits, Ends, Run
from cogyard.instances.cog_errors import told_error, told_refusal
from cogyard.instances.cog_http import CogHttp
from cogyard.instances.cog_marks import resolve_output, whole_key
from cogyard.instances.cog_process import CogProcess
from cogyard.instances.cog_stream import CogEvent, EventTooLarge, read_events, read_metric
from cogyard.instances.driver import DriverEvent
from cogyard.ports import Clock

LOG_ROOM_BYTES = 16 * 2**20
"""What the last event may hold besides output: the server repeats in it all that the wrapper let through."""

BUSY_RETRY = 3.0
"""Seconds for which "no slot is free" is believed to be late news (the slot is freed after the answer is sent)."""

_WORKER_GONE = re.compile(r"(?:Prediction failed: )*(?:Worker crashed$|Failed to send request: )")
"""How the server says that its worker died while it ran something, or just before."""

_TOO_FAST = "The model printed or returned more at once than could be read."


class Talk:
    """The talk of a run with the server of `process`; files that the model returns lie in `spool`."""

    def __init__(  # noqa: PLR0913 - both sides, and what they may do
        self,
        run: Run,
        process: CogProcess,
        http: CogHttp,
        ends: Ends,
        limits: DriverLimits,
        clock: Clock,
        spool: Path,
        nonce: str,
    ) -> None:
        self._run = run
        self._process = process
        self._http = http
        self._ends = ends
        self._limits = limits
        self._clock = clock
        self._spool = spool
        self._nonce = nonce

    async def listen(self, model_input: JsonObject) -> AsyncGenerator[DriverEvent, None]:
        """Send the prediction, until a slot takes it, and tell what comes back."""
        run, process = self._run, self._process
        loop, pause = asyncio.get_running_loop(), 0.001
        give_up = loop.time() + BUSY_RETRY
        try:
            while run.ending is None and not process.has_ended:
                async with self._http.put(run.prediction, model_input) as response:
                    is_early = loop.time() < give_up or self._ends.has_abandoned
                    if response.status == 409 and is_early:
                        await response.read()
                    elif response.status == 200:
                        self._ends.taken(run)
                        async for event in self._events(response):
                            yield event
                        break
                    else:
                        yield await self._refused(response)
                        return
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.05)
        except (aiohttp.ClientError, ConnectionError):
            pass  # the process went away; how, is told below
        except EventTooLarge as error:
            process.kill("it was killed, since it printed or returned too much at once")
            yield Failed(at=self._clock.now(), error=f"The model printed or returned more than {error} bytes.")
            return
        yield run.ending or self._interrupted(await process.reason())

    def _interrupted(self, reason: str) -> DriverEvent:
        """What an end without a word counts as: the wanted end, if there was one."""
        return self._run.ending or Interrupted(at=self._clock.now(), reason=reason)

    async def _refused(self, response: aiohttp.ClientResponse) -> DriverEvent:
        text = (await response.read())[:2000].decode(errors="replace")
        if response.status == 422:
            return Failed(at=self._clock.now(), error=f"The model refused the input: {told_refusal(text)}")
        reason = f"the Cog server answered {response.status} {text[:200].strip()}"
        if response.status in (409, 503):
            self._process.kill(reason)  # a server that takes nothing although a slot is free is of no more use
            reason = await self._process.ended()
        return self._interrupted(reason)

    async def _events(self, response: aiohttp.ClientResponse) -> AsyncGenerator[DriverEvent, None]:
        run = self._run
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
                    told = self._told(event)
                    if told is not None:
                        yield told
                case "completed":
                    yield await self._completed(event)
                    return
                case "error":
                    self._ends.abandon(run)
                    yield run.ending or Failed(at=self._clock.now(), error=_TOO_FAST)
                    return

    def _told(self, event: CogEvent) -> DriverEvent | None:
        """Output or a metric; nothing of either once an end is wanted."""
        run, whole = self._run, whole_key(self._nonce)
        if event.name == "output":
            value = event.data.get("chunk")
            value = value[whole] if isinstance(value, dict) and whole in value else value
        elif event.data.get("name") == whole:
            held = event.data.get("value")
            if not isinstance(held, dict) or "item" not in held:
                self._note_begin(held)
                return None
            value = held["item"]
        else:
            return read_metric(event.data)
        run.output_bytes += event.size
        if run.output_bytes > self._limits.output_bytes and run.ending is None:
            error = f"The model's output is larger than {self._limits.output_bytes} bytes, the most that is kept."
            self._ends.end(run, Failed(at=self._clock.now(), error=error))
        return None if run.ending is not None else resolve_output(value, self._spool, self._nonce)

    def _note_begin(self, told: Json) -> None:
        name = told.get("begun") if isinstance(told, dict) else None
        self._run.sign_of_life = self._spool / Path(name).name if isinstance(name, str) else None
        self._run.begun.set()

    async def _completed(self, event: CogEvent) -> DriverEvent:
        run, now = self._run, self._clock.now()
        status, error = event.data.get("status"), event.data.get("error")
        if event.data.get("id") != run.prediction:
            return self._interrupted("the Cog server answered for another prediction")
        if status == "succeeded":
            return run.ending if isinstance(run.ending, Failed) else Succeeded(at=now)
        if status == "failed" and not _WORKER_GONE.match(str(error)):
            return run.ending or Failed(at=now, error=told_error(error))  # many models raise when they are cancelled
        if status == "canceled":
            return run.ending or Canceled(at=now)
        if status == "failed":
            return self._interrupted(await self._process.reason())
        return self._interrupted(f"the Cog server gave the status {status!r}")
