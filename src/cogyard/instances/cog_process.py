"""The process group of one Cog server: its leader answers HTTP, its child, Cog's worker, runs the model."""

import asyncio
import errno
import os
import signal
import socket
import time
from collections import deque
from contextlib import suppress
from datetime import timedelta

import psutil

from cogyard.instances import priority
from cogyard.instances.driver import Process
from cogyard.instances.exit_codes import describe_exit, wait_for_exit
from cogyard.instances.memory import MemoryGroup, out_of_memory
from cogyard.ports import Launch
from cogyard.processes import INSTANCE_MARK, children_of, family_of, kill_marked, resident_bytes, start_time

KEPT_OUTPUT_BYTES = 64 * 1024
"""How much of what the server itself prints is kept, for the case that it dies."""

STOP_GRACE = 2.0
"""Seconds that the leader has to end by itself; models keep nothing that a longer wait would save."""

PIPE_END = 0.5
"""Seconds until the end of what a group printed is seen, once the group is gone."""

LAST_WORDS = 1.0
"""Seconds that the leader has to pass on what a dead worker had printed; it is of no use any more."""

OUT_OF_MEMORY_SCORE = 500
"""How much sooner the kernel takes a model than its server when the machine's memory runs out (proc(5))."""

DATA_ROOM = 2
"""Without a control group, one process may claim so many times what the instance may use: claims are not use."""

_CONFINED = """
{ echo "$1" >/proc/self/oom_score_adj; } 2>/dev/null
[ -z "$2" ] || echo $$ >"$2" || exit 125
[ -z "$3" ] || ulimit -d "$3" 2>/dev/null
shift 3
exec "$@"
"""
"""A process joins its control group before it is what it shall be: no step of it escapes the limit."""

_PASSING = (
    errno.EAGAIN,
    errno.ENOMEM,
    errno.EMFILE,
    errno.ENFILE,
    errno.EADDRINUSE,
    errno.EADDRNOTAVAIL,
    errno.ENOSPC,
    errno.EDQUOT,
    -1,
)
"""Numbers of errors that pass; -1 is how uvloop tells of a process that it found no descriptors for."""


