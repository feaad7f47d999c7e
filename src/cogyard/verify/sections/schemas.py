"""The schema of a version: an OpenAPI document as Cog makes it (§11)."""

import re

from cogyard.domain.values import Json, JsonObject
from cogyard.verify.check import Assertion, Check
from cogyard.verify.expect import absent, holds, keys, like, typed, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Evidence, Lab
from cogyard.verify.probe import canary, grammar, pushed, student
from cogyard.verify.verdict import NotTried, require, show

SCHEMAS = "openapi_schema.components.schemas"
INPUTS = f"{SCHEMAS}.Input.properties"

PATHS = (
    ("root", "/"),
    ("health-check", "/health-check"),
    ("predictions", "/predictions"),
    ("cancel", "/predictions/{prediction_id}/cancel"),
)
"""Those that every version of Cog has."""


def _version_of(reference: str) -> str:
    model, _, version = reference.partition(":")
    return f"/models/{model}/versions/{version}"


async def _canary(lab: Lab) -> Answer:
    return (await lab.client.get(_version_of(await lab.once(canary)))).expect(200)


async def _grammar(lab: Lab) -> Answer:
    return (await lab.client.get(_version_of(await lab.once(grammar)))).expect(200)


async def _student(lab: Lab) -> Answer:
    return (await lab.client.get(_version_of(await lab.once(student)))).expect(200)


def _references(value: Json) -> list[str]:
    if isinstance(value, list):
        return [one for part in value for one in _references(part)]
    if not isinstance(value, dict):
        return []
    found = [one for part in value.values() for one in _references(part)]
    reference = value.get("$ref")
    return [*found, reference] if isinstance(reference, str) else found


def _resolve(answer: Answer) -> bool:
    document = answer.object("openapi_schema")
    for reference in _references(document):
        place: Json = document
        for key in reference.removeprefix("#/").split("/"):
            if not isinstance(place, dict) or key not in place:
                return False
            place = place[key]
    return True


def _one_level(answer: Answer) -> bool:
    pattern = r"#/components/schemas/[^/]+"
    return all(re.fullmatch(pattern, one) for one in _references(answer.object("openapi_schema")))


def _orders(answer: Answer) -> bool:
    rows = answer.object(INPUTS).values()
    return sorted(str(row.get("x-order")) for row in rows if isinstance(row, dict)) == sorted(
        str(number) for number in range(len(rows))
    )


def _all_described(answer: Answer) -> bool:
    return all(isinstance(row, dict) and row.get("description") for row in answer.object(INPUTS).values())


def _has(evidence: Evidence, name: str, **wanted: Json) -> Assertion:
    """The input has these keys with these values, whatever else."""

    async def assertion(lab: Lab) -> None:
        found = (await lab.once(evidence)).object(f"{INPUTS}.{name}")
        for key, one in wanted.items():
            require(found.get(key) == one, f"expected {key} of {name} to be {show(one)}, got {show(found)}")

    return assertion


def _choice(name: str, wanted: list[Json], kind: str) -> Assertion:
    async def assertion(lab: Lab) -> None:
        answer = await lab.once(_grammar)
        found = answer.object(f"{INPUTS}.{name}")
        require("type" not in found, f"expected no type beside allOf, got {show(found)}")
        require(found.get("allOf") == [{"$ref": f"#/components/schemas/{name}"}], f"expected allOf, got {show(found)}")
        options = answer.object(f"{SCHEMAS}.{name}")
        require(options.get("enum") == wanted, f"expected the enum {show(wanted)}, got {show(options)}")
        require(options.get("type") == kind, f"expected the type {kind}, got {show(options)}")

    return assertion


# --- one version for each type of output ------------------------------------------------------------------------------

_URI: Json = {"type": "string", "format": "uri"}

SHAPES: tuple[tuple[str, str, JsonObject], ...] = (
    ("str", "str", {"type": "string"}),
    ("int", "int", {"type": "integer"}),
    ("float", "float", {"type": "number"}),
    ("bool", "bool", {"type": "boolean"}),
    ("path", "Path", {"type": "string", "format": "uri"}),
    ("list-of-paths", "list[Path]", {"type": "array", "items": _URI}),
    ("iterator", "Iterator[str]", {"type": "array", "items": {"type": "string"}, "x-cog-array-type": "iterator"}),
    ("base-model", "Pair", {"type": "object"}),
    ("any", "Any", {}),
)
"""Name, Python type, what its `Output` schema holds."""


