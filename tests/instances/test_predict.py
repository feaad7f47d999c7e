"""What models return, print, record and raise, as the driver tells it."""

from pathlib import Path

import pytest

from cogyard.domain.events import Failed, Log, Metric, MetricMode, Started, Succeeded
from cogyard.domain.prediction import MAX_LOG_CHARACTERS
from cogyard.domain.values import Json, PredictionId
from cogyard.instances.driver import Produced
from tests.instances.cogs import Cogs, new_id

pytestmark = pytest.mark.anyio


async def test_a_prediction_starts_produces_and_succeeds(cogs: Cogs) -> None:
    async with cogs.running("echo") as model:
        told = await model.run({"text": "hi"})

    assert [type(event) for event in told.events] == [Started, Produced, Succeeded]
    assert told.output == "hi"


async def test_two_hundred_in_a_row_are_never_refused(cogs: Cogs) -> None:
    async with cogs.running("echo") as model:
        outputs = [(await model.run({"text": str(number)})).output for number in range(200)]

    assert outputs == [str(number) for number in range(200)]


@pytest.mark.parametrize("name", ["../../etc", "short", "A" * 26, "a" * 25 + "/"])
async def test_an_id_of_another_form_is_refused(cogs: Cogs, name: str) -> None:
    async with cogs.running("echo") as model:
        with pytest.raises(ValueError, match="is no prediction id"):
            await anext(model.driver.submit(PredictionId(name), {}, {}))


async def test_the_model_keeps_its_self_and_class_attributes(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        await model.run()
        told = await model.run()

    assert told.output == {"calls": 2, "is_me": True, "born": "class attribute", "kind": "Predictor"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("null", None), ("empty", []), ("list", ["a", "b"]), ("false", False), ("mark", "cogyard-output:abc:1/x")],
)
async def test_single_values_arrive_whole_and_once(cogs: Cogs, name: str, value: Json) -> None:
    async with cogs.running("unruly") as model:
        assert (await model.run({"do": "value", "text": name})).output == value


