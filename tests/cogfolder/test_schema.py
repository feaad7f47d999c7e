"""The schema of a model, read from its source, is what importing it tells, and what Cog's builder makes."""

import textwrap
from pathlib import Path
from typing import Any

import pytest

from cogyard.cogfolder.schema import (
    NeedsImport,
    SchemaError,
    check_schema,
    derive_schema,
    derive_schema_by_import,
    for_serving,
    predictor_facts,
)

HEAD = """
import enum
from typing import Any, Iterator, List, Literal, Optional, TypedDict, Union
import cog
from cog import AsyncConcatenateIterator, BaseModel, BasePredictor, ConcatenateIterator, File, Input, Path, Secret
from shared import SIZES, LIMIT

STYLES = {"anime": 1, "photo": 2}
NAMES = ["a", "b"]

class Colour(str, enum.Enum):
    RED = "red"
    BLUE = "blue"

class Inner(BaseModel):
    score: float
    note: Optional[str] = None

class Result(BaseModel):
    label: str
    inner: Inner
    many: List[Inner]

class Shape(TypedDict):
    width: int
"""


def write(folder: Path, body: str) -> Path:
    (folder / "shared.py").write_text("SIZES = [256, 512]\nLIMIT = 4 * 8\n")
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


INPUTS: list[tuple[str, dict[str, Any], bool]] = [
    ("x: str", {"title": "X", "type": "string"}, True),
    ('x: str = "a"', {"title": "X", "type": "string", "default": "a"}, False),
    ("x: int = Input(ge=1, le=10, default=5, description='n')",
     {"title": "X", "type": "integer", "default": 5, "minimum": 1, "maximum": 10, "description": "n"}, False),
    ("x: float = Input(default=-0.5, ge=-1.0)", {"title": "X", "type": "number", "default": -0.5, "minimum": -1}, False),
    ("x: bool = False", {"title": "X", "type": "boolean", "default": False}, False),
    ("x: Path", {"title": "X", "type": "string", "format": "uri"}, True),
    ("x: File = Input(description='f')", {"title": "X", "type": "string", "format": "uri", "description": "f"}, True),
    ("x: Secret", {"title": "X", "type": "string", "format": "password", "writeOnly": True, "x-cog-secret": True}, True),
    ("x: Optional[int] = None", {"title": "X", "type": "integer", "nullable": True, "default": None}, False),
    ("x: int | None = Input(default=None)", {"title": "X", "type": "integer", "nullable": True, "default": None}, False),
    ("x: int = Input(default=None)", {"title": "X", "type": "integer"}, True),
    ("x: List[str]", {"title": "X", "type": "array", "items": {"type": "string"}}, True),
    ("x: list[Path] = Input(default=[])",
     {"title": "X", "type": "array", "items": {"type": "string", "format": "uri"}, "default": []}, False),
    ("x: dict", {"title": "X", "type": "object"}, True),
    ("x: Any", {"title": "X", "type": "object"}, True),
    ("x: Shape", {"title": "X", "type": "object"}, True),
    ("x: Union[str, int]", {"title": "X", "anyOf": [{"type": "string"}, {"type": "integer"}]}, True),
    ("x: str = Input(min_length=1, max_length=LIMIT, regex='^a')",
     {"title": "X", "type": "string", "minLength": 1, "maxLength": 32, "pattern": "^a"}, True),
    ("x: str = Input(deprecated=True, default='a')", {"title": "X", "type": "string", "default": "a", "deprecated": True}, False),
]  # fmt: skip


@pytest.mark.parametrize(("source", "expected", "is_required"), INPUTS, ids=[entry[0] for entry in INPUTS])
def test_an_input_is_described(
    tmp_path: Path, cog_python: Path, source: str, expected: dict[str, Any], is_required: bool
) -> None:
    folder = write(tmp_path, model(source))

    schema = derive_schema(folder, "predict.py:Predictor")

    assert components(schema)["Input"]["properties"]["x"] == {"x-order": 0, **expected}
    assert components(schema)["Input"].get("required", []) == (["x"] if is_required else [])
    assert derive_schema_by_import(folder, cog_python, "predict.py:Predictor") == schema


