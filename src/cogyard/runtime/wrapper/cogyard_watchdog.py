"""The death of the Cogyard server is ours: no model outlives it."""

import os
import select
import signal
import threading


def _die_with(pid: int) -> None:
    """Wait, on a thread, until process `pid` has ended; then end this whole process group."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        _poll_until_gone(pid)
    else:
        select.select([descriptor], [], [])
    os.killpg(0, signal.SIGKILL)


def _poll_until_gone(pid: int) -> None:
    pause = threading.Event()
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            pass
        pause.wait(1.0)


def watch_server() -> None:
    """From now on, end this process group when the Cogyard server ends, which COGYARD_SERVER_PID names."""
    pid = os.environ.get("COGYARD_SERVER_PID", "")
    if pid.isdigit():
        threading.Thread(target=_die_with, args=(int(pid),), daemon=True, name="cogyard watchdog").start()
