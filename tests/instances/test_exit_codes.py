"""How a process that is somebody else's child has ended, collected or not."""

import asyncio
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from cogyard.instances.exit_codes import exit_code_of_collected, wait_for_exit
from tests.yard import wait_until

PARENT = """
import os, sys, time
child = os.fork()
if child == 0:
    sys.stdin.readline()
    {end}
print(child, flush=True)
if {collects}:
    os.waitpid(child, 0)
print("over", flush=True)
time.sleep(60)
"""

KERNEL = tuple(int(part) for part in platform.release().split(".")[:2]) if sys.platform == "linux" else (0, 0)


def parent(end: str, *, collects: bool) -> "tuple[subprocess.Popen[str], int]":
    program = PARENT.format(end=end, collects=collects)
    process = subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells it on Linux only")
@pytest.mark.parametrize(("end", "code"), [("os._exit(7)", 7), ("os.kill(os.getpid(), 9)", -9)])
def test_the_code_of_a_process_that_nobody_collected_is_read(end: str, code: int) -> None:
    process, child = parent(end, collects=False)

    async def watch() -> int | None:
        waiting = asyncio.create_task(wait_for_exit(child))
        await asyncio.sleep(0)
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        return await waiting

    with process:
        found = asyncio.run(watch())
        process.kill()

    assert found == code


@pytest.mark.skipif(KERNEL < (6, 15), reason="the kernel remembers it from Linux 6.15 on")
@pytest.mark.parametrize(("end", "code"), [("os._exit(7)", 7), ("os.kill(os.getpid(), 9)", -9)])
def test_the_code_of_a_process_that_was_collected_is_still_known(end: str, code: int) -> None:
    process, child = parent(end, collects=True)
    descriptor = os.pidfd_open(child)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "over\n"
    wait_until(lambda: not Path(f"/proc/{child}").exists(), 5, "its collection")
    found = exit_code_of_collected(descriptor)
    os.close(descriptor)
    with process:
        process.kill()

    assert found == code
