"""A command of a build, and what it leaves running."""

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from cogyard.processes import BUILD_MARK
from cogyard.runtime.commands import run
from tests.yard import wait_until

pytestmark = pytest.mark.anyio

BACKGROUND = ["sleep 600 & echo $!", "setsid sleep 600 & echo $!"]


@pytest.mark.parametrize("command", BACKGROUND, ids=["in the group", "out of the group"])
async def test_what_a_step_left_in_the_background_ends_with_it(tmp_path: Path, command: str) -> None:
    """Both keep the step's output open, which must not be waited for."""
    lines: list[str] = []

    async def report(line: str) -> None:
        lines.append(line)

    async with asyncio.timeout(30):
        outcome = await run(
            ["/bin/sh", "-c", f"{command}; echo done"],
            folder=tmp_path,
            environment={**os.environ, BUILD_MARK: str(tmp_path)},
            report=report,
        )

    assert outcome.code == 0
    assert lines[1:] == ["done"]
    left = int(lines[0])
    wait_until(lambda: is_gone(left), 5, "the end of what was killed")


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
