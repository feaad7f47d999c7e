"""Drives a Cog server over loopback HTTP, and mends what it does badly (`cog-runtime.md` §4, §11)."""

import asyncio
import os
import re
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog

from cogyard.domain.errors import CogyardError, MachineShort, SetupFailed
from cogyard.domain.events import Canceled, Failed, Interrupted, Succeeded
from cogyard.domain.values import JsonObject, PredictionId
from cogyard.instances.cog_ends import DriverLimits, Ends, Run
from cogyard.instances.cog_errors import late_setup, setup_error
from cogyard.instances.cog_http import CogHttp
from cogyard.instances.cog_marks import mark_inputs
from cogyard.instances.cog_process import CogProcess, free_port, is_passing
from cogyard.instances.cog_talk import Talk
from cogyard.instances.driver import DriverEvent, Process
from cogyard.instances.memory import MemoryGroup, MemoryGroups
from cogyard.instances.scratch import (
    clean_up_after,
    clean_up_all,
    is_full,
    make_scratch,
    read_boot,
    read_setup_error,
    read_setup_log,
)
from cogyard.ports import Clock, Launch

__all__ = ["CogServer", "DriverLimits"]

HEALTH_POLL, HEALTH_POLL_LONG = 0.005, 0.1
"""Seconds between two looks whether the model is ready, at first and after a while."""

HEALTH_POLL_PART = 0.01
"""Of the time that a boot has taken, so much may pass until its end is seen."""

_ID = re.compile(r"[0-9a-z]{26}")


@dataclass(frozen=True, slots=True)
class _Prepared:
    """All that a start needs before there is a process."""

    port: int
    launch: Launch
    group: MemoryGroup | None


@dataclass(frozen=True, slots=True)
class _Served:
    """A process, how to ask it, and what ends its predictions."""

    process: CogProcess
    http: CogHttp
    ends: Ends