CHOICES = [
    ('x: str = Input(choices=["a", "b"])', ["a", "b"], "string"),
    ("x: str = Input(choices=NAMES, default='a')", ["a", "b"], "string"),
    ("x: str = Input(choices=list(STYLES.keys()))", ["anime", "photo"], "string"),
    ("x: str = Input(choices=NAMES + ['c'])", ["a", "b", "c"], "string"),
    ("x: int = Input(choices=SIZES)", [256, 512], "integer"),
    ("x: int = Input(choices=[s * 2 for s in SIZES])", [512, 1024], "integer"),
    ("x: Literal['a', 'b'] = 'a'", ["a", "b"], "string"),
    ("x: Colour", ["red", "blue"], "string"),
]


@pytest.mark.parametrize(("source", "values", "kind"), CHOICES, ids=[entry[0] for entry in CHOICES])
def test_choices_become_an_enumeration(
    tmp_path: Path, cog_python: Path, source: str, values: list[object], kind: str
) -> None:
    folder = write(tmp_path, model(source))

    schema = derive_schema(folder, "predict.py:Predictor")

    assert components(schema)["x"] == {
        "title": "x",
        "description": "An enumeration.",
        "enum": values,
        "type": kind,
    }
    assert components(schema)["Input"]["properties"]["x"]["allOf"] == [{"$ref": "#/components/schemas/x"}]
    assert derive_schema_by_import(folder, cog_python, "predict.py:Predictor") == schema


ITERATOR = {"type": "array", "items": {"type": "string"}, "x-cog-array-type": "iterator"}
INNER = {
    "type": "object",
    "properties": {
        "score": {"type": "number", "title": "Score"},
        "note": {"type": "string", "nullable": True, "title": "Note"},
    },
    "required": ["score"],
}
OUTPUTS: list[tuple[str, dict[str, Any]]] = [
    ("str", {"type": "string"}),
    ("Path", {"type": "string", "format": "uri"}),
    ("List[Path]", {"type": "array", "items": {"type": "string", "format": "uri"}}),
    ("Any", {"type": "object"}),
    ("dict", {"type": "object"}),
    ("dict[str, float]", {"type": "object", "additionalProperties": {"type": "number"}}),
    ("Iterator[str]", ITERATOR),
    ("ConcatenateIterator[str]", {**ITERATOR, "x-cog-array-display": "concatenate"}),
    ("Inner", INNER),
    (
        "Result",
        {
            "type": "object",
            "properties": {
                "label": {"type": "string", "title": "Label"},
                "inner": {**INNER, "title": "Inner"},
                "many": {"type": "array", "items": INNER, "title": "Many"},
            },
            "required": ["label", "inner", "many"],
        },
    ),
]


@pytest.mark.parametrize(("source", "expected"), OUTPUTS, ids=[entry[0] for entry in OUTPUTS])
def test_an_output_is_described(tmp_path: Path, cog_python: Path, source: str, expected: dict[str, Any]) -> None:
    folder = write(tmp_path, model(output=source))

    schema = derive_schema(folder, "predict.py:Predictor")

    assert components(schema)["Output"] == {**expected, "title": "Output"}
    assert derive_schema_by_import(folder, cog_python, "predict.py:Predictor") == schema


FAULTS = [
    (model("x"), "the input `x` has no type"),
    (model("*args"), "must name its inputs"),
    (model("x: str", "Optional[str]"), "an output cannot be optional"),
    (model("x: str", "str | int"), "an output cannot be a union"),
    (model("x: str", "ConcatenateIterator[int]"), "its items must be str"),
    (model("x: Strange"), "`Strange` is not a type that an input can have"),
    (model("x: List[Optional[str]]"), "lists of optional items"),
    ("class Predictor(BasePredictor):\n    def predict(self): pass", "has no return type"),
    ("class Predictor(BasePredictor):\n    pass", "has no method run() or predict()"),
    ("class Other: pass", "there is no class or function Predictor"),
    ("def broken(:", "this is not valid Python"),
]