async def test_an_output_of_many_megabytes_arrives(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        assert (await model.run({"do": "big", "n": 15 * 2**20})).output == "x" * 15 * 2**20


async def test_an_exception_gives_its_words_and_a_traceback_of_the_models_code_alone(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        told = await model.run({"do": "raise_", "text": "not like this"})

        assert told.error == "ValueError: not like this"
        assert told.logs.startswith("before the fall\nTraceback (most recent call last):\n")
        assert 'predict.py", line' in told.logs
        assert told.logs.endswith("ValueError: not like this\n")
        assert "wrapper" not in told.logs
        assert (await model.run({"do": "quiet"})).output == "quiet"


async def test_sys_exit_fails_the_prediction_and_the_model_lives(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        assert "enough" in (await model.run({"do": "sys_exit", "text": "enough"})).error
        assert (await model.run({"do": "quiet"})).output == "quiet"


async def test_memory_error_is_an_ordinary_failure(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        assert (await model.run({"do": "allocate", "n": 500})).error.startswith("MemoryError")


@pytest.mark.parametrize(
    ("do", "error"),
    [
        ("nan", "The model's output is not valid JSON: it holds NaN or Infinity."),
        ("surrogate", "The model's output is not valid JSON: it holds half of a surrogate pair."),
        ("bytes_", "The model's output is not JSON: Object of type bytes is not JSON serializable"),
    ],
)
async def test_output_that_is_not_json_fails_with_a_clear_sentence(cogs: Cogs, do: str, error: str) -> None:
    async with cogs.running("unruly") as model:
        assert (await model.run({"do": do})).error == error


async def test_prints_of_all_kinds_are_logged(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        for text in ("one", "two"):
            told = await model.run({"do": "log_everywhere", "text": text})
            assert sorted(told.logs.splitlines()) == [f"model: logged {text}", f"stderr {text}", f"thread {text}"]


@pytest.mark.parametrize("do", ["no_newline", "no_newline_and_raise"])
async def test_text_without_a_line_end_stays_with_its_prediction(cogs: Cogs, do: str) -> None:
    async with cogs.running("unruly") as model:
        told = await model.run({"do": do, "text": "mine"})
        after = await model.run({"do": "quiet"})

    assert told.logs.startswith("mine")
    assert after.logs == ""


async def test_fifty_megabytes_of_logs_neither_block_nor_pile_up(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        told = await model.run({"do": "flood", "n": 50})
        after = await model.run({"do": "quiet"})

    assert told.output == "written"
    assert MAX_LOG_CHARACTERS < len(told.logs) < 2 * MAX_LOG_CHARACTERS
    assert after.logs == ""


@pytest.mark.parametrize(("do", "prefix"), [("many_lines", ""), ("many_logged", "root: ")])
async def test_many_short_lines_arrive_in_order(cogs: Cogs, do: str, prefix: str) -> None:
    async with cogs.running("unruly") as model:
        told = await model.run({"do": do, "n": 50_000})

    assert isinstance(told.output, str)
    assert told.logs == "".join(f"{prefix}line {number}\n" for number in range(50_000))


async def test_output_over_the_limit_fails_and_the_model_is_ended_or_lives(cogs: Cogs) -> None:
    async with cogs.running("unruly", output_bytes=1000) as model:
        told = await model.run({"do": "big", "n": 10_000})

        assert told.error == "The model's output is larger than 1000 bytes, the most that is kept."
        assert told.items == []
        assert (await model.run({"do": "quiet"})).output == "quiet"


async def test_metrics_come_with_their_modes(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        told = await model.run({"do": "metrics"})

    assert told.metrics == [
        Metric(name="image_count", value=3),
        Metric(name="steps", value=2, mode=MetricMode.increment),
        Metric(name="losses", value=0.5, mode=MetricMode.append),
        Metric(name="timing.first", value=1.5),
        Metric(name="words", value="many"),
    ]


async def test_nothing_is_left_in_temporary_folders(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        for _ in range(3):
            told = await model.run({"do": "litter"})
            assert told.output == str(model.scratch / "tmp")

        assert (await model.run({"do": "list_litter"})).output == []


async def test_the_next_may_begin_while_the_last_event_of_one_is_handled(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        async for event in model.driver.submit(new_id(), {"do": "litter"}, {}):
            if isinstance(event, Succeeded):
                assert (await model.run({"do": "list_litter"})).output == []


async def test_an_unfit_input_fails_with_the_name_of_the_field(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        told = await model.run({"n": "many"})

    assert "n: " in told.error
    assert isinstance(told.events[0], Failed)


async def test_every_kind_of_input_arrives_as_the_model_declares_it(cogs: Cogs, tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.txt" for name in ("path", "maybe_path", "file", "first", "second")}
    for name, file in files.items():
        file.write_text(f"the {name}")
    given: dict[str, Json] = {
        "path": "https://a/b",
        "maybe_path": "x",
        "file": "y",
        "paths": ["1", "2"],
        "secret": "hush",
        "size": "large",
        "steps": 8,
    }
    paths = {
        "/path": files["path"],
        "/maybe_path": files["maybe_path"],
        "/file": files["file"],
        "/paths/0": files["first"],
        "/paths/1": files["second"],
    }

    async with cogs.running("takes_inputs") as model:
        output = (await model.run_with(given, paths)).output
        defaults = (await model.run_with({"path": "x"}, {"/path": files["path"]})).output

    assert isinstance(output, dict)
    assert isinstance(defaults, dict)
    assert output["path"] == {"kind": "Path", "content": "the path", "name": "path.txt"}
    assert output["maybe_path"] == {"kind": "Path", "content": "the maybe_path", "name": "maybe_path.txt"}
    assert output["file"] == {"kind": "file", "content": "the file", "name": str(files["file"])}
    assert output["paths"] == [
        {"kind": "Path", "content": "the first", "name": "first.txt"},
        {"kind": "Path", "content": "the second", "name": "second.txt"},
    ]
    assert output["secret"] == {"kind": "Secret", "shown": "**********", "length": 4}
    assert output["size"] == {"kind": "str", "value": "large"}
    assert output["steps"] == {"kind": "int", "value": 8}
    assert {name: value.get("value") for name, value in defaults.items() if isinstance(value, dict)} == {
        "path": None,  # a file, which has no value
        "maybe_path": None,
        "file": None,
        "secret": None,
        "size": "small",
        "steps": 4,
        "strength": 0.5,
        "flag": False,
        "plain": "plain default",
    }
    assert defaults["paths"] == []
    assert defaults["names"] == [{"kind": "str", "value": "a"}]


async def test_a_log_comes_before_the_end(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        told = await model.run({"do": "no_newline", "text": "mine"})

    assert isinstance(told.events[-1], Succeeded)
    assert any(isinstance(event, Log) for event in told.events[:-1])


async def test_a_model_that_loses_its_streams_is_still_heard_and_goes_on(cogs: Cogs) -> None:
    async with cogs.running("unruly") as model:
        told = await model.run({"do": "lose_streams"})
        again = await model.run({"do": "quiet"})

    assert told.error == "ValueError: without a voice"
    assert "in lose_streams" in told.logs
    assert again.items == ["quiet"]


@pytest.mark.parametrize(
    ("model_input", "output"),
    [
        ({}, "RED None [] no frame"),
        ({"colour": "blue", "size": 2}, "BLUE LARGE [] no frame"),
        ({"points": [{"x": 1}, {"x": 2, "y": 3}], "frame": {"width": 4}}, "RED None [(1, 0), (2, 3)] 4 none"),
    ],
)
async def test_inputs_of_the_models_own_types_arrive_as_such(
    cogs: Cogs, model_input: dict[str, Json], output: str
) -> None:
    async with cogs.running("takes_kinds") as model:
        assert (await model.run(model_input)).output == output
