"""Runs the commands of a build: output line by line as it comes, and no process left when the build is cancelled."""

import asyncio
import errno
import os
import re
import signal
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cogyard.domain.errors import StorageFull
from cogyard.processes import BUILD_MARK, kill_marked

KEPT_LINES = 60
LONGEST_LINE = 4000

EXIT_POLL = 0.1
"""Seconds between two looks whether a silent command has ended: what it left behind may keep its output open."""

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LINE_ENDS = re.compile(rb"[\r\n]+")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its exit code (negative for a signal) and the last lines that it printed."""

    code: int
    lines: list[str]


async def run(
    command: list[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    report: Callable[[str], Awaitable[None]],
) -> Outcome:
    """Run a command to its end. Raises `StorageFull` when it failed for want of space.

    It has a process group of its own. When it has ended, or this is cancelled, that is killed, and so is all that bears
    the build's mark (`processes.BUILD_MARK`): nothing that a build starts in the background outlives its step.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StorageFull("There is no space left on the server's disk.") from error
        raise
    kept: deque[str] = deque(maxlen=KEPT_LINES)

    async def read() -> None:
        async for line in _lines(process.stdout):
            kept.append(line)
            await report(line)

    reading = asyncio.create_task(read())
    try:
        while process.returncode is None and not reading.done():
            await asyncio.wait({reading}, timeout=EXIT_POLL)
        if process.returncode is not None:
            await _kill(process.pid, environment)
        await reading
        code = await process.wait()
    finally:
        reading.cancel()
        await asyncio.shield(_kill(process.pid, environment))
    if code != 0 and any("No space left on device" in line or "os error 28" in line for line in kept):
        raise StorageFull("There is no space left on the server's disk for the model's environment.")
    return Outcome(code, list(kept))


async def _kill(group: int, environment: Mapping[str, str]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    if mark := environment.get(BUILD_MARK):
        await asyncio.to_thread(kill_marked, BUILD_MARK, mark)


async def _lines(stream: asyncio.StreamReader | None) -> AsyncIterator[str]:
    """Whole lines, without colours; a progress bar's carriage returns end lines too."""
    if stream is None:
        return
    rest = b""
    while piece := await stream.read(65536):
        *lines, rest = _LINE_ENDS.split(rest + piece)
        rest = rest[-LONGEST_LINE:]
        for line in lines:
            if line.strip():
                yield _clean(line)
    if rest.strip():
        yield _clean(rest)


def _clean(line: bytes) -> str:
    return _COLOURS.sub("", line[:LONGEST_LINE].decode(errors="replace")).rstrip()
