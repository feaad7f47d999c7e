"""How predictions end when somebody or something ends them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta

import psutil
import pytest

from cogyard.domain.events import Canceled, Interrupted, Log, Started
from cogyard.domain.values import Json, PredictionId
from cogyard.instances.driver import DriverEvent
from tests.instances.cogs import Cogs, Model, Told, new_id

pytestmark = pytest.mark.anyio

SHORT = timedelta(seconds=0.5)


async def run_until(
    model: Model, model_input: dict[str, Json], kind: type, act: Callable[[PredictionId], Awaitable[None]]
) -> Told:
    """Run to the end; `act` at each event of this kind."""
    prediction = new_id()
    events: list[DriverEvent] = []
    async with aclosing(model.driver.submit(prediction, model_input, {})) as stream:
        async for event in stream:
            events.append(event)
            if isinstance(event, kind):
                await act(prediction)
    return Told(events)


async def cancel_when_it_prints(model: Model, model_input: dict[str, Json]) -> Told:
    async def cancel(prediction: PredictionId) -> None:
        await model.driver.cancel(prediction)
        await model.driver.cancel(prediction)

    return await run_until(model, model_input, Log, cancel)


@pytest.mark.parametrize(
    ("do", "n", "reason"),
    [
        ("exit", 3, "the model's process ended with exit code 3"),
        ("segfault", 0, "the model's process was killed by signal 11 (SIGSEGV)"),
        ("kill_self", 0, "the model's process was killed by signal 9 (SIGKILL, perhaps because memory ran out)"),
    ],
)
async def test_a_dead_process_interrupts_with_its_reason_and_counts_as_exited(
    cogs: Cogs, do: str, n: int, reason: str
) -> None:
    async with cogs.running("unruly") as model:
        exited = asyncio.create_task(model.driver.exited())
        told = await model.run({"do": do, "n": n})
        again = await model.run({"do": "quiet"})

        assert told.reason == reason
        assert again.reason == reason
        assert await exited == reason


async def test_a_process_that_dies_while_idle_is_noticed(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        leader, worker = model.group[:2]
        exited = asyncio.create_task(model.driver.exited())
        worker.kill()

        async with asyncio.timeout(1):
            assert "signal 9" in await exited
        assert await asyncio.to_thread(leader.wait, 5) is not None or not leader.is_running()


async def test_a_process_that_left_the_group_ends_with_the_instance(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        [daemon] = (await model.run({"do": "daemon"})).items
        assert isinstance(daemon, int)
        assert psutil.pid_exists(daemon)

        async with asyncio.timeout(10):
            await model.driver.stop()
        assert not psutil.pid_exists(daemon) or psutil.Process(daemon).status() == psutil.STATUS_ZOMBIE


async def test_a_python_loop_is_cancelled_and_the_model_lives(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        group = {process.pid for process in model.group}
        told = await cancel_when_it_prints(model, {"do": "loop"})

        assert isinstance(told.end, Canceled)
        assert told.logs == "looping\n"
        assert (await model.run({"do": "quiet"})).output == "quiet"
        assert {process.pid for process in model.group} == group


@pytest.mark.parametrize("do", ["swallow", "raise_at_cancel"])
async def test_a_cancel_that_the_model_makes_something_else_of_is_a_cancel(cogs: Cogs, do: str) -> None:
    async with cogs.running("unruly") as model:
        told = await cancel_when_it_prints(model, {"do": do})

        assert isinstance(told.end, Canceled)
        assert told.items == []
        assert (await model.run({"do": "quiet"})).logs == ""


async def test_a_call_that_does_not_return_is_killed_after_the_grace(cogs: Cogs) -> None:
    async with cogs.running("unruly", cancel_grace=SHORT) as model:
        told = await cancel_when_it_prints(model, {"do": "sleep"})

        assert isinstance(told.end, Canceled)
        assert "did not end when it was told to" in await model.driver.exited()


async def test_what_runs_beside_a_killed_prediction_is_interrupted(cogs: Cogs) -> None:
    async with cogs.running("async_plain", concurrency=2, cancel_grace=SHORT) as model:
        waits = asyncio.Event()

        async def note(_: PredictionId) -> None:
            waits.set()

        beside = asyncio.create_task(run_until(model, {"do": "forever"}, Log, note))
        await waits.wait()
        told = await run_until(model, {"do": "block"}, Started, model.driver.cancel)

        assert isinstance(told.end, Canceled)
        assert "did not end when it was told to" in (await beside).reason


async def test_an_async_prediction_is_cancelled_and_its_neighbour_goes_on(cogs: Cogs) -> None:
    async with cogs.running("async_plain", concurrency=2) as model:
        told = await cancel_when_it_prints(model, {"do": "forever"})

        assert isinstance(told.end, Canceled)
        assert "Traceback" not in told.logs
        assert (await model.run({"do": "echo", "text": "next"})).output == "next"


async def test_a_cancel_at_the_very_start_is_not_lost(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        for _ in range(20):
            async with asyncio.timeout(5):
                told = await run_until(model, {"do": "loop"}, Started, model.driver.cancel)
            assert isinstance(told.end, Canceled)
        assert (await model.run({"do": "quiet"})).output == "quiet"


async def test_a_cancel_before_a_slot_is_free_ends_at_once(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        canceled: list[Told] = []

        async def cancel_another(prediction: PredictionId) -> None:
            waiting = new_id()
            submitted = model.driver.submit(waiting, {"do": "loop"}, {})
            first = asyncio.ensure_future(anext(submitted))
            await asyncio.sleep(0)
            await model.driver.cancel(waiting)
            canceled.append(Told([await first]))
            await submitted.aclose()
            await model.driver.cancel(prediction)

        await run_until(model, {"do": "loop"}, Log, cancel_another)

        assert isinstance(canceled[0].end, Canceled)


async def test_a_prediction_over_its_time_fails_and_the_model_lives(cogs: Cogs) -> None:
    async with cogs.running("unruly", predict_timeout=SHORT) as model:
        assert (await model.run({"do": "loop"})).error == "Prediction timed out after 0.5 seconds"
        assert (await model.run({"do": "quiet"})).output == "quiet"


async def test_a_prediction_over_its_time_that_does_not_obey_is_killed(cogs: Cogs) -> None:
    async with cogs.running("unruly", predict_timeout=SHORT, cancel_grace=SHORT) as model:
        assert (await model.run({"do": "sleep"})).error == "Prediction timed out after 0.5 seconds"
        assert "did not end when it was told to" in await model.driver.exited()


async def leave_when_it_prints(model: Model, do: str) -> None:
    async with aclosing(model.driver.submit(new_id(), {"do": do}, {})) as events:
        async for event in events:
            if isinstance(event, Log):
                return


async def test_a_listener_that_leaves_cancels(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        await leave_when_it_prints(model, "loop")

        assert (await model.run({"do": "quiet"})).output == "quiet"


async def test_a_listener_that_leaves_a_deaf_model_has_it_killed(cogs: Cogs) -> None:
    async with cogs.running("unruly", cancel_grace=SHORT) as model:
        await leave_when_it_prints(model, "sleep")

        async with asyncio.timeout(5):
            assert "did not end when it was told to" in await model.driver.exited()


async def test_stop_interrupts_what_runs(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        events: list[DriverEvent] = []
        printed = asyncio.Event()

        async def run() -> None:
            async for event in model.driver.submit(new_id(), {"do": "sleep"}, {}):
                events.append(event)
                if isinstance(event, Log):
                    printed.set()

        running = asyncio.create_task(run())
        await printed.wait()
        await model.driver.stop()
        await running

        assert isinstance(events[-1], Interrupted)