def is_passing(error: OSError) -> bool:
    """Whether a start failed for want of something of the machine's: the next one may go well."""
    return error.errno in _PASSING


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class CogProcess:
    """One started process group."""

    def __init__(
        self, process: asyncio.subprocess.Process, launch: Launch, group: MemoryGroup | None, begun: float
    ) -> None:
        self._process = process
        self._spool = launch.environment[INSTANCE_MARK]
        self._group = group
        self._limit = launch.share.memory_limit
        self.identity = Process(process.pid, start_time(process.pid) or 0.0)
        #: when it was started, on the clock that all processes of the machine share (`time.monotonic`)
        self.begun = begun
        #: bytes of memory in use, when last looked
        self.memory = 0
        self._printed: deque[bytes] = deque()
        self._printed_bytes = 0
        self._is_cut = False
        self._is_gone = False
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.create_task(self._drain()), asyncio.create_task(self._await_leader())]
        self._giving_way: asyncio.Task[None] | None = None
        self.worker: int | None = None

    @classmethod
    async def start(cls, launch: Launch, group: MemoryGroup | None) -> "CogProcess":
        """Start the group. Raises `OSError` when the command cannot be run."""
        begun = time.monotonic()
        share = launch.share
        claim = DATA_ROOM * share.memory_limit // 1024 if group is None and not share.gpus else 0
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            _CONFINED,
            "cogyard",
            str(OUT_OF_MEMORY_SCORE),
            "" if group is None else str(group.members),
            str(claim or ""),
            *launch.command,
            cwd=launch.folder,
            env=dict(launch.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        return cls(process, launch, group, begun)

    @property
    def has_ended(self) -> bool:
        """Whether the leader or the worker is gone."""
        return self._ended.done()

    async def ended(self) -> str:
        """Wait for the end of the leader or the worker; returns how it came."""
        return await asyncio.shield(self._ended)

    def printed(self) -> str:
        """The last of what the server itself printed, from the beginning of a line on."""
        text = b"".join(self._printed).decode(errors="replace")
        # half a line may hold half a secret, which nobody would know as one
        return text.partition("\n")[2] if self._is_cut else text

    def owns_port(self, port: int) -> bool:
        """Whether the listener on `port` is this server, and not a stranger that was quicker."""
        try:
            found = psutil.Process(self.identity.pid).net_connections("tcp4")
        except psutil.Error:
            return False
        return any(one.status == psutil.CONN_LISTEN and one.laddr[1] == port for one in found)

    def watch_worker(self) -> None:
        """Look for the worker, and from then on notice its death, which the leader survives."""
        if self.worker is None and (children := children_of(self.identity.pid)):
            self.worker = children[0]
            self._tasks.append(asyncio.create_task(self._await_worker(self.worker)))

    def watch_memory(self, interval: timedelta) -> None:
        """Look so often how much memory is in use, and end the group when it is too much."""
        self._tasks.append(asyncio.create_task(self._watch_memory(interval.total_seconds())))

    def give_way_after(self, head_start: timedelta) -> None:
        """Give way to others, unless it is set up within that time."""
        self._giving_way = asyncio.create_task(self._give_way(head_start.total_seconds()))
        self._tasks.append(self._giving_way)

    def set_up(self) -> None:
        """Give way no longer."""
        if self._giving_way is not None and not self._giving_way.cancel():
            self._tasks.append(asyncio.create_task(asyncio.to_thread(priority.restore, self.identity.pid)))

    async def _give_way(self, head_start: float) -> None:
        await asyncio.sleep(head_start)
        giving_way = asyncio.create_task(asyncio.to_thread(priority.give_way, self.identity.pid))
        try:
            await asyncio.shield(giving_way)
        except asyncio.CancelledError:
            await giving_way
            await asyncio.to_thread(priority.restore, self.identity.pid)
            raise

    async def reason(self) -> str:
        """How it ended; that may take a moment to be known after its connections broke."""
        try:
            async with asyncio.timeout(1.0):
                return await self.ended()
        except TimeoutError:
            self.kill("the Cog server closed the connection")
            return await self.ended()

    def kill(self, reason: str) -> None:
        """End the whole group at once; `reason` is how it ended, unless it had ended already."""
        self._end(reason)
        self._kill_group()

    def _kill_group(self) -> None:
        if self._is_gone:
            return  # its pid may be somebody else's by now
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.identity.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """End the group: the leader is asked, then everything is killed. Returns when all of it is gone."""
        self._end("its instance was stopped")
        members = await asyncio.to_thread(self._members)
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_GRACE):
                    await self._process.wait()
        self._kill_group()
        # what left the process group is ended too: it may hold our pipe open
        if self._group is None:
            await asyncio.to_thread(kill_marked, INSTANCE_MARK, self._spool)
        else:
            await asyncio.to_thread(self._group.kill)
        await self._process.wait()
        await asyncio.to_thread(_await_end, members)
        await asyncio.wait(self._tasks[:1], timeout=PIPE_END)  # nobody holds our pipe any more: it ends, and is closed
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self._is_gone = True

    def _members(self) -> list[psutil.Process]:
        """What lives below the leader, and the worker, which outlives it. Blocking."""
        with suppress(psutil.Error):
            return psutil.Process(self.identity.pid).children(recursive=True)
        with suppress(psutil.Error):
            return [] if self.worker is None else [psutil.Process(self.worker)]
        return []

    async def _drain(self) -> None:
        """Read what the server prints, so that it never blocks, and keep the last of it."""
        stream = self._process.stdout
        while stream is not None and (piece := await stream.read(16384)):
            self._printed.append(piece)
            self._printed_bytes += len(piece)
            while self._printed_bytes > KEPT_OUTPUT_BYTES and len(self._printed) > 1:
                self._printed_bytes -= len(self._printed.popleft())
                self._is_cut = True

    async def _await_leader(self) -> None:
        code = await self._process.wait()
        self._end(await self._told("the Cog server", code))

    async def _await_worker(self, pid: int) -> None:
        code = await wait_for_exit(pid)
        self._end(await self._told("the model's process", code))
        await asyncio.sleep(LAST_WORDS)
        self._kill_group()

    async def _told(self, what: str, code: int | None) -> str:
        if code in (-signal.SIGKILL, None) and self._group is not None and await asyncio.to_thread(self._group.ran_out):
            return out_of_memory(self._limit)
        return f"{what} {describe_exit(code)}"

    async def _watch_memory(self, interval: float) -> None:
        while True:
            self.memory, is_too_much = await asyncio.to_thread(self._look_at_memory)
            if is_too_much:  # of several processes the kernel may have killed one that the others can do without
                self.kill(out_of_memory(self._limit))
                return
            await asyncio.sleep(interval)

    def _look_at_memory(self) -> tuple[int, bool]:
        """Bytes in use, and whether that is, or was, too much. Blocking."""
        if self._group is not None:
            return self._group.used(), self._group.ran_out()
        used = resident_bytes(family_of(self.identity.pid))
        return used, 0 < self._limit < used

    def _end(self, reason: str) -> None:
        if not self._ended.done():
            self._ended.set_result(reason)


def _await_end(processes: list[psutil.Process]) -> None:
    """Wait until all of them, just killed, have ended, collected or not. Blocking."""
    deadline = time.monotonic() + STOP_GRACE
    for process in processes:
        with suppress(psutil.Error):
            while process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
                time.sleep(0.002)
