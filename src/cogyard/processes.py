"""Process groups that must not outlive their purpose."""

import os
import signal

import psutil


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
