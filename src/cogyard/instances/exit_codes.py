"""How a process that is somebody else's child has ended."""

import asyncio
import fcntl
import os
import signal
import struct
import sys
import time

import psutil

COLLECTING = 0.005
"""Seconds within which the kernel has noted the end of a process that it no longer shows."""

WORKER_POLL = 0.1
"""Seconds between two looks for a dead process where the kernel cannot tell us (no pidfd)."""

_PIDFD_GET_INFO, _PIDFD_INFO_EXIT, _PIDFD_INFO_BYTES = 0xC040FF0B, 1 << 3, 64


async def wait_for_exit(pid: int) -> int | None:
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
            code.set_result(exit_code_of_collected(descriptor) if found is None else found)

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


def exit_code_of_collected(descriptor: int) -> int | None:
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


def describe_exit(code: int | None) -> str:
    """What became of a process, as the rest of a sentence about it; a negative code is a signal's."""
    if code is None:
        return "ended, how is not known"
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name if -code in signal.Signals.__members__.values() else str(-code)
    hint = ", perhaps because memory ran out" if -code == signal.SIGKILL else ""
    return f"was killed by signal {-code} ({name}{hint})"
