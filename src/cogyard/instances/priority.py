"""Who goes first: a model that is set up gives way to those that run, and to the server."""

import os
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

from cogyard.processes import family_of

SETUP_NICE = 5
"""How much nicer setup is than running (nice(2))."""

_CAP_SYS_NICE = 1 << 23
_TRIES, _PAUSE, _PASSES = 5, 0.15, 5


def give_way(leader: int) -> None:
    """Have a session, which this process leads, give way to others. Blocking, quick; never fails."""
    if sys.platform == "linux":
        _set_threads(leader, SETUP_NICE if _may_rise() else None)
        _set_autogroup(leader, SETUP_NICE)


def restore(leader: int) -> None:
    """Have it run as this server does. Blocking; never fails."""
    if sys.platform == "linux":
        _set_threads(leader, 0)
        _set_autogroup(leader, 0)


def _set_threads(leader: int, extra: int | None) -> None:
    """Make every thread so much nicer than this server, or with None a batch thread: who grew nicer may be so for ever.

    Each has a priority of its own, and what it starts inherits that: it is looked again until all have it.
    """
    nice, policy = _own_nice() + (extra or 0), os.SCHED_BATCH if extra is None else os.SCHED_OTHER
    done: set[int] = set()
    for _ in range(_PASSES):
        found = {thread for pid in family_of(leader) for thread in _threads(pid)} - done
        for thread in found:
            with suppress(OSError):
                if os.sched_getscheduler(thread) in (os.SCHED_BATCH, os.SCHED_OTHER):  # not what the model chose itself
                    os.sched_setscheduler(thread, policy, os.sched_param(0))
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, thread, nice)
        done |= found
        if not found:
            return


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


def _set_autogroup(leader: int, nice: int) -> None:
    """Where the kernel groups each session (sched(7)), its members' own nice values count among themselves only."""
    for _ in range(_TRIES):
        try:
            Path(f"/proc/{leader}/autogroup").write_text(str(nice), encoding="ascii")
        except BlockingIOError:  # the kernel takes ten of these a second, of all processes together
            time.sleep(_PAUSE)
        except OSError:
            return  # there are no such groups, or no process any more
        else:
            return


def _threads(pid: int) -> list[int]:
    try:
        return [int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []
