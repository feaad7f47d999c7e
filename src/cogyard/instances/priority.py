"""Who goes first: a model that is set up gives way to those that run, and to the server."""

import os
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

SETUP_NICE = 5
"""How much nicer setup is than running (nice(2))."""

_CAP_SYS_NICE = 1 << 23
_TRIES, _PAUSE = 5, 0.15


def lower(leader: int) -> None:
    """Have a process that was just started, and all that it will start, give way. Quick; never fails."""
    if sys.platform != "linux":
        return
    with suppress(OSError):
        if _may_rise():
            os.setpriority(os.PRIO_PROCESS, leader, _own_nice() + SETUP_NICE)
        else:  # whoever grew nicer could not come back; a batch process can
            os.sched_setscheduler(leader, os.SCHED_BATCH, os.sched_param(0))
    _set_autogroup(leader, SETUP_NICE)


def restore(pids: Sequence[int]) -> None:
    """Have these processes, of which the first leads a session, run as the server does. Blocking; never fails."""
    if sys.platform != "linux":
        return
    nice = _own_nice()
    for pid in pids:
        for thread in _threads(pid):  # each has a priority of its own
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, thread, nice)
            with suppress(OSError):
                if os.sched_getscheduler(thread) == os.SCHED_BATCH:
                    os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
    for _ in range(_TRIES):  # the kernel takes ten of these a second, of all processes together
        if _set_autogroup(pids[0], 0):
            return
        time.sleep(_PAUSE)


def _own_nice() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def _may_rise() -> bool:
    """Whether a child of this process that grew nicer can come back."""
    if resource.getrlimit(resource.RLIMIT_NICE)[0] >= 20 - _own_nice():
        return True
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return bool(int(value, 16) & _CAP_SYS_NICE)
    return False


def _set_autogroup(leader: int, nice: int) -> bool:
    """Where the kernel groups each session (sched(7)), its members' own nice values count among themselves only."""
    try:
        Path(f"/proc/{leader}/autogroup").write_text(str(nice), encoding="ascii")
    except BlockingIOError:
        return False
    except OSError:
        pass  # there are no such groups, or no process any more
    return True


def _threads(pid: int) -> list[int]:
    try:
        return [int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []
