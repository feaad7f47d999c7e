"""What becomes of a model when the machine, or its own process, does not do its part."""

import asyncio
import errno
import os
import shutil
import signal
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from cogyard.domain.errors import MachineShort, SetupFailed
from cogyard.instances import cog
from tests.instances.cogs import LIMITS, Cogs, Model

pytestmark = pytest.mark.anyio

START = timedelta(seconds=30)
SHORT = timedelta(seconds=0.5)


async def failure_of(model: Model) -> SetupFailed:
    with pytest.raises(SetupFailed) as caught:
        await model.driver.start(START)
    assert model.driver.process is None
    assert not model.scratch.exists()
    return caught.value


@pytest.mark.parametrize("number", [errno.EADDRINUSE, errno.EMFILE, errno.ENOSPC, -1])
async def test_a_start_for_which_the_machine_lacks_something_is_nobodys_failure(
    cogs: Cogs, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def no_port() -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(cog, "free_port", no_port)
    model = cogs.driver("echo", LIMITS)

    with pytest.raises(MachineShort, match=f"the Cog server could not be started: {os.strerror(number)}"):
        await model.driver.start(START)
    assert not model.scratch.exists()


async def test_a_start_without_room_for_a_process_is_nobodys_failure(
    cogs: Cogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_process(*_command: str, **_options: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_process)
    model = cogs.driver("echo", LIMITS)

    with pytest.raises(MachineShort, match="the Cog server could not be started: Resource temporarily unavailable"):
        await model.driver.start(START)
    assert not model.scratch.exists()


async def test_an_environment_that_is_gone_is_not_worth_another_try(cogs: Cogs) -> None:
    shutil.copytree(cogs.environments / "cog", cogs.work / "environments" / "cog", symlinks=True)
    (cogs.work / "environments" / "cog" / "bin" / "python").unlink()
    failure = await failure_of(Cogs(cogs.work / "environments", cogs.work).driver("echo", LIMITS))

    assert str(failure).startswith("the Cog server could not be started: there is no ")
    assert not failure.died


@pytest.mark.parametrize("after", ["0", "0.2"])
async def test_a_model_that_exits_as_soon_as_it_is_ready_is_seen_to(cogs: Cogs, after: str) -> None:
    cogs.variables["LEAVES_AFTER"] = after
    model = cogs.driver("leaves", LIMITS)
    try:
        async with asyncio.timeout(10):
            await model.driver.start(START)
            end = await model.driver.exited()
    except SetupFailed as failure:
        end = f"{failure}" if failure.died else f"the model is blamed: {failure}"
    finally:
        await model.driver.stop()

    assert end == "the model's process ended with exit code 4"


async def test_a_worker_that_begins_nothing_is_killed_and_the_prediction_given_back(cogs: Cogs) -> None:
    async with cogs.running("unruly", begin_timeout=SHORT) as model:
        model.group[1].suspend()
        told = await model.run({"do": "quiet"})

        assert told.reason == "the model's server took a prediction and did not begin it within 0.5 s"
        assert await model.driver.exited() == told.reason


async def test_a_prediction_that_waits_for_another_is_not_taken_for_a_stuck_one(cogs: Cogs) -> None:
    async with cogs.running("async_plain", concurrency=2, begin_timeout=timedelta(seconds=0.2)) as model:
        both = await asyncio.gather(model.run({"do": "block_a_second"}), model.run({"do": "block_a_second"}))

        assert [told.output for told in both] == ["done", "done"]


async def test_a_server_that_stopped_answering_is_killed(cogs: Cogs) -> None:
    async with cogs.running("unruly", liveness_interval=timedelta(seconds=0.1)) as model:
        await asyncio.sleep(0.5)
        assert (await model.run({"do": "quiet"})).output == "quiet"
        model.group[0].suspend()

        async with asyncio.timeout(5):
            assert await model.driver.exited() == "the model's server stopped answering"


@pytest.mark.skipif(sys.platform != "linux", reason="priorities are as Linux has them")
async def test_setup_gives_way_and_running_does_not(cogs: Cogs) -> None:
    pids = cogs.work / "pids"
    cogs.variables["HANGING_SETUP_PIDS"] = str(pids)
    limits = replace(LIMITS, head_start=timedelta(0))
    model = cogs.driver("hanging_setup", limits)
    starting = asyncio.create_task(model.driver.start(START))
    while not pids.exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.01)
    assert all(map(gives_way, map(int, pids.read_text().split())))
    starting.cancel()
    await asyncio.wait({starting})

    async with cogs.running("echo", head_start=timedelta(0)) as model:
        await asyncio.sleep(0.5)
        assert not any(gives_way(thread.id) for process in model.group for thread in process.threads())


def gives_way(pid: int) -> bool:
    return os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0) or (
        os.sched_getscheduler(pid) == os.SCHED_BATCH
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the score is Linux's")
async def test_the_kernel_takes_a_model_before_its_server(cogs: Cogs) -> None:
    async with cogs.running("echo") as model:
        scores = [Path(f"/proc/{process.pid}/oom_score_adj").read_text() for process in model.group]

        assert set(scores) == {"500\n"}


async def test_a_boot_tells_where_its_time_went(cogs: Cogs) -> None:
    async with cogs.running("echo") as model:
        boot = model.driver.boot

        assert boot is not None
        assert list(boot) == ["spawn", "import", "setup"]
        assert all(isinstance(seconds, float) and 0 <= seconds < 10 for seconds in boot.values())


async def test_a_start_that_is_cancelled_at_any_moment_leaves_nothing(cogs: Cogs) -> None:
    before = set(psutil.Process().children())
    for milliseconds in (0, 1, 3, 10, 30, 100):
        model = cogs.driver("echo", LIMITS)
        starting = asyncio.create_task(model.driver.start(START))
        await asyncio.sleep(milliseconds / 1000)
        starting.cancel()
        await asyncio.wait({starting})

        assert not model.scratch.exists()
    left = set(psutil.Process().children()) - before
    assert [child for child in left if child.status() != psutil.STATUS_ZOMBIE] == []
    assert signal.getsignal(signal.SIGCHLD) is not None
