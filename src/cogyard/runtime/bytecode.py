"""Compiles a model's files when it is pushed, so that its first start does not have to."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cogyard.domain.errors import StorageFull
from cogyard.runtime.commands import run

COMPILE_SECONDS = 10.0
"""Seconds after which compiling is given up; what is not compiled then is so when it is first imported."""


async def compile_bytecode(python: Path, folders: Sequence[Path]) -> None:
    """Compile the Python files below the folders for this interpreter; that some cannot be, or kept, is no fault."""
    command = [str(python), "-I", "-m", "compileall", "-qq", *map(str, folders)]
    with suppress(TimeoutError, OSError, StorageFull):
        async with asyncio.timeout(COMPILE_SECONDS):
            await run(command, folder=folders[0], environment={}, report=_ignore)


async def _ignore(_line: str) -> None:
    pass
