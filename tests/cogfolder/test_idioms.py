"""Idioms that models from elsewhere use: read from the source where Cog's builder or more can, refused in a sentence."""

import textwrap
from pathlib import Path
from typing import Any

import pytest

from cogyard.cogfolder.schema import SchemaError, derive_schema, derive_schema_by_import

HEAD = """
from typing import Annotated, Any, Optional, TypedDict
from cog import BaseModel, BasePredictor, ConcatenateIterator, File, Input, Opaque, Path, streaming
from typing_extensions import NotRequired, Required
import knobs
from knobs import strength

class Solver:
    def step(self): ...

SOLVERS = {"euler": Solver, "heun": Solver}
STEPS = {1: "draft", 4: "fair", 16: "fine"}

TITLE = "words"

class Knobs:
    prompt: str = Input(description=TITLE, default="a cat")
    sizes = [64, 128]

    @staticmethod
    def guidance(default: float, top: float = 9.0) -> float:
        '''How strictly.'''
        return Input(default=default, ge=1, le=top)

class Reply(BaseModel):
    raw: Annotated[Solver, Opaque]
    rows: Annotated[Optional[list[Solver]], Opaque] = None
    note: Annotated[Optional[str], "a remark"] = None

class Row(TypedDict, total=False):
    key: Required[Optional[int]]
    mark: Annotated[Optional[str], "a remark"]
    name: NotRequired[str]
"""

KNOBS = """
from cog import Input
LIMITS = {"low": 1, "high": 3}
def strength(default=0.5):
    return Input(description="How strong.", default=default, ge=0, le=1)
def quality():
    return Input(default=80, ge=LIMITS["low"], le=100)
"""


def write(folder: Path, body: str) -> Path:
    (folder / "knobs.py").write_text(KNOBS)
    (folder / "predict.py").write_text(HEAD + textwrap.dedent(body))
    return folder


def model(inputs: str = "", output: str = "str", prefix: str = "") -> str:
    return f"""
class Predictor(BasePredictor):
    {prefix}def predict(self, {inputs}) -> {output}:
        raise NotImplementedError
"""


def components(schema: Any) -> Any:
    return schema["components"]["schemas"]


INPUTS: list[tuple[str, dict[str, Any]]] = [
    ("x: str = Knobs.prompt", {"type": "string", "default": "a cat", "description": "words"}),
    ("x: float = Knobs.guidance(3.5)", {"type": "number", "default": 3.5, "minimum": 1, "maximum": 9}),
    ("x: float = Knobs.guidance(2.0, top=4)", {"type": "number", "default": 2.0, "minimum": 1, "maximum": 4}),
    ("x: float = strength()",
     {"type": "number", "default": 0.5, "minimum": 0, "maximum": 1, "description": "How strong."}),
    ("x: int = knobs.quality()", {"type": "integer", "default": 80, "minimum": 1, "maximum": 100}),
    ("x: Annotated[Solver, Opaque]", {"type": "object"}),
    ("x: Annotated[list[Solver], Opaque]", {"type": "array", "items": {"type": "object"}}),
    ("x: Annotated[Optional[Solver], Opaque] = None", {"type": "object", "nullable": True, "default": None}),
    ("x: Annotated[list[Solver] | None, Opaque] = None",
     {"type": "array", "items": {"type": "object"}, "nullable": True, "default": None}),
]  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), INPUTS, ids=[entry[0] for entry in INPUTS])
def test_an_input_is_read_from_the_source(
    tmp_path: Path, cog_python: Path, source: str, expected: dict[str, Any]
) -> None:
    folder = write(tmp_path, model(source))

    schema = derive_schema(folder, "predict.py:Predictor")

    assert components(schema)["Input"]["properties"]["x"] == {"title": "X", "x-order": 0, **expected}
    assert derive_schema_by_import(folder, cog_python, "predict.py:Predictor") == schema


CHOICES = [
    ("x: str = Input(choices=SOLVERS.keys(), default='euler')", ["euler", "heun"], "string"),
    ("x: str = Input(choices=list(SOLVERS), default='heun')", ["euler", "heun"], "string"),
    ("x: int = Input(choices=list(STEPS.keys()), default=4)", [1, 4, 16], "integer"),
    ("x: int = Input(choices=sorted(STEPS), default=4)", [1, 4, 16], "integer"),
    ("x: int = Input(choices=[step for step in STEPS], default=4)", [1, 4, 16], "integer"),
    ("x: int = Input(choices=Knobs.sizes, default=64)", [64, 128], "integer"),
    ("x: str = Input(choices=list(knobs.LIMITS), default='low')", ["low", "high"], "string"),
]


@pytest.mark.parametrize(("source", "choices", "kind"), CHOICES, ids=[entry[0] for entry in CHOICES])
def test_choices_are_the_keys_of_what_is_written_out(
    tmp_path: Path, cog_python: Path, source: str, choices: list[Any], kind: str
) -> None:
    folder = write(tmp_path, model(source))

    schema = derive_schema(folder, "predict.py:Predictor")

    assert components(schema)["x"]["enum"] == choices
    assert components(schema)["x"]["type"] == kind
    assert derive_schema_by_import(folder, cog_python, "predict.py:Predictor") == schema