def _shape(python: str) -> Evidence:
    async def evidence(lab: Lab) -> Answer:
        await lab.once(grammar)  # skips early, and for the right reason, where nothing can be pushed
        reference = await pushed(lab, "shape", {'"Output"': python})
        return (await lab.client.get(_version_of(reference))).expect(200)

    return evidence


def _gives(evidence: Evidence, wanted: JsonObject) -> Assertion:
    async def assertion(lab: Lab) -> None:
        found = (await lab.once(evidence)).object(f"{SCHEMAS}.Output")
        require(found.get("title") in ("Output", "Pair"), f"expected the title Output, got {show(found)}")
        if not wanted:  # newer versions of Cog say that it is an object
            require(not set(found) - {"title", "type"}, f"expected an Output of any form, got {show(found)}")
        for key, one in wanted.items():
            require(found.get(key) == one, f"expected {key} of Output to be {show(one)}, got {show(found)}")

    return assertion


def _shape_check(name: str, python: str, wanted: JsonObject) -> Check:
    fact = f"A model that returns `{python}` has the Output schema `{show(wanted)}`."
    if not wanted:
        fact = f"A model that returns `{python}` has an Output schema that does not say of which form it is."
    return Check(f"schemas.output.{name}", "§11", fact, _gives(_shape(python), wanted))


async def _secret_is_secret(lab: Lab) -> None:
    found = (await lab.once(_grammar)).object(f"{INPUTS}.secret_word")
    for key, wanted in (("format", "password"), ("writeOnly", True), ("x-cog-secret", True)):
        require(found.get(key) == wanted, f"expected {key} of a secret to be {wanted}, got {show(found)}")


async def _train_schema(lab: Lab) -> None:
    answer = await lab.once(_student)
    if lab.named.train is not None:
        raise NotTried("only the suite's own model has known training inputs")
    require("words" in answer.object(f"{SCHEMAS}.TrainingInput.properties"), "expected the input words")


