"""Files that one program and its children read with other contents: a private mount namespace of Linux."""

import ctypes
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

_NEW_MOUNTS = 0x00020000
_NEW_USERS = 0x10000000
_BIND = 4096
_RECURSIVE = 16384
_SLAVE = 1 << 19


class NoNamespace(Exception):
    """This system lets us have none; `str()` says what stood in the way."""


def replace_files(contents: Mapping[Path, str], *, as_user: bool | None = None) -> None:
    """From now on this process, and what it becomes or starts, reads these contents under these paths; none else does.

    Nothing is left to clean up: the namespace goes with its last process. `as_user` tells to take the way of those who
    are not root, which works for root too; by default the way that works is taken. Raises `NoNamespace`.
    """
    if sys.platform != "linux":
        raise NoNamespace(f"{sys.platform} has no mount namespaces")
    try:
        _enter(as_user)
        # what is mounted elsewhere later still shows up here, and nothing of ours goes out
        _mount(None, "/", _RECURSIVE | _SLAVE)
        for path, text in contents.items():
            _cover(path, text)
    except OSError as error:
        raise NoNamespace(f"{error.strerror} ({error.filename})") from error


def _enter(as_user: bool | None) -> None:
    if not as_user:
        try:
            _unshare(_NEW_MOUNTS)
        except PermissionError:
            if as_user is False:
                raise
        else:
            return
    user, group = os.geteuid(), os.getegid()
    _unshare(_NEW_USERS | _NEW_MOUNTS)
    # the same user inside, so that the program's files, home and rights are what they were
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")


def _cover(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(prefix="cogyard-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        _mount(name, str(path), _BIND)
    finally:
        Path(name).unlink()  # the mount keeps the contents


def _unshare(flags: int) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "unshare")


def _mount(source: str | None, target: str, flags: int) -> None:
    mount = ctypes.CDLL(None, use_errno=True).mount
    mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
    if mount(None if source is None else os.fsencode(source), os.fsencode(target), None, flags, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)
