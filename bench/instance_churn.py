"""Starts and stops of one model, many times: what is left of them on the machine.

python bench/instance_churn.py [--starts 1000] [--parallel 2]

Each start is a Cog server that is set up, asked once and stopped; every tenth is cancelled on its way. Counted before
and after: this process's descriptors, threads and children, what models' processes are left on the machine (and with
them ports), control groups, files where instances stand, and what their predictions left in the common folder.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.instances.cogs import LIMITS, Cogs, build_environment, new_id
from yards import HERE

from cogyard.domain.events import Succeeded
from cogyard.instances.memory import MemoryGroups
from cogyard.instances.scratch import COGLET_SPOOL

CANCELLED = 10
"""One start in so many is cancelled on its way."""


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--starts", type=int, default=1000)
    parser.add_argument("--parallel", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        build_environment(root / "environments")
        groups = await asyncio.to_thread(MemoryGroups.find)
        cogs = Cogs(root / "environments", root / "work", groups=groups)
        await churn(cogs, iter(range(10)), [], [])  # what is made once and stays: threads, compiled files
        asked: list[str] = []
        before, begun, seconds = count(root, groups, asked), time.perf_counter(), list[float]()
        numbers = iter(range(options.starts))
        await asyncio.gather(*(churn(cogs, numbers, seconds, asked, worker) for worker in range(options.parallel)))
        await asyncio.sleep(2)
        after = count(root, groups, asked)
        print(f"{options.starts} starts and stops in {time.perf_counter() - begun:.0f} s", end=", ")
        print(f"start p50 {sorted(seconds)[len(seconds) // 2] * 1000:.0f} ms, control groups: {groups is not None}")
        for name in before:
            print(f"{name:32s} before {before[name]:6d}   after {after[name]:6d}")
        if groups is not None:
            groups.close()
            print(f"the server's own control group is there: {groups.folder.exists()}")


async def churn(cogs: Cogs, numbers: Iterator[int], seconds: list[float], asked: list[str], worker: int = 0) -> None:
    cogs = replace(cogs, work=cogs.work / str(worker))
    for number in numbers:
        model = cogs.driver("echo", LIMITS)
        starting = asyncio.create_task(model.driver.start(timedelta(seconds=60)))
        if number % CANCELLED == CANCELLED - 1:
            await asyncio.sleep(number % 300 / 1000)
            starting.cancel()
            with suppress(asyncio.CancelledError):
                await starting
        else:
            begun = time.perf_counter()
            await starting
            seconds.append(time.perf_counter() - begun)
            asked.append(prediction := new_id())
            async with aclosing(model.driver.submit(prediction, {"text": "hi"}, {})) as events:
                assert isinstance([event async for event in events][-1], Succeeded)
        await model.driver.stop()


def count(root: Path, groups: MemoryGroups | None, asked: Sequence[str]) -> dict[str, int]:
    me = psutil.Process()
    marked = [one for one in psutil.process_iter(["environ"]) if str(root) in str(one.info["environ"] or "")]
    instances = [path for work in (root / "work").iterdir() for path in work.glob("scratch/**/*")]
    return {
        "descriptors": me.num_fds(),
        "threads": me.num_threads(),
        "children": len(me.children(recursive=True)),
        "processes of models": len(marked),
        "control groups": 0 if groups is None else sum(entry.is_dir() for entry in groups.folder.iterdir()),
        "files of instances": len(instances),
        "left in the common folder": sum((COGLET_SPOOL / prediction).exists() for prediction in asked),
    }


if __name__ == "__main__":
    shutil.rmtree(HERE / "echo" / "__pycache__", ignore_errors=True)
    asyncio.run(main())