CHECKS: tuple[Check, ...] = (
    Check(
        "schemas.openapi",
        "§11",
        "A schema is an OpenAPI 3.0.2 document.",
        value(_canary, "openapi_schema.openapi", "3.0.2"),
    ),
    Check("schemas.title", "§11", "A schema's title is `Cog`.", value(_canary, "openapi_schema.info.title", "Cog")),
    Check(
        "schemas.version", "§11", "A schema has a version.", like(_canary, "openapi_schema.info.version", r"\d+\.\d+.*")
    ),
    Check("schemas.paths", "§11", "A schema's `paths` is an object.", typed(_canary, "openapi_schema.paths", dict)),
    *(
        Check(
            f"schemas.path.{name}",
            "§11",
            f"A schema has the path `{path}`.",
            keys(_canary, "openapi_schema.paths", path),
        )
        for name, path in PATHS
    ),
    *(
        Check(
            f"schemas.component.{name.lower()}",
            "§11",
            f"A schema has the component `{name}`.",
            keys(_canary, SCHEMAS, name),
        )
        for name in (
            "Input",
            "Output",
            "Status",
            "PredictionRequest",
            "PredictionResponse",
            "HTTPValidationError",
            "ValidationError",
        )
    ),
    Check(
        "schemas.references",
        "§11",
        "Every `$ref` of a schema leads somewhere.",
        holds(_canary, _resolve, "only good refs"),
    ),
    Check(
        "schemas.references-of-choices",
        "§11",
        "Every `$ref` leads somewhere in a schema with choices too.",
        holds(_grammar, _resolve, "only good refs"),
    ),
    Check(
        "schemas.reference-depth",
        "§11",
        "A `$ref` is never deeper than `#/components/schemas/X`.",
        holds(_grammar, _one_level, "refs of one level"),
    ),
    Check("schemas.input.type", "§11", "`Input` is an object.", value(_canary, f"{SCHEMAS}.Input.type", "object")),
    Check(
        "schemas.input.title",
        "§11",
        "`Input` has its name as title.",
        value(_canary, f"{SCHEMAS}.Input.title", "Input"),
    ),
    Check(
        "schemas.status-enum",
        "§11",
        "`Status` names the five classic states.",
        holds(
            _canary,
            lambda answer: (
                sorted(map(str, answer.array(f"{SCHEMAS}.Status.enum")))
                == ["canceled", "failed", "processing", "starting", "succeeded"]
            ),
            "the five states",
        ),
    ),
    Check(
        "schemas.canary.output",
        "§11",
        "Text that streams is an array of strings, marked as iterator to concatenate.",
        holds(
            _canary,
            lambda answer: (
                answer.at(f"{SCHEMAS}.Output.type") == "array"
                and answer.at(f"{SCHEMAS}.Output.items.type") == "string"
                and answer.at(f"{SCHEMAS}.Output.x-cog-array-type") == "iterator"
                and answer.at(f"{SCHEMAS}.Output.x-cog-array-display") == "concatenate"
            ),
            "an array of strings with x-cog-array-type and x-cog-array-display",
        ),
    ),
    Check(
        "schemas.canary.text",
        "§13.7",
        "The canary has the input `text`, a string.",
        _has(_canary, "text", type="string"),
    ),
    Check(
        "schemas.not-trainable",
        "§11",
        "Only trainable models have `TrainingInput`.",
        absent(_canary, f"{SCHEMAS}.TrainingInput"),
    ),
    Check(
        "schemas.trainable",
        "§11",
        "A trainable model has `TrainingInput` and `TrainingOutput`.",
        keys(_student, SCHEMAS, "TrainingInput", "TrainingOutput"),
    ),
    Check("schemas.training-input", "§11", "`TrainingInput` holds the inputs of the train function.", _train_schema),
    Check(
        "schemas.required",
        "§11",
        "Inputs without a default are required.",
        value(_grammar, f"{SCHEMAS}.Input.required", ["word"]),
    ),
    Check(
        "schemas.input.order", "§11", "`x-order` counts the inputs from 0.", holds(_grammar, _orders, "x-order from 0")
    ),
    Check(
        "schemas.input.described",
        "§11",
        "Every described input has a description.",
        holds(_grammar, _all_described, "descriptions"),
    ),
    Check(
        "schemas.input.words-of-title",
        "§11",
        "An input's title is its name in capitalised words.",
        _has(_grammar, "secret_word", title="Secret Word"),
    ),
    Check(
        "schemas.input.string",
        "§11",
        "Limits of a text are `minLength`, `maxLength` and `pattern`.",
        _has(_grammar, "word", type="string", minLength=2, maxLength=8, pattern="^[a-z]+$"),
    ),
    Check(
        "schemas.input.integer",
        "§11",
        "Limits of an `int` are `minimum` and `maximum`.",
        _has(_grammar, "count", type="integer", minimum=0, maximum=10, default=3),
    ),
    Check(
        "schemas.input.number",
        "§11",
        "A `float` is a `number`.",
        _has(_grammar, "ratio", type="number", minimum=0.25, maximum=1, default=0.5),
    ),
    Check(
        "schemas.input.boolean",
        "§11",
        "A `bool` is a `boolean`.",
        _has(_grammar, "flag", type="boolean", default=False),
    ),
    Check(
        "schemas.input.file",
        "§10.3",
        "A file is a string of the format `uri`.",
        _has(_grammar, "file", type="string", format="uri"),
    ),
    Check(
        "schemas.input.files",
        "§11",
        "A list of files is an array of them.",
        _has(_grammar, "files", type="array", items=_URI),
    ),
    Check(
        "schemas.input.secret",
        "§11",
        "A secret is write-only, of the format `password`, and marked.",
        _secret_is_secret,
    ),
    Check(
        "schemas.input.choices",
        "§11",
        "Choices are an enum of their own behind `allOf`.",
        _choice("size", ["small", "large"], "string"),
    ),
    Check(
        "schemas.input.choices-of-numbers",
        "§11",
        "Choices of numbers are an enum of integers.",
        _choice("level", [1, 2, 3], "integer"),
    ),
    Check(
        "schemas.input.choices-default",
        "§11",
        "An input with choices keeps its default and description.",
        _has(_grammar, "size", default="small", description="How large."),
    ),
    Check(
        "schemas.enum-description",
        "§11",
        "The enum of choices is described as `An enumeration.`.",
        value(_grammar, f"{SCHEMAS}.size.description", "An enumeration."),
    ),
    *(_shape_check(name, python, wanted) for name, python, wanted in SHAPES),
)
