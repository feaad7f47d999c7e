"""Faults of inputs and bodies, in the words that clients of Replicate know (`api-contract.md` §1.5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogyard.domain.errors import InvalidFields
from cogyard.domain.values import Json, JsonObject
from cogyard.validation import Body, check_body, compile_input


def schema(properties: JsonObject, required: list[Json] | None = None, **components: Json) -> JsonObject:
    model_input: JsonObject = {"type": "object", "properties": properties}
    if required:
        model_input["required"] = required
    return {"components": {"schemas": {"Input": model_input, **components}}}


CHOICE: JsonObject = {"type": "string", "title": "size", "enum": ["small", "large"], "description": "An enumeration."}


@pytest.mark.parametrize(
    ("properties", "required", "value", "expected"),
    [
        ({"prompt": {"type": "string"}}, ["prompt"], {}, ("required", "input", "prompt is required")),
        (
            {"width": {"type": "integer"}},
            [],
            {"width": "5"},
            ("invalid_type", "input.width", "Invalid type. Expected: integer, given: string"),
        ),
        (
            {"seed": {"type": "integer", "nullable": True}},
            [],
            {"seed": None},
            ("invalid_type", "input.seed", "Invalid type. Expected: integer, given: null"),
        ),
        (
            {"size": {"allOf": [{"$ref": "#/components/schemas/size"}]}},
            [],
            {"size": "huge"},
            ("enum", "input.size", 'input.size must be one of the following: "small", "large"'),
        ),
        (
            {"size": {"allOf": [{"$ref": "#/components/schemas/size"}]}},
            [],
            {"size": None},  # a value of another type is not looked for among the choices
            ("invalid_type", "input.size", "Invalid type. Expected: string, given: null"),
        ),
        (
            {"prompt": {"type": "string"}},
            [],
            {"prompt": 1.0},
            ("invalid_type", "input.prompt", "Invalid type. Expected: string, given: integer"),
        ),
        (
            {"steps": {"oneOf": [{"type": "integer"}, {"type": "number"}]}},
            [],
            {"steps": 3},
            ("number_one_of", "input.steps", "Must validate one and only one schema (oneOf)"),
        ),
        (
            {"steps": {"type": "integer", "maximum": 50}},
            [],
            {"steps": 51},
            ("number_lte", "input.steps", "Must be less than or equal to 50"),
        ),
        (
            {"steps": {"type": "number", "minimum": 0.5}},
            [],
            {"steps": 0},
            ("number_gte", "input.steps", "Must be greater than or equal to 0.5"),
        ),
        (
            {"name": {"type": "string", "minLength": 2}},
            [],
            {"name": "a"},
            ("string_gte", "input.name", "String length must be greater than or equal to 2"),
        ),
        (
            {"name": {"type": "string", "pattern": "^a+$"}},
            [],
            {"name": "b"},
            ("pattern", "input.name", "Does not match pattern '^a+$'"),
        ),
        (
            {"image": {"type": "string", "format": "uri"}},
            [],
            {"image": "not a url"},
            ("format", "input.image", "Does not match format 'uri'"),
        ),
        (
            {"images": {"type": "array", "items": {"type": "string", "format": "uri"}}},
            [],
            {"images": ["https://a/b", 3]},
            ("invalid_type", "input.images.1", "Invalid type. Expected: string, given: integer"),
        ),
        (
            {"texts": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
            [],
            {"texts": []},
            ("array_min_items", "input.texts", "Array must have at least 1 items"),
        ),
    ],
)
def test_a_fault_is_told_in_gojsonschemas_words(
    properties: JsonObject, required: list[Json], value: Json, expected: tuple[str, str, str]
) -> None:
    validator = compile_input(schema(properties, required, size=CHOICE))

    with pytest.raises(InvalidFields) as caught:
        validator.check(value)

    assert [(fault.kind, fault.field, fault.description) for fault in caught.value.fields] == [expected]


def test_every_fault_is_told_at_once() -> None:
    validator = compile_input(schema({"a": {"type": "integer"}, "b": {"type": "string"}}, ["c"]))

    with pytest.raises(InvalidFields) as caught:
        validator.check({"a": "x", "b": 1})

    assert {fault.field for fault in caught.value.fields} == {"input", "input.a", "input.b"}


def test_unknown_keys_inside_the_input_are_no_fault_and_do_not_reach_the_model() -> None:
    validator = compile_input(schema({"a": {"type": "integer"}}))

    validator.check({"a": 5.0, "extra": True})

    assert validator.prepare({"a": 5.0, "extra": True}) == {"a": 5}


def test_files_are_found_in_values_lists_and_unions() -> None:
    file: JsonObject = {"type": "string", "format": "uri"}
    properties: JsonObject = {
        "image": file,
        "images": {"type": "array", "items": file},
        "text": {"type": "string"},
        "either": {"anyOf": [{"type": "integer"}, file]},
    }
    validator = compile_input(schema(properties))

    found = validator.file_pointers(
        {"image": "https://a/1", "images": ["https://a/2", "https://a/3"], "text": "x", "either": "https://a/4"}
    )

    assert found == ["/image", "/images/0", "/images/1", "/either"]


def test_a_pattern_that_backtracks_for_ever_does_not_hang() -> None:
    validator = compile_input(schema({"a": {"type": "string", "pattern": r"^(?=(a+)+$).*!$"}}))

    with pytest.raises(InvalidFields):
        validator.check({"a": "a" * 5000})


def test_a_pattern_that_no_engine_takes_is_left_out() -> None:
    compile_input(schema({"a": {"type": "string", "pattern": "(unclosed"}})).check({"a": "anything"})


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"input": {}}, ("required", "", "version is required")),
        (
            {"version": "v", "input": {}, "model": "a/b"},
            ("additional_property_not_allowed", "", "Additional property model is not allowed"),
        ),
        (
            {"version": 3, "input": {}},
            ("invalid_type", "version", "Invalid type. Expected: string, given: integer"),
        ),
        (
            {"version": "v", "input": []},
            ("invalid_type", "input", "Invalid type. Expected: object, given: array"),
        ),
        ([], ("invalid_type", "", "Invalid type. Expected: object, given: array")),
        (
            {"version": "v", "input": {}, "webhook_completed": "ftp://a/b"},
            ("pattern", "webhook_completed", "Does not match pattern '^https?://'"),
        ),
    ],
)
def test_a_body_is_checked_strictly(body: Json, expected: tuple[str, str, str]) -> None:
    with pytest.raises(InvalidFields) as caught:
        check_body(body, Body.by_version)

    assert [(fault.kind, fault.field, fault.description) for fault in caught.value.fields] == [expected]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_whatever_json_comes_the_answer_is_a_verdict(value: Json) -> None:
    validator = compile_input(
        schema(
            {
                "a": {"type": "integer", "minimum": 0},
                "f": {"type": "string", "format": "uri"},
                "e": {"allOf": [{"$ref": "#/components/schemas/size"}]},
            },
            ["a"],
            size=CHOICE,
        )
    )
    ok = isinstance(value, dict) and isinstance(value.get("a"), int) and not isinstance(value.get("a"), bool)
    try:
        validator.check(value)
    except InvalidFields:
        return
    assert ok or (isinstance(value, dict) and isinstance(value["a"], float))
