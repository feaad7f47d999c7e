"""The process group of one Cog server: its leader answers HTTP, its child, Cog's worker, runs the model."""

import asyncio
import fcntl
import os
import signal
import socket
import struct
import sys
import time
from collections import deque
from contextlib import suppress

import psutil

from cogyard.instances.driver import Process
from cogyard.ports import Launch
from cogyard.processes import INSTANCE_MARK, kill_marked, start_time

KEPT_OUTPUT_BYTES = 64 * 1024
"""How much of what the server itself prints is kept, for the case that it dies."""

STOP_GRACE = 2.0
"""Seconds that the leader has to end by itself; models keep nothing that a longer wait would save."""

PIPE_END = 0.5
"""Seconds until the end of what a group printed is seen, once the group is gone."""

LAST_WORDS = 1.0
"""Seconds that the leader has to pass on what a dead worker had printed; it is of no use any more."""

COLLECTING = 0.005
"""Seconds within which the kernel has noted the end of a process that it no longer shows."""

_PIDFD_GET_INFO, _PIDFD_INFO_EXIT, _PIDFD_INFO_BYTES = 0xC040FF0B, 1 << 3, 64

WORKER_POLL = 0.1
"""Seconds between two looks for a dead worker where the kernel cannot tell us (no pidfd)."""


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class CogProcess:
    """One started process group."""

    def __init__(self, process: asyncio.subprocess.Process, started: float, spool: str) -> None:
        self._process = process
        self._spool = spool
        self.identity = Process(process.pid, started)
        self._printed: deque[bytes] = deque()
        self._printed_bytes = 0
        self._is_cut = False
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.create_task(self._drain()), asyncio.create_task(self._await_leader())]
        self.worker: int | None = None

    @classmethod
    async def start(cls, launch: Launch) -> "CogProcess":
        """Start the group. Raises `OSError` when the command cannot be run."""
        process = await asyncio.create_subprocess_exec(
            *launch.command,
            cwd=launch.folder,
            env=dict(launch.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        return cls(process, start_time(process.pid) or 0.0, launch.environment[INSTANCE_MARK])

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
        if self.worker is not None:
            return
        try:
            children = psutil.Process(self.identity.pid).children()
        except psutil.Error:
            return
        if children:
            self.worker = children[0].pid
            self._tasks.append(asyncio.create_task(self._await_worker(self.worker)))

    def kill(self, reason: str) -> None:
        """End the whole group at once; `reason` is how it ended, unless it had ended already."""
        self._end(reason)
        self._kill_group()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.identity.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """End the group: the leader is asked, then everything is killed. Returns when all of it is gone."""
        members = await asyncio.to_thread(self._members)
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_GRACE):
                    await self._process.wait()
        self._kill_group()
        # what left the group is ended too: it may hold our pipe open
        await asyncio.to_thread(kill_marked, INSTANCE_MARK, self._spool)
        await self._process.wait()
        await asyncio.to_thread(_await_end, members)
        await asyncio.wait(self._tasks[:1], timeout=PIPE_END)  # nobody holds our pipe any more: it ends, and is closed
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self._end("it was stopped")

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
        self._end(f"the Cog server {_describe_exit(code)}")

    async def _await_worker(self, pid: int) -> None:
        self._end(f"the model's process {_describe_exit(await _wait_for_exit(pid))}")
        await asyncio.sleep(LAST_WORDS)
        self._kill_group()

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


async def _wait_for_exit(pid: int) -> int | None:
    """The exit code of process `pid`, a child of somebody else, once it has ended; None when it was not to be had.

    The leader collects its worker soon after, and the code with it: it is read in the very callback, and where that is
    too late, newer kernels (Linux 6.15) still know.
    """
    loop = asyncio.get_running_loop()
    try:
        descriptor = os.pidfd_open(pid) if sys.platform == "linux" else None
    except ProcessLookupError:
        return None
    if descriptor is None:
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
            await asyncio.sleep(WORKER_POLL)
        return None
    code: asyncio.Future[int | None] = loop.create_future()

    def read_code() -> None:
        loop.remove_reader(descriptor)
        if not code.done():
            found = _exit_code_of_zombie(pid)
            code.set_result(_exit_code_of_collected(descriptor) if found is None else found)

    loop.add_reader(descriptor, read_code)
    try:
        return await code
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _exit_code_of_zombie(pid: int) -> int | None:
    """The exit code of a child of somebody else that was not collected (proc(5), field 52); negative for a signal."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            status = int(file.read().rpartition(")")[2].split()[-1])
    except (OSError, ValueError, IndexError):
        return None
    return os.waitstatus_to_exitcode(status)


def _exit_code_of_collected(descriptor: int) -> int | None:
    """The exit code of a child of somebody else that was collected, by its pidfd (linux/pidfd.h, `pidfd_info`)."""
    info = bytearray(_PIDFD_INFO_BYTES)
    struct.pack_into("=Q", info, 0, _PIDFD_INFO_EXIT)
    deadline = time.monotonic() + COLLECTING
    while True:
        try:
            fcntl.ioctl(descriptor, _PIDFD_GET_INFO, info)
        except OSError:
            return None
        if struct.unpack_from("=Q", info, 0)[0] & _PIDFD_INFO_EXIT:
            return os.waitstatus_to_exitcode(struct.unpack_from("=i", info, 60)[0])
        if time.monotonic() > deadline:
            return None


def _describe_exit(code: int | None) -> str:
    if code is None:
        return "ended, how is not known"
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in signal.Signals.__members__.values() else str(-code)
    hint = ", perhaps because memory ran out" if -code == signal.SIGKILL else ""
    return f"was killed by signal {-code} ({name}{hint})"
