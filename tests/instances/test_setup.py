"""How a model comes up, and how it does not."""

import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from cogyard.domain.errors import SetupFailed
from tests.instances.cogs import LIMITS, Cogs
from tests.yard import wait_until

pytestmark = pytest.mark.anyio


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def failure_of(cogs: Cogs, name: str, timeout: timedelta = timedelta(seconds=30)) -> SetupFailed:
    model = cogs.driver(name, LIMITS)
    with pytest.raises(SetupFailed) as caught:
        await model.driver.start(timeout)
    assert model.driver.process is None
    assert not model.scratch.exists()
    return caught.value


async def test_what_setup_printed_is_given_and_nothing_else(cogs: Cogs) -> None:
    model = cogs.driver("unruly", LIMITS)
    try:
        assert await model.driver.start(timedelta(seconds=30)) == "setup went well\n"
    finally:
        await model.driver.stop()


async def test_a_setup_that_raises_fails_with_its_words_prints_and_traceback(cogs: Cogs) -> None:
    failure = await failure_of(cogs, "broken_setup")

    assert str(failure) == "RuntimeError: no weights here"
    assert not failure.died
    assert failure.logs.startswith("loading weights\nTraceback (most recent call last):\n")
    assert 'predict.py", line 11, in setup' in failure.logs
    assert "wrapper" not in failure.logs
    assert "coglet" not in failure.logs


async def test_a_model_that_cannot_be_imported_fails_with_the_traceback(cogs: Cogs) -> None:
    failure = await failure_of(cogs, "broken_import")

    assert str(failure) == "ModuleNotFoundError: No module named 'a_package_that_nobody_has'"
    assert failure.logs.startswith("importing\nTraceback")
    assert not failure.died


async def test_a_process_that_ends_in_setup_is_noticed_at_once_with_its_exit_code(cogs: Cogs) -> None:
    failure = await failure_of(cogs, "exit_setup")

    assert str(failure) == "the model's process ended with exit code 7"
    assert failure.died
    assert "about to leave" in failure.logs


async def test_at_the_setup_deadline_the_whole_process_group_is_gone(cogs: Cogs) -> None:
    folder = cogs.work / "home"
    cogs.variables["HANGING_SETUP_PIDS"] = str(folder)
    failure = await failure_of(cogs, "hanging_setup", timedelta(seconds=3))

    assert str(failure) == "setup did not end within 3 seconds"
    assert failure.logs == "waiting for nothing\n"
    pids = [int(pid) for pid in folder.read_text().split()]
    assert len(pids) == 3
    assert all(map(is_gone, pids))


@pytest.mark.parametrize(
    ("name", "model_input", "output"),
    [
        ("echo", {"text": "hi"}, "hi"),
        ("function_style", {"times": 2}, "hello worldhello world"),
        ("run_style", {}, "world None"),
        ("async_setup", {}, "set up"),
    ],
)
async def test_every_style_of_model_runs(cogs: Cogs, name: str, model_input: dict[str, str | int], output: str) -> None:
    async with cogs.running(name) as model:
        assert (await model.run({**model_input})).output == output


async def test_weights_reach_setup(cogs: Cogs) -> None:
    cogs.variables["COG_WEIGHTS"] = "https://example.com/weights.tar"
    async with cogs.running("run_style") as model:
        assert (await model.run()).output == "world https://example.com/weights.tar"


@pytest.mark.parametrize("name", ["fetches_weights", "fetches_weights_async"])
async def test_a_model_that_takes_the_path_of_its_weights_for_a_url_gets_one(
    cogs: Cogs, tmp_path: Path, name: str
) -> None:
    (tmp_path / "some words.txt").write_text("learned")
    cogs.variables["COG_WEIGHTS"] = str(tmp_path / "some words.txt")
    async with cogs.running(name) as model:
        assert (await model.run()).output == "learned"
    del cogs.variables["COG_WEIGHTS"]
    async with cogs.running(name) as model:
        assert (await model.run()).output == "nothing"


async def test_a_model_is_ready_once_its_own_healthcheck_says_so(cogs: Cogs) -> None:
    async with cogs.running("run_style") as model:
        assert (await model.run({"text": "checks"})).output == "enough"


async def test_training_output_is_a_file(cogs: Cogs, tmp_path: Path) -> None:
    data = tmp_path / "data.txt"
    data.write_text("abc")
    async with cogs.running("trains", train=True) as model:
        told = await model.run({"data": "data.txt"}, data=data)

        assert told.output == {"weights": "weights.bin"}
        assert told.produced[0].paths["/weights"].read_text() == "abcabc"
        assert told.logs == "training for 2\n"


async def test_a_model_that_is_never_well_says_what_its_healthcheck_said(cogs: Cogs) -> None:
    failure = await failure_of(cogs, "never_well", timedelta(seconds=4))

    assert str(failure).startswith("its healthcheck did not succeed within 4 seconds: ")
    assert "the card is missing" in str(failure)


async def test_cogs_own_limit_of_setup_holds_too(cogs: Cogs, tmp_path: Path) -> None:
    cogs.variables.update({"COG_SETUP_TIMEOUT": "1", "HANGING_SETUP_PIDS": str(tmp_path / "pids")})
    failure = await failure_of(cogs, "hanging_setup", timedelta(seconds=20))

    assert str(failure) == "worker setup timed out"


@pytest.mark.parametrize(
    ("trainer", "learned", "printed"),
    [("predict.py:Trainer", "readyready", "training\n"), ("predict.py:train_later", "later", "")],
)
async def test_a_class_and_an_async_function_train_too(cogs: Cogs, trainer: str, learned: str, printed: str) -> None:
    async with replace(cogs, trainer=trainer).running("trains_by_class", train=True) as model:
        told = await model.run()

        assert told.produced[0].paths[""].read_text() == learned
        assert told.logs == printed


async def test_stop_leaves_no_process_and_no_folder_and_may_be_repeated(cogs: Cogs) -> None:
    model = cogs.driver("echo", LIMITS)
    await model.driver.start(timedelta(seconds=30))
    group = model.group
    exited = model.driver.exited()

    await model.driver.stop()
    await model.driver.stop()

    assert len(group) >= 2
    assert all(is_gone(one.pid) for one in group)
    assert not model.scratch.exists()
    assert await exited == "it was stopped"


@pytest.mark.parametrize("do", ["count", "loop", "sleep", "hanging_setup"])
def test_nothing_outlives_a_server_that_is_killed(cogs: Cogs, do: str) -> None:
    name = "hanging_setup" if do == "hanging_setup" else "unruly"
    pids = cogs.work / "pids"
    command = [sys.executable, "-m", "tests.instances.server_to_kill"]
    server = subprocess.Popen(
        [*command, str(cogs.environments), str(cogs.work), name, do, str(pids)], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    group = [int(pid) for pid in server.stdout.readline().split()]
    assert len(group) >= 2

    server.send_signal(signal.SIGKILL)
    server.wait()
    server.stdout.close()

    wait_until(lambda: all(map(is_gone, group)), 5, f"the end of {group}")
