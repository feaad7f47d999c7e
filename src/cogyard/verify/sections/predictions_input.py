"""How faults of an input are told: the grammar of `invalid_fields` (§1.5)."""

from cogyard.domain.values import Json, JsonObject
from cogyard.verify.check import Check
from cogyard.verify.expect import holds, invalid_field, status, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Evidence, Lab
from cogyard.verify.probe import grammar
from cogyard.verify.running import attempt, end_of
from cogyard.verify.verdict import require, show

NOT = "Invalid type. Expected: {}, given: {}"


def _given(model_input: JsonObject) -> Evidence:
    async def evidence(lab: Lab) -> Answer:
        return await attempt(lab, await lab.once(grammar), {"word": "hello", **model_input})

    return evidence


async def _without_word(lab: Lab) -> Answer:
    return await attempt(lab, await lab.once(grammar), {})


ROWS: tuple[tuple[str, str, JsonObject, str, str, str], ...] = (
    (
        "too-small",
        "A number below its minimum is told.",
        {"count": -1},
        "number_gte",
        "input.count",
        "Must be greater than or equal to 0",
    ),
    (
        "too-large",
        "A number above its maximum is told.",
        {"count": 11},
        "number_lte",
        "input.count",
        "Must be less than or equal to 10",
    ),
    (
        "far-too-large",
        "A number far above its maximum is told.",
        {"count": 10**12},
        "number_lte",
        "input.count",
        "Must be less than or equal to 10",
    ),
    (
        "ratio-small",
        "A limit that is a fraction is told as one.",
        {"ratio": 0.1},
        "number_gte",
        "input.ratio",
        "Must be greater than or equal to 0.25",
    ),
    (
        "ratio-large",
        "A limit that is a whole float is told without its point.",
        {"ratio": 1.5},
        "number_lte",
        "input.ratio",
        "Must be less than or equal to 1",
    ),
    (
        "too-short",
        "A text below its least length is told.",
        {"word": "a"},
        "string_gte",
        "input.word",
        "String length must be greater than or equal to 2",
    ),
    (
        "empty",
        "The empty text is too short as well.",
        {"word": ""},
        "string_gte",
        "input.word",
        "String length must be greater than or equal to 2",
    ),
    (
        "too-long",
        "A text above its greatest length is told.",
        {"word": "abcdefghi"},
        "string_lte",
        "input.word",
        "String length must be less than or equal to 8",
    ),
    (
        "pattern",
        "A text that does not match is told with the pattern.",
        {"word": "ABC"},
        "pattern",
        "input.word",
        "Does not match pattern '^[a-z]+$'",
    ),
    (
        "choice",
        "A text that is no choice is told with all choices, quoted.",
        {"size": "huge"},
        "enum",
        "input.size",
        'input.size must be one of the following: "small", "large"',
    ),
    (
        "choice-number",
        "A number that is no choice is told with all choices.",
        {"level": 4},
        "enum",
        "input.level",
        "input.level must be one of the following: 1, 2, 3",
    ),
    (
        "file-text",
        "A file that is no address is told.",
        {"file": "not a uri"},
        "format",
        "input.file",
        "Does not match format 'uri'",
    ),
    (
        "file-in-list",
        "A file in a list is told with its place.",
        {"files": ["https://example.com/a", "b c"]},
        "format",
        "input.files.1",
        "Does not match format 'uri'",
    ),
    (
        "string-number",
        "A number in the place of a text is told.",
        {"word": 5},
        "invalid_type",
        "input.word",
        NOT.format("string", "integer"),
    ),
    (
        "string-boolean",
        "A boolean in the place of a text is told.",
        {"word": True},
        "invalid_type",
        "input.word",
        NOT.format("string", "boolean"),
    ),
    (
        "string-null",
        "Null in the place of a text is told.",
        {"word": None},
        "invalid_type",
        "input.word",
        NOT.format("string", "null"),
    ),
    (
        "string-array",
        "An array in the place of a text is told.",
        {"word": ["hello"]},
        "invalid_type",
        "input.word",
        NOT.format("string", "array"),
    ),
    (
        "string-object",
        "An object in the place of a text is told.",
        {"word": {}},
        "invalid_type",
        "input.word",
        NOT.format("string", "object"),
    ),
    (
        "integer-string",
        "A text in the place of an integer is told: nothing is coerced.",
        {"count": "3"},
        "invalid_type",
        "input.count",
        NOT.format("integer", "string"),
    ),
    (
        "integer-fraction",
        "A fraction in the place of an integer is told.",
        {"count": 1.5},
        "invalid_type",
        "input.count",
        NOT.format("integer", "number"),
    ),
    (
        "integer-boolean",
        "A boolean in the place of an integer is told.",
        {"count": True},
        "invalid_type",
        "input.count",
        NOT.format("integer", "boolean"),
    ),
    (
        "integer-null",
        "Null for an optional input is told: optional means left out.",
        {"count": None},
        "invalid_type",
        "input.count",
        NOT.format("integer", "null"),
    ),
    (
        "number-string",
        "A text in the place of a number is told.",
        {"ratio": "half"},
        "invalid_type",
        "input.ratio",
        NOT.format("number", "string"),
    ),
    (
        "boolean-string",
        "A text in the place of a boolean is told.",
        {"flag": "true"},
        "invalid_type",
        "input.flag",
        NOT.format("boolean", "string"),
    ),
    (
        "boolean-integer",
        "A number in the place of a boolean is told.",
        {"flag": 1},
        "invalid_type",
        "input.flag",
        NOT.format("boolean", "integer"),
    ),
    (
        "array-string",
        "A text in the place of an array is told.",
        {"words": "one"},
        "invalid_type",
        "input.words",
        NOT.format("array", "string"),
    ),
    (
        "array-object",
        "An object in the place of an array is told.",
        {"words": {}},
        "invalid_type",
        "input.words",
        NOT.format("array", "object"),
    ),
    (
        "item",
        "A wrong item of an array is told with its place.",
        {"words": ["one", 2]},
        "invalid_type",
        "input.words.1",
        NOT.format("string", "integer"),
    ),
    (
        "file-number",
        "A number in the place of a file is told.",
        {"file": 1},
        "invalid_type",
        "input.file",
        NOT.format("string", "integer"),
    ),
    (
        "file-null",
        "Null for an optional file is told.",
        {"file": None},
        "invalid_type",
        "input.file",
        NOT.format("string", "null"),
    ),
)
"""Name, fact, input, then the type, field and description that are told."""