@pytest.mark.parametrize(("body", "problem"), FAULTS, ids=[entry[1] for entry in FAULTS])
def test_a_fault_names_file_and_line(tmp_path: Path, body: str, problem: str) -> None:
    with pytest.raises(SchemaError, match=r"^predict\.py(:\d+)?: ") as caught:
        derive_schema(write(tmp_path, body), "predict.py:Predictor")

    assert problem in str(caught.value)


def test_what_only_running_tells_is_told_by_importing(tmp_path: Path, cog_python: Path) -> None:
    folder = write(tmp_path, model("x: str = Input(choices=sorted({name.upper() for name in NAMES}))"))

    with pytest.raises(NeedsImport, match="only known when it runs"):
        derive_schema(folder, "predict.py:Predictor")
    assert components(derive_schema_by_import(folder, cog_python, "predict.py:Predictor"))["x"]["enum"] == ["A", "B"]


def test_an_import_that_fails_or_hangs_is_told(tmp_path: Path, cog_python: Path) -> None:
    with pytest.raises(SchemaError, match=r"predict\.py:\d+: importing it failed: ZeroDivisionError"):
        derive_schema_by_import(write(tmp_path, "1 / 0\n" + model()), cog_python, "predict.py:Predictor")
    hanging = write(tmp_path, "import time; time.sleep(100)\n" + model())
    with pytest.raises(SchemaError, match="longer than 1 seconds"):
        derive_schema_by_import(hanging, cog_python, "predict.py:Predictor", timeout=1)


def test_what_the_model_prints_while_it_is_imported_does_no_harm(tmp_path: Path, cog_python: Path) -> None:
    folder = write(tmp_path, "print('{}')\n" + model("x: str"))

    assert derive_schema_by_import(folder, cog_python, "predict.py:Predictor")["openapi"] == "3.0.2"


def test_functions_run_methods_and_training_are_described(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        """
        def predict(x: str) -> str: ...
        def train(data: Path, steps: int = 5) -> Inner: ...
        class Base(BasePredictor):
            @cog.streaming
            async def run(self, x: str) -> AsyncConcatenateIterator[str]:
                yield x
        class Runner(Base):
            @cog.concurrent(max=4)
            async def run(self, x: str) -> AsyncConcatenateIterator[str]:
                yield x
        class Child(Base): pass
        """,
    )
    both = derive_schema(folder, "predict.py:predict", "predict.py:train")
    facts, inherited = predictor_facts(folder, "predict.py"), predictor_facts(folder, "predict.py:Child")

    assert {"/predictions", "/trainings", "/trainings/{training_id}/cancel"} <= set(both["paths"])  # type: ignore[arg-type]
    assert components(both)["TrainingInput"]["required"] == ["data"]
    assert (facts.name, facts.is_async, facts.max_concurrency, facts.is_streaming) == ("Runner", True, 4, False)
    assert inherited.is_streaming
    assert derive_schema(folder, "predict.py:Child")["paths"]["/predictions"]["post"]["x-cog-streaming"] is True  # type: ignore[index,call-overload]


def test_serving_streams_whatever_the_author_said(tmp_path: Path) -> None:
    schema = derive_schema(write(tmp_path, model("x: str")), "predict.py:Predictor")
    served: Any = for_serving(schema)

    assert served["paths"]["/predictions"]["post"].pop("x-cog-streaming") is True
    assert served == schema


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ([], "must hold a JSON object"),
        ({}, "has no components.schemas"),
        ({"components": {"schemas": {"Input": {}}}}, "has no components.schemas.Output"),
        ({"components": {"schemas": {"Input": {}, "Output": {}}}}, "has no path /predictions"),
        (
            {
                "components": {"schemas": {"Input": {"$ref": "#/components/schemas/X"}, "Output": {}}},
                "paths": {"/predictions": {}},
            },
            "refers to #/components/schemas/X, which is not there",
        ),
    ],
)
def test_a_hand_written_schema_is_checked(schema: Any, problem: str) -> None:
    with pytest.raises(SchemaError, match=r"openapi\.json: "):
        check_schema(schema)
    with pytest.raises(SchemaError, match=problem.replace(".", r"\.")):
        check_schema(schema)
