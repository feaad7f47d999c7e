"""Processes that must not outlive their purpose: groups, and those that left their group."""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

INSTANCE_MARK = "COGYARD_SPOOL"
"""Variable that every process of an instance is born with: a place in the instance's own folder."""

BUILD_MARK = "COGYARD_BUILD"
"""The same of a build: the environment that it makes."""


def start_time(pid: int) -> float | None:
    """When the process began, in seconds since the epoch as the kernel tells it; None when there is none."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def kill_group(pid: int, started: float) -> bool:
    """Kill the whole group that process `pid`, begun at `started`, leads. Blocking, quick.

    True when something was there to kill. A leader that has died leaves members behind; they are killed too, unless
    the pid has been given to another process since.
    """
    now = start_time(pid)
    if now is not None and abs(now - started) > 1.0:
        return False
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def kill_marked(variable: str, prefix: str) -> int:
    """Kill what was started with an environment in which `variable` begins with `prefix`. Blocking, some milliseconds.

    So a process is found that made itself a session of its own, as daemons do; how many there were. Those of other
    users are left alone.
    """
    killed = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(variable, "").startswith(prefix):
                process.kill()
                killed += 1
    return killed


def children_of(pid: int) -> list[int]:
    """The pids of a process's children, none where it has ended. Quick: other processes are not looked at."""
    if sys.platform != "linux":
        return _children_by_search(pid)
    found: list[int] = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_text(encoding="ascii").split())
    except FileNotFoundError:  # the process or one of its threads has ended, or the kernel does not tell (proc(5))
        return _children_by_search(pid)
    except OSError:
        return []
    return found


def _children_by_search(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.Error:
        return []


def family_of(pid: int) -> list[int]:
    """A process and all that is below it."""
    found = [pid]
    for member in found:  # it grows meanwhile
        found += children_of(member)
    return found


def resident_bytes(pids: Sequence[int]) -> int:
    """The memory that these processes have in use; what several share counts for each."""
    total = 0
    for pid in pids:
        with suppress(psutil.Error):
            total += psutil.Process(pid).memory_info().rss
    return total