ACCEPTED: tuple[tuple[str, str, JsonObject], ...] = (
    ("only-required", "Only required inputs are needed.", {}),
    ("limits", "The limits themselves are within the limits.", {"count": 10, "ratio": 0.25, "word": "ab"}),
    ("whole-float", "An integer may be written with a point.", {"count": 3.0}),
    ("integer-for-number", "An integer is a number.", {"ratio": 1}),
    ("unknown-key", "A key that the model does not know is no fault.", {"unknown": {"deep": [None]}}),
    ("empty-array", "An empty array is an array.", {"words": []}),
    ("choice", "A choice is taken.", {"size": "large", "level": 3}),
)

_MANY = _given({"word": "A", "count": -1, "size": "huge", "flag": "no"})
_ONE = _given({"count": -1})


def _lines(answer: Answer) -> bool:
    lines = []
    for fault in answer.array("invalid_fields"):
        if isinstance(fault, dict):
            field, description = str(fault["field"]), str(fault["description"])
            lines.append(f"- {field}: {description}\n" if field else f"- {description}\n")
    return answer.string("detail") == "".join(lines)


def _exact(answer: Answer) -> bool:
    wanted: Json = {
        "detail": "- input.count: Must be greater than or equal to 0\n",
        "status": 422,
        "title": "Input validation failed",
        "invalid_fields": [
            {"type": "number_gte", "field": "input.count", "description": "Must be greater than or equal to 0"}
        ],
    }
    return answer.json() == wanted


async def _reaches_the_model(lab: Lab) -> None:
    given: JsonObject = {"word": "hello", "count": 7, "ratio": 0.75, "flag": True, "size": "large", "level": 2}
    given["words"] = ["one", "two"]
    ended = await end_of(lab, (await attempt(lab, await lab.once(grammar), given)).expect(201, 202))
    require(ended.at("output") == given, f"expected the model to get {show(given)}, got {show(ended.at('output'))}")


async def _defaults(lab: Lab) -> None:
    ended = await end_of(lab, (await attempt(lab, await lab.once(grammar), {"word": "hello"})).expect(201, 202))
    output = ended.object("output")
    found = [output.get(key) for key in ("count", "ratio", "flag", "size", "level", "words")]
    require(found == [3, 0.5, False, "small", 1, []], f"expected the defaults, got {show(output)}")


CHECKS: tuple[Check, ...] = (
    Check(
        "input.required",
        "§1.5",
        "A required input that is missing is told with `input` as its field.",
        invalid_field(_without_word, "required", "input", "word is required"),
    ),
    Check(
        "input.required.detail",
        "§1.4",
        "With one fault, `detail` is the line of that fault.",
        value(_without_word, "detail", "- input: word is required\n"),
    ),
    *(
        Check(f"input.{name}", "§1.5", fact, invalid_field(_given(model_input), kind, field, description))
        for name, fact, model_input, kind, field, description in ROWS
    ),
    Check(
        "input.exact",
        "§1.4",
        "A 422 has exactly detail, status, title and invalid_fields.",
        holds(_ONE, _exact, "exactly the four keys"),
    ),
    Check(
        "input.key-order",
        "§1.5",
        "The keys of a 422 come in the order detail, status, title, invalid_fields.",
        holds(
            _ONE, lambda answer: list(answer.object()) == ["detail", "status", "title", "invalid_fields"], "that order"
        ),
    ),
    Check(
        "input.lines", "§1.5", "The detail has a line for each fault.", holds(_MANY, _lines, "a line for each fault")
    ),
    Check(
        "input.all-at-once",
        "§1.5",
        "All faults of an input are told at once.",
        holds(_MANY, lambda answer: len(answer.array("invalid_fields")) >= 4, "four faults or more"),
    ),
    *(
        Check(f"input.accepts.{name}", "§1.5", fact, status(_given(model_input), 201, 202))
        for name, fact, model_input in ACCEPTED
    ),
    Check("input.reaches-the-model", "§5.1", "A valid input reaches the model as it was given.", _reaches_the_model),
    Check("input.defaults", "§11", "What is left out has its default.", _defaults),
)
