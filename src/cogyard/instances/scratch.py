"""An instance's private folders: home and temp folder of its process, spool of its outputs, fetched inputs."""

import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cogyard.domain.values import JsonObject, PredictionId

COGLET_SPOOL = Path("/tmp/coglet/predictions")
"""Where the Cog server leaves three folders for each prediction, whatever TMPDIR says."""

SPOOLED_LOT = 10_000
"""Of so many at once the store is asked which are ours."""

START_ROOM = 2**20
"""Bytes without which no instance starts: its folders, its log, what Python and the Cog server write."""

KEPT_SETUP_LOG = 100_000
"""Bytes."""

_TEMPORARY = re.compile(r"tmp[a-z0-9_]{8}")
"""What Python's `tempfile` calls things; what a model names itself (a cache, say) is left alone."""


def make_scratch(scratch: Path) -> None:
    """Make the folders that an instance needs. Blocking."""
    for name in ("tmp", "spool", "home", "inputs"):
        (scratch / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    for shared in (COGLET_SPOOL.parent, COGLET_SPOOL):
        with suppress(OSError):  # it is there already, which is as good
            shared.mkdir()
            shared.chmod(0o1777)  # the Cog servers of other users need it too


def is_full(scratch: Path) -> bool:
    """Whether the disk below has no room for what a start writes there. Blocking."""
    with suppress(OSError):  # the folder itself is gone by now
        return shutil.disk_usage(scratch.parent).free < START_ROOM
    return False


def read_setup_log(scratch: Path) -> str:
    """What the model printed in setup, the last part of it. Blocking."""
    return _tail(scratch / "spool" / "setup.log").decode(errors="replace")


def read_setup_error(scratch: Path) -> str | None:
    """What setup raised, as a traceback ends; None when it raised nothing. Blocking."""
    return _tail(scratch / "spool" / "setup.error").decode(errors="replace") or None


def read_boot(scratch: Path, begun: float, ready: float) -> JsonObject | None:
    """The seconds of a boot from `begun` to `ready` that each phase took; None when the wrapper left no times.

    `spawn` until the wrapper's first line in the worker, `import` until the model's module is loaded, then `setup`.
    All times are of the clock that the processes of a machine share (`time.monotonic`). Blocking.
    """
    try:
        wrapped, loaded = map(float, _tail(scratch / "spool" / "boot").split())
    except ValueError:
        return None
    if not begun <= wrapped <= loaded <= ready:  # the file is the model's to write
        return None
    times = {"spawn": wrapped - begun, "import": loaded - wrapped, "setup": ready - loaded}
    return {phase: round(seconds, 3) for phase, seconds in times.items()}


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            start = max(file.seek(0, os.SEEK_END) - KEPT_SETUP_LOG, 0)
            file.seek(start)
            found = file.read(KEPT_SETUP_LOG)
            # half a line may hold half a secret, which nobody would know as one
            return found.partition(b"\n")[2] if start else found
    except OSError:
        return b""


def clean_up_after(scratch: Path, prediction: PredictionId, kept_temporary: frozenset[str] | None) -> None:
    """Remove what a prediction left behind. Blocking.

    `kept_temporary` names what was in the temp folder after setup and stays; None leaves that folder alone, since
    other predictions still use it.
    """
    clean_up_spool([prediction])
    if kept_temporary is None:
        return
    for entry in [*_entries(scratch / "spool"), *_entries(scratch / "tmp")]:
        is_spooled = entry.parent.name == "spool" and entry.is_dir()
        is_temporary = entry.parent.name == "tmp" and _TEMPORARY.match(entry.name) and entry.name not in kept_temporary
        if is_spooled or is_temporary:
            _remove(entry)


def spooled() -> list[list[PredictionId]]:
    """Predictions, whosever, that left something in the Cog servers' common folder, in lots. Blocking."""
    found = [PredictionId(entry.name) for entry in _entries(COGLET_SPOOL)]
    return [found[start : start + SPOOLED_LOT] for start in range(0, len(found), SPOOLED_LOT)]


def clean_up_spool(predictions: Iterable[PredictionId]) -> None:
    """Remove from that folder what is there of these, none of which may run. Blocking."""
    for prediction in predictions:
        shutil.rmtree(COGLET_SPOOL / prediction, ignore_errors=True)


def clean_up_all(scratch: Path) -> None:
    """Remove the instance's folders. Blocking."""
    shutil.rmtree(scratch, ignore_errors=True)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
