"""Files that models return."""

from pathlib import Path

import pytest

from tests.instances.cogs import Cogs, Told

pytestmark = pytest.mark.anyio


def contents(told: Told) -> dict[str, str]:
    return {pointer: path.read_text() for event in told.produced for pointer, path in event.paths.items()}


async def test_a_file_comes_as_its_name_and_a_local_path(cogs: Cogs) -> None:
    async with cogs.running("gives_files") as model:
        told = await model.run({"do": "one"})

        assert told.output == "picture.png"
        assert contents(told) == {"": "one"}


async def test_twenty_files_of_one_name_stay_in_order(cogs: Cogs) -> None:
    async with cogs.running("gives_files") as model:
        told = await model.run({"do": "twenty"})

        assert told.output == ["same.txt"] * 20
        assert contents(told) == {f"/{number}": str(number) for number in range(20)}


async def test_files_inside_dicts_lists_and_tuples_are_found(cogs: Cogs) -> None:
    async with cogs.running("gives_files") as model:
        told = await model.run({"do": "nested"})

        assert told.output == {"a/b": {"list": [1, "x.txt", None]}, "~": ["y.txt"], "text": "z"}
        assert contents(told) == {"/a~1b/list/1": "x", "/~0/0": "y"}


async def test_files_in_fields_of_output_objects_are_found(cogs: Cogs) -> None:
    async with cogs.running("typed_files") as model:
        told = await model.run()

        assert told.output == {"image": "image.png", "caption": "a picture", "mask": None}
        assert contents(told) == {"/image": "pixels"}


async def test_each_yielded_file_is_an_item_of_its_own(cogs: Cogs) -> None:
    async with cogs.running("streams_files") as model:
        told = await model.run()

        assert told.items == ["frame.txt"] * 5
        assert [path.read_text() for event in told.produced for path in event.paths.values()] == list("01234")


async def test_an_open_file_is_a_file_too(cogs: Cogs) -> None:
    async with cogs.running("gives_files") as model:
        told = await model.run({"do": "stream"})

        assert told.output == "open.bin"
        assert contents(told) == {"": "opened"}


async def test_a_file_outside_the_models_folders_is_copied_and_stays(cogs: Cogs, tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("kept")
    async with cogs.running("gives_files") as model:
        told = await model.run({"do": "outside", "text": str(kept)})

        assert contents(told) == {"": "kept"}
        assert kept.read_text() == "kept"


@pytest.mark.parametrize(
    ("do", "error"),
    [
        ("missing", "The model returned a file that does not exist: /nowhere/x.png"),
        ("dangling", "The model returned a file that does not exist: "),
        ("folder", "The model returned a path that is not a file: "),
    ],
)
async def test_a_returned_path_that_is_no_file_fails_the_prediction(cogs: Cogs, do: str, error: str) -> None:
    async with cogs.running("gives_files") as model:
        told = await model.run({"do": do})

        assert told.error.startswith(error)
        assert (await model.run({"do": "one"})).output == "picture.png"


async def test_forged_marks_reach_no_file_outside_the_spool(cogs: Cogs, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("not for models")
    async with cogs.running("gives_files") as model:
        (model.scratch / "outside").write_text("above the spool")
        told = await model.run({"do": "steal", "text": str(secret)})

        assert [event.paths for event in told.produced] == [{}]
