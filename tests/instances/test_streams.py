"""Output that arrives while the model is still at work."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from cogyard.domain.events import Succeeded
from cogyard.instances.driver import Produced
from tests.instances.cogs import Cogs, new_id

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("name", "items"), [("streams", ["first ", "second ", "third"]), ("async_streams", ["x1", "x2", "x3"])]
)
async def test_an_item_arrives_before_the_next_one_is_made(
    cogs: Cogs, tmp_path: Path, name: str, items: list[str]
) -> None:
    gate, arrived, end = tmp_path / "gate", [], None
    async with (
        cogs.running(name) as model,
        aclosing(model.driver.submit(new_id(), {"gate": str(gate)}, {})) as events,
    ):
        async for event in events:
            end = event
            if isinstance(event, Produced):
                arrived.append(event.value)
                gate.touch()  # without this the model yields nothing more

    assert arrived == items
    assert isinstance(end, Succeeded)


@pytest.mark.parametrize(("name", "items"), [("streams", ["first "]), ("async_streams", ["x1"])])
async def test_items_before_a_failure_are_kept(cogs: Cogs, name: str, items: list[str]) -> None:
    async with cogs.running(name) as model:
        told = await model.run({"fail": True})

    assert told.items == items
    assert told.error == "ValueError: half way"
    assert "Traceback" in told.logs
    assert "wrapper" not in told.logs


async def test_a_generator_leaves_no_text_to_the_next_prediction(cogs: Cogs) -> None:
    async with cogs.running("streams") as model:
        assert [(await model.run()).logs for _ in range(3)] == ["between"] * 3


async def test_an_async_model_runs_four_streams_at_a_time(cogs: Cogs) -> None:
    async with cogs.running("async_streams", concurrency=4) as model:
        told = await asyncio.gather(*(model.run({"text": name, "together": 4}) for name in "abcd"))

    assert [one.items for one in told] == [[f"{name}{number}" for number in (1, 2, 3)] for name in "abcd"]
    assert [one.logs for one in told] == [f"hello from {name}\n" for name in "abcd"]


async def test_an_async_model_runs_four_plain_predictions_at_a_time(cogs: Cogs) -> None:
    async with cogs.running("async_plain", concurrency=4) as model:
        told = await asyncio.gather(*(model.run({"text": name}) for name in "abcd"))

    assert [one.output for one in told] == list("abcd")
    assert [one.metrics[0].value for one in told] == list("abcd")
    assert [one.logs for one in told] == [f"here is {name}\n" for name in "abcd"]


async def test_an_async_generator_yields_files_nulls_and_large_items(cogs: Cogs) -> None:
    async with cogs.running("async_chunks") as model:
        told = await model.run()

        assert told.items == ["item.txt", None, ["a", {"b": 1.5}], "x" * 3_000_000]
        assert told.produced[0].paths[""].read_text() == "a file"
        assert told.logs == "closed\n"


async def test_an_async_generator_that_yields_a_missing_file_fails_and_is_closed(cogs: Cogs) -> None:
    async with cogs.running("async_chunks") as model:
        told = await model.run({"do": "missing"})

    assert told.items == ["before"]
    assert told.error == "The model returned a file that does not exist: /nowhere/x.png"
    assert told.logs == "closed\n"


async def test_floods_of_two_async_predictions_stay_apart(cogs: Cogs) -> None:
    async with cogs.running("async_plain", concurrency=2) as model:
        told = await asyncio.gather(*(model.run({"do": "flood", "text": name}) for name in "ab"))

    for one, name in zip(told, "ab", strict=True):
        assert one.logs == "".join(f"{name} {number}\n" for number in range(20_000))


async def test_a_flood_of_items_arrives_whole(cogs: Cogs) -> None:
    async with cogs.running("streams") as model:
        told = await model.run({"n": 50_000})

    assert told.items == ["first ", *["x"] * 50_000, "second ", "third"]


async def test_a_prediction_that_finds_no_slot_waits_for_one(cogs: Cogs) -> None:
    async with cogs.running("echo") as model:
        told = await asyncio.gather(*(model.run({"text": name}) for name in "abcd"))

    assert [one.output for one in told] == list("abcd")