OUTPUTS: list[tuple[str, dict[str, Any]]] = [
    ("Annotated[Solver, Opaque]", {"type": "object"}),
    ("list[Annotated[Solver, Opaque]]", {"type": "array", "items": {"type": "object"}}),
    ("Reply",
     {"type": "object", "required": ["raw"], "properties": {
         "raw": {"type": "object", "title": "Raw"},
         "rows": {"type": "array", "items": {"type": "object"}, "nullable": True, "title": "Rows"},
         "note": {"type": "string", "nullable": True, "title": "Note"}}}),
    ("Row",
     {"type": "object", "required": ["key"], "properties": {
         "key": {"type": "integer", "nullable": True, "title": "Key"},
         "mark": {"type": "string", "nullable": True, "title": "Mark"},
         "name": {"type": "string", "title": "Name"}}}),
]  # fmt: skip


@pytest.mark.parametrize(("output", "expected"), OUTPUTS, ids=[entry[0] for entry in OUTPUTS])
def test_an_output_is_read_from_the_source(
    tmp_path: Path, cog_python: Path, output: str, expected: dict[str, Any]
) -> None:
    folder = write(tmp_path, model("x: str", output))

    schema = derive_schema(folder, "predict.py:Predictor")

    assert components(schema)["Output"] == {"title": "Output", **expected}
    assert derive_schema_by_import(folder, cog_python, "predict.py:Predictor") == schema


WRONG = [
    (model("x: str = Input(accept='image/*')"), "`accept` is for inputs of type Path or File."),
    (model("x: int = Input(default=1, ge=2, le=9)"), "the input `x`: its default 1 is less than the minimum, 2."),
    (model("x: float = Input(default=9.5, le=9)"), "its default 9.5 is more than the maximum, 9."),
    (model("x: str = Input(default='long', max_length=3)"), "its default 'long' is longer than 3."),
    (model("x: str = Input(default='', min_length=1)"), "its default '' is shorter than 1."),
    (model("x: str = Input(default='B', regex='^[a-z]+$')"), "its default 'B' does not match '^[a-z]+$'."),
    (model("x: str = Input(default='c', choices=['a', 'b'])"), "its default 'c' is none of its choices."),
    (model("x: int = Input(default='many')"), "its default 'many' is not of its type."),
    (model("x: list[int] = Input(default=[1, 'b'])"), "its default [1, 'b'] is not of its type."),
    (model("x: int | str = Input(default=1, ge=0)"), "choices and limits are not supported where more than one type"),
    (model("x: Path | str"), "Path, File and Secret are not supported in unions of inputs."),
    (model("x: list[Path] | list[str] = []"), "Path, File and Secret are not supported in unions of inputs."),
    (model("x: str", "ConcatenateIterator"), "`ConcatenateIterator` is not a type that an output can have."),
    (model("x: str", "str", "@streaming\n    "), "@streaming needs an iterator"),
    (model("x: str", "Annotated[Optional[Solver], Opaque]"), "an output cannot be optional"),
]


@pytest.mark.parametrize(("source", "told"), WRONG, ids=[entry[1] for entry in WRONG])
def test_what_contradicts_itself_is_refused(tmp_path: Path, source: str, told: str) -> None:
    with pytest.raises(SchemaError, match=r"^predict.py:\d+: ") as refused:
        derive_schema(write(tmp_path, source), "predict.py:Predictor")

    assert told in str(refused.value)


FINE = [
    "x: float = Input(default=1, ge=0)",
    "x: int = Input(default=2.0)",
    "x: list[Path] = Input(default=[], accept='image/*')",
    "x: File = Input(accept='audio/wav')",
    "x: int = Input(default=None, ge=0, choices=[1, 2])",
    "x: int | str = 'a'",
    "x: dict = Input(default={})",
    "x: Any = 5",
]


@pytest.mark.parametrize("source", FINE)
def test_what_only_looks_odd_is_taken(tmp_path: Path, source: str) -> None:
    derive_schema(write(tmp_path, model(source)), "predict.py:Predictor")


def test_names_that_a_star_brings_are_known(tmp_path: Path) -> None:
    (tmp_path / "knobs.py").write_text("DEFAULT = 3\n")
    (tmp_path / "predict.py").write_text(
        "from typing import *\nfrom cog import *\nfrom knobs import *\n"
        "class Predictor(BasePredictor):\n"
        "    def predict(self, a: Optional[Path] = None, b: Any = 1, c: int = Input(default=DEFAULT)) -> List[Path]: ...\n"
    )

    found = components(derive_schema(tmp_path, "predict.py:Predictor"))

    assert found["Input"]["properties"]["a"]["format"] == "uri"
    assert found["Input"]["properties"]["b"]["type"] == "object"
    assert found["Input"]["properties"]["c"]["default"] == 3
    assert found["Output"]["items"] == {"type": "string", "format": "uri"}


def test_an_optional_union_allows_null_in_each_of_its_types(tmp_path: Path, cog_python: Path) -> None:
    folder = write(tmp_path, "from typing import Union\n" + model("x: Optional[Union[int, str]] = None"))

    schema = derive_schema(folder, "predict.py:Predictor")

    kinds = [{"type": "integer", "nullable": True}, {"type": "string", "nullable": True}]
    assert components(schema)["Input"]["properties"]["x"]["anyOf"] == kinds
    assert derive_schema_by_import(folder, cog_python, "predict.py:Predictor") == schema


def test_a_described_field_is_no_default(tmp_path: Path) -> None:
    (tmp_path / "predict.py").write_text(
        "from cog import BasePredictor\nfrom pydantic import BaseModel, Field\n"
        "class Reply(BaseModel):\n    text: str = Field(description='said')\n    count: int = 1\n"
        "class Predictor(BasePredictor):\n    def predict(self) -> Reply: ...\n"
    )

    assert components(derive_schema(tmp_path, "predict.py:Predictor"))["Output"]["required"] == ["text"]
