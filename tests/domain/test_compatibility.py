"""What breaks the callers of an official model, and what does not."""

import pytest

from cogyard.domain.compatibility import breaking_changes
from cogyard.domain.values import Json, JsonObject

TEXT: JsonObject = {"type": "string"}
CHOICE: JsonObject = {"allOf": [{"$ref": "#/components/schemas/size"}], "default": "small"}


def document(
    properties: JsonObject, required: list[Json] | None = None, output: JsonObject | None = None, **more: Json
) -> JsonObject:
    model_input: JsonObject = {"type": "object", "properties": properties, "required": required or []}
    schemas: JsonObject = {"Input": model_input, "Output": output or TEXT, **more}
    return {"components": {"schemas": schemas}}


def inputs(before: JsonObject | None, after: JsonObject | None) -> list[str]:
    """What a change of the input `x` breaks; None where it is not there."""
    olds, news = (document({} if one is None else {"x": one}) for one in (before, after))
    return breaking_changes(olds, news)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TEXT, None),
        (TEXT, {"type": "integer"}),
        (TEXT, {"type": "string", "format": "uri"}),
        ({"type": "string", "format": "uri"}, TEXT),
        ({"type": "integer"}, {"type": "integer", "minimum": 0}),
        ({"type": "integer", "minimum": 0}, {"type": "integer", "minimum": 1}),
        ({"type": "integer", "maximum": 9}, {"type": "integer", "maximum": 8}),
        ({"type": "number"}, {"type": "number", "maximum": 1e9}),
        (TEXT, {"type": "string", "maxLength": 10}),
        ({"type": "string", "minLength": 1}, {"type": "string", "minLength": 2}),
        (TEXT, {"type": "string", "pattern": "^a"}),
        ({"type": "string", "pattern": "^a"}, {"type": "string", "pattern": "^b"}),
        ({"type": "string", "nullable": True}, TEXT),
        ({"type": "array", "items": TEXT}, {"type": "array", "items": {"type": "integer"}}),
        ({"type": "array", "items": TEXT}, {"type": "array", "items": TEXT, "maxItems": 3}),
        ({"type": "array"}, {"type": "array", "items": TEXT}),
        (TEXT, {"type": "string", "enum": ["a"]}),
        ({"type": "string", "enum": ["a", "b"]}, {"type": "string", "enum": ["a"]}),
        ({"type": "string", "enum": ["1"]}, {"type": "integer", "enum": [1]}),
        ({"anyOf": [TEXT, {"type": "integer"}]}, {"anyOf": [TEXT, {"type": "boolean"}]}),
        ({"anyOf": [TEXT, {"type": "integer"}]}, TEXT),
        ({}, TEXT),
    ],
)
def test_an_input_that_takes_less_breaks_callers(before: JsonObject, after: JsonObject | None) -> None:
    assert inputs(before, after)
    assert inputs(before, before) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, TEXT),
        (TEXT, {"type": "string", "default": "a", "description": "b", "title": "c", "x-order": 4}),
        ({"type": "integer", "minimum": 1, "maximum": 2}, {"type": "integer", "minimum": 0, "maximum": 3}),
        ({"type": "integer", "minimum": 1}, {"type": "integer"}),
        ({"type": "string", "pattern": "^a"}, TEXT),
        (TEXT, {"type": "string", "nullable": True}),
        ({"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["b", "a"]}),
        ({"type": "string", "enum": ["a"]}, TEXT),
        (TEXT, {"anyOf": [{"type": "integer"}, TEXT]}),
        ({"anyOf": [TEXT, {"type": "integer"}]}, {"anyOf": [{"type": "integer"}, {"type": "boolean"}, TEXT]}),
        ({"type": "array", "items": TEXT}, {"type": "array"}),
    ],
)
def test_an_input_that_takes_more_breaks_nobody(before: JsonObject | None, after: JsonObject) -> None:
    assert inputs(before, after) == []


def test_an_input_that_must_be_given_breaks_those_who_do_not() -> None:
    assert breaking_changes(document({}), document({"x": TEXT}, ["x"])) == ["input x is new and has no default"]
    assert breaking_changes(document({"x": TEXT}), document({"x": TEXT}, ["x"])) == ["input x is required now"]
    assert breaking_changes(document({"x": TEXT}, ["x"]), document({"x": TEXT})) == []


def test_choices_are_found_behind_their_reference() -> None:
    before = document({"x": CHOICE}, size={"type": "string", "enum": ["small", "large"]})
    after = document({"x": CHOICE}, size={"type": "string", "enum": ["small"]})

    assert breaking_changes(before, after) == ["input x: the choice large is gone"]
    assert breaking_changes(after, before) == []


LIST: JsonObject = {"type": "array", "items": TEXT}
STREAM: JsonObject = {**LIST, "x-cog-array-type": "iterator"}


@pytest.mark.parametrize(
    ("before", "after", "is_broken"),
    [
        (TEXT, LIST, True),
        (TEXT, {"type": "string", "format": "uri"}, True),
        (LIST, {"type": "array", "items": {"type": "integer"}}, True),
        (LIST, STREAM, True),
        (STREAM, {**STREAM, "x-cog-array-display": "concatenate"}, True),
        (TEXT, {"type": "string", "nullable": True}, True),
        ({"type": "string", "nullable": True}, TEXT, False),
        ({"type": "object", "properties": {"a": TEXT}}, {"type": "object", "properties": {"b": TEXT}}, True),
        (
            {"type": "object", "properties": {"a": TEXT}},
            {"type": "object", "properties": {"a": TEXT, "b": TEXT}},
            False,
        ),
        (
            {"type": "object", "properties": {"a": TEXT}, "required": ["a"]},
            {"type": "object", "properties": {"a": TEXT}},
            True,
        ),
        (
            {"type": "object", "additionalProperties": TEXT},
            {"type": "object", "additionalProperties": {"type": "integer"}},
            True,
        ),
        (TEXT, {"type": "string", "title": "Output", "description": "words"}, False),
        ({"anyOf": [TEXT, {"type": "integer"}]}, {"anyOf": [TEXT, {"type": "boolean"}]}, True),
    ],
)
def test_an_output_stays_what_callers_read(before: JsonObject, after: JsonObject, *, is_broken: bool) -> None:
    changes = breaking_changes(document({}, output=before), document({}, output=after))

    assert bool(changes) is is_broken


def test_what_could_be_trained_still_can_with_what_it_took() -> None:
    training: JsonObject = {"type": "object", "properties": {"data": TEXT}}
    trainable = document({}, TrainingInput=training)
    narrower = document({}, TrainingInput={**training, "properties": {}})

    assert breaking_changes(trainable, document({})) == ["it cannot be trained any more"]
    assert breaking_changes(trainable, narrower) == ["input data is gone"]
    assert breaking_changes(document({}), trainable) == []
