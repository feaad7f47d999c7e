"""Control groups, in which the kernel counts and bounds the memory of each instance (cgroups(7)).

Version 2 where the server's own group may be divided (as a systemd unit with `Delegate=memory`, or a container that may
write it), else the memory hierarchy of version 1 where it may be written. Where neither is so there are none, and what
an instance uses is only looked at.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

REMOVAL_SECONDS = 2.0
"""Seconds for which the kernel may hold a group after the last of its processes was killed."""

_PREFIX = "cogyard-"
_PAUSE = 0.005
_MANY_BYTES = 2**30


def told_bytes(size: int) -> str:
    """A size for people."""
    return f"{size / 2**30:.1f} GiB" if size >= _MANY_BYTES else f"{size / 2**20:.1f} MiB"


def out_of_memory(limit: int) -> str:
    """How an instance ended that used more than `limit` bytes."""
    return f"it used more memory than its hardware allows ({told_bytes(limit)})"


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """The control group of one instance. Everything here blocks, and is quick but for `kill` and `remove`."""

    folder: Path
    is_unified: bool

    @property
    def members(self) -> Path:
        """The file that a process writes its pid to in order to join."""
        return self.folder / "cgroup.procs"

    def used(self) -> int:
        """Bytes in use, without the file cache that the kernel can take back at once."""
        name, cache = ("memory.current", "inactive_file") if self.is_unified else _V1_USED
        return max(self._number(name) - _counter(self.folder / "memory.stat", cache), 0)

    def ran_out(self) -> bool:
        """Whether the kernel has killed something in it for want of memory within its limit."""
        if self.is_unified:
            events = self.folder / "memory.events"
            return _counter(events, "oom_kill") > 0 and _counter(events, "oom") > 0
        was_full = self._number("memory.max_usage_in_bytes") >= self._number("memory.limit_in_bytes")
        return was_full and _counter(self.folder / "memory.oom_control", "oom_kill") > 0

    def kill(self) -> None:
        """Kill everything in it, and wait for its end."""
        deadline = time.monotonic() + REMOVAL_SECONDS
        while (pids := self._pids()) and time.monotonic() < deadline:
            for pid in pids:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_PAUSE)

    def remove(self) -> None:
        """Remove it; its processes have been killed."""
        deadline = time.monotonic() + REMOVAL_SECONDS
        while self.folder.exists() and time.monotonic() < deadline:
            with suppress(OSError):
                self.folder.rmdir()
                return
            time.sleep(_PAUSE)

    def _number(self, name: str) -> int:
        try:
            return int((self.folder / name).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

    def _pids(self) -> list[int]:
        try:
            # a process of another pid namespace is shown as 0
            return [pid for word in self.members.read_text(encoding="ascii").split() if (pid := int(word))]
        except (OSError, ValueError):
            return []


_V1_USED = ("memory.usage_in_bytes", "total_inactive_file")


@dataclass(frozen=True, slots=True)
class MemoryGroups:
    """Makes them, below a `folder` of this server's own."""

    folder: Path
    is_unified: bool

    @classmethod
    def find(cls, proc: Path = Path("/proc")) -> "MemoryGroups | None":
        """Where this server may make control groups; None where it may not. Removes a dead server's. Blocking."""
        for own, is_unified in _own_groups(proc):
            found = cls(own / f"{_PREFIX}{os.getpid()}-{_started(os.getpid())}", is_unified)
            try:
                if is_unified and not _divide(own):
                    continue
                _remove_leftovers(own)
                found._open()
            except OSError:
                found.close()
            else:
                return found
        return None

    def _open(self) -> None:
        self.folder.mkdir(exist_ok=True)
        if self.is_unified:
            (self.folder / "cgroup.subtree_control").write_text("+memory")
        self.make("probe", _MANY_BYTES).remove()

    def make(self, name: str, limit: int) -> MemoryGroup:
        """A group that may use `limit` bytes of memory, 0 for any number, and no swap beyond. Raises `OSError`."""
        made = MemoryGroup(self.folder / name, self.is_unified)
        made.folder.mkdir()
        try:
            if self.is_unified:
                (made.folder / "memory.oom.group").write_text("1")
            if limit and self.is_unified:
                (made.folder / "memory.max").write_text(str(limit))
                with suppress(OSError):  # there is no swap
                    (made.folder / "memory.swap.max").write_text("0")
            elif limit:
                (made.folder / "memory.limit_in_bytes").write_text(str(limit))
                with suppress(OSError):
                    (made.folder / "memory.memsw.limit_in_bytes").write_text(str(limit))
        except OSError:
            made.remove()
            raise
        return made

    def close(self) -> None:
        """Remove the server's folder. Blocking."""
        _remove(self.folder)


def _own_groups(proc: Path) -> list[tuple[Path, bool]]:
    """The folders of the memory controllers' groups that this process is in, and whether they are of version 2."""
    try:
        groups = (proc / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
        mounts = (proc / "self" / "mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    paths: dict[str, str] = {}
    for line in groups:
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path))
    found: list[tuple[Path, bool]] = []
    for line in mounts:
        words, _, kind = line.partition(" - ")
        root, mounted = words.split()[3:5]
        file_system, options = kind.split()[0], kind.split()[-1].split(",")
        is_unified = file_system == "cgroup2"
        own = paths.get("" if is_unified else "memory")
        if own is None or not (is_unified or (file_system == "cgroup" and "memory" in options)):
            continue
        # below a mount of a part of the hierarchy, as containers have it, paths begin at that part
        found.append((Path(mounted) / own.removeprefix(root).lstrip("/"), is_unified))
    return sorted(found, key=lambda one: not one[1])


def _divide(own: Path) -> bool:
    """Have the memory controller for groups below a group of version 2; False where that is not to be had.

    Only a group without processes can be divided: this one moves out of it, if it is there alone.
    """
    if "memory" not in (own / "cgroup.controllers").read_text(encoding="ascii").split():
        return False
    control = own / "cgroup.subtree_control"
    if "memory" in control.read_text(encoding="ascii").split():
        return True
    if (own / "cgroup.procs").read_text(encoding="ascii").split() != [str(os.getpid())]:
        return False
    server = own / "server"
    server.mkdir(exist_ok=True)
    (server / "cgroup.procs").write_text(str(os.getpid()))
    control.write_text("+memory")
    return True


def _remove_leftovers(own: Path) -> None:
    """Remove the groups of servers that have died; one in which a process still lives cannot be, and stays."""
    for folder in own.glob(f"{_PREFIX}*-*"):
        pid, _, started = folder.name.removeprefix(_PREFIX).partition("-")
        if not pid.isdecimal() or _started(int(pid)) != started:
            _remove(folder)


def _remove(folder: Path) -> None:
    with suppress(OSError):
        for inner in [*folder.iterdir(), folder]:
            if inner.is_dir():
                with suppress(OSError):
                    inner.rmdir()


def _started(pid: int) -> str:
    """What tells this process apart from others that had or will have its pid."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _counter(path: Path, name: str) -> int:
    """The number behind a name in a file of such lines; 0 where there is none."""
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    except (OSError, ValueError):
        pass
    return 0
