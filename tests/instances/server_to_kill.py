"""Starts a model, tells the pids of its process group, and waits to be killed."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from cogyard.domain.events import Log
from tests.instances.cogs import LIMITS, Cogs, Model, new_id
from tests.yard import wait_until


def tell(model: Model) -> None:
    group = [process.pid for process in model.group]
    sys.stdout.write(" ".join(map(str, group)) + "\n")
    sys.stdout.flush()


async def main(environments: str, work: str, name: str, do: str, pids: str) -> None:
    cogs = Cogs(Path(environments), Path(work), {"HANGING_SETUP_PIDS": pids})
    model = cogs.driver(name, LIMITS)
    starting = asyncio.create_task(model.driver.start(timedelta(seconds=60)))
    if name == "hanging_setup":
        await asyncio.to_thread(wait_until, Path(pids).exists)
        tell(model)
    await starting
    if do in ("loop", "sleep"):
        async for event in model.driver.submit(new_id(), {"do": do}, {}):
            if isinstance(event, Log):
                tell(model)
    tell(model)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