class CogServer:
    """A driver (`instances.driver.Driver`) over the server that `cog` brings.

    Its memory is bounded by one of `groups`, or by looking at it where there are none.
    """

    def __init__(
        self,
        launch: Callable[[int, str], Launch],
        scratch: Path,
        clock: Clock,
        limits: DriverLimits,
        groups: MemoryGroups | None = None,
    ) -> None:
        """`launch` tells how to start it on a port, with a nonce; it may block."""
        self._launch = launch
        self._scratch = scratch
        self._clock = clock
        self._limits = limits
        self._groups = groups
        self._nonce = secrets.token_hex(8)
        self._preparing: asyncio.Task[_Prepared] | None = None
        self._served: _Served | None = None
        self._watching: asyncio.Task[None] | None = None
        self._kept_temporary: frozenset[str] = frozenset()
        self._cleaning: asyncio.Task[None] | None = None
        self.boot: JsonObject | None = None

    @property
    def process(self) -> Process | None:
        """See `Driver`."""
        return None if self._served is None else self._served.process.identity

    def memory(self) -> int:
        """See `Driver`."""
        return 0 if self._served is None else self._served.process.memory

    # --- start and stop -------------------------------------------------------------------------------------------

    async def start(self, timeout: timedelta) -> str:  # noqa: ASYNC109 - the group is killed at the deadline
        """See `Driver`."""
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await self._boot()
        except TimeoutError:
            health = {} if self._served is None else await self._served.http.health()
            reason = late_setup(health.get("user_healthcheck_error"), timeout.total_seconds())
            raise await self._setup_failed(reason, died=False) from None
        except OSError as error:
            told = f"the Cog server could not be started: {error.strerror or error}"
            if is_passing(error):
                await self.stop()
                raise MachineShort(told) from error
            raise await self._setup_failed(told, died=False) from error
        except (asyncio.CancelledError, CogyardError):
            await self.stop()
            raise
        self._kept_temporary, logs = await asyncio.to_thread(self._read_setup)
        return logs

    async def stop(self) -> None:
        """See `Driver`."""
        served, preparing = self._served, self._preparing
        self._served = self._preparing = None
        if self._watching is not None:
            self._watching.cancel()
        if served is not None:
            served.ends.close()
            await served.process.stop()
            await served.http.close()
        group = None
        if preparing is not None:
            await asyncio.wait({preparing})
            is_prepared = not preparing.cancelled() and preparing.exception() is None
            group = preparing.result().group if is_prepared else None
        await asyncio.to_thread(self._clean_up, group)

    def _clean_up(self, group: MemoryGroup | None) -> None:
        if group is not None:
            group.remove()
        clean_up_all(self._scratch)

    async def exited(self) -> str:
        """See `Driver`."""
        if self._served is None:
            return "it was stopped"
        return await self._served.process.ended()

    def _prepare(self) -> _Prepared:
        make_scratch(self._scratch)
        port = free_port()
        launch = self._launch(port, self._nonce)
        if not os.access(launch.command[0], os.X_OK):
            raise FileNotFoundError(f"there is no {launch.command[0]}")
        return _Prepared(port, launch, self._make_group(launch.share.memory_limit))

    def _make_group(self, limit: int) -> MemoryGroup | None:
        if self._groups is None:
            return None
        try:
            return self._groups.make(self._nonce, limit)
        except OSError as error:  # its memory is looked at instead
            structlog.get_logger().warning("instance.no_control_group", error=str(error))
            return None

    async def _boot(self) -> None:
        self._preparing = asyncio.create_task(asyncio.to_thread(self._prepare))
        prepared = await asyncio.shield(self._preparing)
        process = await CogProcess.start(prepared.launch, prepared.group)
        http = CogHttp(prepared.port)
        self._served = _Served(process, http, Ends(process, http, self._limits, self._clock))
        process.watch_memory(self._limits.memory_interval)
        process.give_way_after(self._limits.head_start)
        await self._await_ready(self._served, prepared.port)
        ready = time.monotonic()
        process.set_up()
        self._watching = asyncio.create_task(self._served.ends.watch_leader())
        self.boot = await asyncio.to_thread(read_boot, self._scratch, process.begun, ready)

    async def _await_ready(self, served: _Served, port: int) -> None:
        process, is_ours = served.process, False
        while True:
            process.watch_worker()
            if process.has_ended:
                raise await self._setup_failed(await process.ended(), died=True)
            health = await served.http.health()
            is_ours = is_ours or (bool(health) and await asyncio.to_thread(process.owns_port, port))
            status = health.get("status") if is_ours else None
            if status in ("READY", "BUSY"):
                process.watch_worker()
                if process.worker is None:
                    raise await self._setup_failed("the model's process ended when it was set up", died=True)
                return
            if status == "SETUP_FAILED":
                error = setup_error(health)
                died = error == "worker crashed"
                raise await self._setup_failed(await process.reason() if died else error, died=died)
            spent = time.monotonic() - process.begun
            await asyncio.sleep(min(max(HEALTH_POLL, HEALTH_POLL_PART * spent), HEALTH_POLL_LONG))

    def _read_setup(self) -> tuple[frozenset[str], str]:
        """What setup left in the temp folder, which stays, and what it printed. Blocking."""
        names = frozenset(entry.name for entry in (self._scratch / "tmp").iterdir())
        return names, read_setup_log(self._scratch)

    async def _setup_failed(self, reason: str, *, died: bool) -> SetupFailed | MachineShort:
        """Stop everything; the error to raise, with what setup printed. A full disk is not the model's fault."""
        logs = await asyncio.to_thread(read_setup_log, self._scratch)
        error = await asyncio.to_thread(read_setup_error, self._scratch)
        if not logs and died and error is None and self._served is not None:
            logs = self._served.process.printed()
        await self.stop()
        if await asyncio.to_thread(is_full, self._scratch):
            return MachineShort("there is no room on the disk of the data folder")
        # a worker whose setup raised ends too, so its word comes before its exit code
        return SetupFailed(error or reason, logs, died=died and error is None)

    # --- predictions ----------------------------------------------------------------------------------------------

    async def submit(
        self, prediction: PredictionId, model_input: JsonObject, paths: Mapping[str, Path]
    ) -> AsyncGenerator[DriverEvent, None]:
        """See `Driver`."""
        if not _ID.fullmatch(prediction):
            raise ValueError(f"{prediction!r} is no prediction id")
        if (served := self._served) is None:
            yield Interrupted(at=self._clock.now(), reason="its instance was stopped")
            return
        run = served.ends.begin(prediction)
        talk = Talk(
            run,
            served.process,
            served.http,
            served.ends,
            self._limits,
            self._clock,
            self._scratch / "spool",
            self._nonce,
        )
        last: DriverEvent | None = None
        try:
            if self._cleaning is not None:
                await self._cleaning
            async with aclosing(talk.listen(mark_inputs(model_input, paths, self._nonce))) as events:
                async for event in events:
                    if isinstance(event, Succeeded | Failed | Canceled | Interrupted):
                        last = event
                        break
                    yield event
        finally:
            self._finish(served.ends, run, is_over=last is not None)
        if last is not None:  # told when nothing of it is left, so that the next one may begin at once
            yield last

    def _finish(self, ends: Ends, run: Run, *, is_over: bool) -> None:
        ends.leave(run, is_over=is_over)
        keep = self._kept_temporary if ends.is_quiet else None
        self._cleaning = asyncio.create_task(asyncio.to_thread(clean_up_after, self._scratch, run.prediction, keep))

    async def cancel(self, prediction: PredictionId) -> None:
        """See `Driver`."""
        if self._served is not None:
            self._served.ends.cancel(prediction)
