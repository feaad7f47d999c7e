"""Checks bodies and inputs against JSON Schema; tells every fault in gojsonschema's words (contract §1.5)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache

import jsonschema_rs
from jsonschema_rs import FancyRegexOptions, RegexOptions, ValidationError, ValidationErrorKind

from cogyard.domain.catalog import Version, component
from cogyard.domain.errors import InvalidField, InvalidFields, InvalidRequest, InvalidResource
from cogyard.domain.secret import MOST_BYTES
from cogyard.domain.values import Json, JsonObject, VersionId

WEBHOOK_EVENTS = ("start", "output", "logs", "completed")

BACKTRACK_LIMIT = 100_000
"""Steps that a pattern which needs backtracking may take: about 10 ms."""

KEPT_VALIDATORS = 256
"""Compiled input schemas that are kept."""

DEEPEST = 64
"""Levels of arrays and objects in an input; deeper ones are refused rather than walked."""

_BODY: JsonObject = {
    "type": "object",
    "properties": {
        "input": {"type": "object"},
        "webhook": {"type": "string", "format": "uri", "pattern": "^https?://"},
        "webhook_events_filter": {"type": "array", "items": {"type": "string", "enum": list(WEBHOOK_EVENTS)}},
        "webhook_completed": {"type": "string", "format": "uri", "pattern": "^https?://"},
        "stream": {"type": "boolean"},
        "lifetime": {"type": "string"},
    },
    "required": ["input"],
    "additionalProperties": False,
}


class InputValidator:
    """The compiled input schema of one version."""

    def __init__(self, openapi_schema: JsonObject, name: str) -> None:
        self._schema = component(openapi_schema, name)
        self._components = openapi_schema.get("components")
        properties = self._schema.get("properties")
        self._properties = properties if isinstance(properties, dict) else {}
        self._validator = _compile({**self._schema, "components": self._components})

    def check(self, model_input: Json) -> None:
        """Raise `InvalidFields` with every fault of an input; keys that the schema does not name are no fault."""
        if _depth(model_input) > DEEPEST:
            raise InvalidFields([InvalidField("depth", "input", f"Must not be nested deeper than {DEEPEST} levels")])
        if not self._validator.is_valid(model_input):
            raise InvalidFields(_faults(self._validator, model_input, "input"))
        if isinstance(model_input, dict):
            large = [name for name in self.secret_inputs(model_input) if _size(model_input[name]) > MOST_BYTES]
            if large:  # each of them is looked for in all that the model says
                told = f"Must not be larger than {MOST_BYTES} bytes, since it is a secret"
                raise InvalidFields([InvalidField("string_lte", f"input.{name}", told) for name in large])

    def prepare(self, model_input: JsonObject) -> JsonObject:
        """What the model gets of a checked input: the keys that it names, whole floats as integers where due."""
        return {
            name: _whole(value) if self._type_of(name) == "integer" else value
            for name, value in model_input.items()
            if name in self._properties
        }

    def file_pointers(self, model_input: JsonObject) -> list[str]:
        """JSON Pointers of the values in a checked input that name files."""
        return [
            pointer
            for name, value in model_input.items()
            if name in self._properties
            for pointer in self._files_in(self._properties[name], value, f"/{_escape(name)}")
        ]

    @property
    def secret_names(self) -> list[str]:
        """The inputs whose values nobody but the model may see."""
        return [name for name, schema in self._properties.items() if self._is_secret(schema)]

    def secret_inputs(self, model_input: JsonObject) -> list[str]:
        """Those of a checked input that have a value."""
        return [name for name in self.secret_names if model_input.get(name) is not None]

    def _is_secret(self, schema: Json) -> bool:
        resolved = self._resolve(schema)
        if resolved.get("x-cog-secret") is True or resolved.get("format") == "password":
            return True
        options = resolved.get("anyOf")
        inner = [resolved.get("items"), *(options if isinstance(options, list) else [])]
        return any(self._is_secret(one) for one in inner if one is not None)

    def _type_of(self, name: str) -> Json:
        schema = self._resolve(self._properties[name])
        return schema.get("type")

    def _files_in(self, schema: Json, value: Json, pointer: str) -> Iterator[str]:
        resolved = self._resolve(schema)
        if isinstance(value, str):
            if resolved.get("type") == "string" and resolved.get("format") == "uri":
                yield pointer
                return
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._files_in(resolved.get("items"), item, f"{pointer}/{index}")
        options = resolved.get("anyOf")
        if isinstance(options, list):
            found = {found for option in options for found in self._files_in(option, value, pointer)}
            yield from sorted(found)

    def _resolve(self, schema: Json) -> JsonObject:
        """The schema behind `$ref` and a lone `allOf`, one step each, as Cog writes them."""
        for _ in range(4):
            if not isinstance(schema, dict):
                return {}
            reference, parts = schema.get("$ref"), schema.get("allOf")
            if isinstance(reference, str):
                schemas = self._components.get("schemas") if isinstance(self._components, dict) else None
                schema = schemas.get(reference.rsplit("/", 1)[-1]) if isinstance(schemas, dict) else None
            elif isinstance(parts, list) and len(parts) == 1:
                schema = parts[0]
            else:
                return schema
        return {}


def compile_input(openapi_schema: JsonObject, *, train: bool = False) -> InputValidator:
    """Compile the `Input` (or `TrainingInput`) component of a version's schema, about a millisecond."""
    return InputValidator(openapi_schema, "TrainingInput" if train else "Input")


class Validators:
    """Compiled input schemas, the most recent ones kept."""

    def __init__(self) -> None:
        self._kept: dict[tuple[VersionId, bool], InputValidator] = {}

    def of(self, version: Version, *, train: bool = False) -> InputValidator:
        """The validator of a version's inputs, or of its trainings'."""
        found = self._kept.get((version.id, train))
        if found is None:
            if len(self._kept) >= KEPT_VALIDATORS:
                self._kept.pop(next(iter(self._kept)))
            found = self._kept[version.id, train] = compile_input(version.openapi_schema, train=train)
        return found


class Body(Enum):
    """The bodies that create something to run: by version, on a named target, a training."""

    by_version = "by_version"
    on_target = "on_target"
    training = "training"


def check_body(body: Json, kind: Body) -> None:
    """Raise `InvalidFields` with every fault of a body that creates a prediction or training (§5.1, §8.1)."""
    faults = _faults(_body_validator(kind), body, "")
    if faults:
        raise InvalidFields(faults)


def check_object(body: Json, schema: JsonObject) -> JsonObject:
    """The body of a resource, when it is what a small schema says.

    Raises `InvalidResource` with every fault, `InvalidRequest` for what is no object.
    """
    if not isinstance(body, dict):
        raise InvalidRequest("The request body must be a JSON object.")
    faults = [_of_resource(fault) for fault in _faults(_compile(schema), body, "")]
    if faults:
        raise InvalidResource(*faults[0], *faults[1:])
    return body


def _of_resource(fault: InvalidField) -> tuple[str, str]:
    """The field itself and what is wrong with it, where gojsonschema names the object around it."""
    if fault.kind == "required":
        name, message = fault.description.removesuffix(" is required"), "is required"
    elif fault.kind == "additional_property_not_allowed":
        name = fault.description.removeprefix("Additional property ").removesuffix(" is not allowed")
        message = "is not allowed"
    else:
        return fault.field, fault.description
    return f"{fault.field}.{name}" if fault.field else name, message


@cache
def _body_validator(kind: Body) -> jsonschema_rs.Draft7Validator:
    properties = _BODY["properties"]
    if kind is Body.on_target or not isinstance(properties, dict):
        return _compile(_BODY)
    if kind is Body.by_version:
        named: JsonObject = {"version": {"type": "string"}, **properties}
        return _compile({**_BODY, "properties": named, "required": ["version", "input"]})
    # clients send more with a training than the contract names (§8.1)
    told = {name: properties[name] for name in ("input", "webhook", "webhook_events_filter", "webhook_completed")}
    return _compile({"type": "object", "properties": told, "required": ["input"]})


def _compile(schema: JsonObject) -> jsonschema_rs.Draft7Validator:
    """Linear-time patterns where they suffice; a pattern that no engine takes is left out rather than refused."""
    attempts: Sequence[Callable[[], tuple[JsonObject, object]]] = (
        lambda: (schema, RegexOptions()),
        lambda: (schema, FancyRegexOptions(backtrack_limit=BACKTRACK_LIMIT)),
        lambda: (_without_patterns(schema), RegexOptions()),
    )
    for attempt in attempts:
        tried, options = attempt()
        try:
            return jsonschema_rs.Draft7Validator(tried, validate_formats=True, pattern_options=options)  # type: ignore[arg-type]
        except (ValueError, jsonschema_rs.ValidationError):
            continue
    raise ValueError("the input schema cannot be compiled")


def _without_patterns(schema: JsonObject) -> JsonObject:
    found: Json = json.loads(
        json.dumps(schema), object_hook=lambda made: {k: v for k, v in made.items() if k != "pattern"}
    )
    return found if isinstance(found, dict) else {}


def _faults(validator: jsonschema_rs.Draft7Validator, value: Json, root: str) -> list[InvalidField]:
    errors = list(validator.iter_errors(value))
    mistyped = [error for error in errors if isinstance(error.kind, ValidationErrorKind.Type)]
    told = [error for error in errors if not any(_is_moot(error, other) for other in mistyped)]
    return [fault for error in told for fault in _translate(error, root)]


def _is_moot(error: ValidationError, mistyped: ValidationError) -> bool:
    """Whether an error is of a schema that the value's type already fails: gojsonschema looks no further there."""
    place = mistyped.schema_path[:-1]
    is_same = error.schema_path == mistyped.schema_path
    return not is_same and error.instance_path == mistyped.instance_path and error.schema_path[: len(place)] == place


def _translate(error: ValidationError, root: str) -> Iterator[InvalidField]:
    path = [root, *map(str, error.instance_path)] if root else [str(part) for part in error.instance_path]
    field = ".".join(path)
    kind = error.kind
    if isinstance(kind, ValidationErrorKind.AdditionalProperties):
        for name in kind.unexpected:
            description = f"Additional property {name} is not allowed"
            yield InvalidField("additional_property_not_allowed", field, description)
        return
    if isinstance(kind, ValidationErrorKind.Enum):
        options = ", ".join(json.dumps(option, ensure_ascii=False) for option in kind.options)
        description = f"{field or '(root)'} must be one of the following: {options}"
        yield InvalidField("enum", field, description)
        return
    if isinstance(kind, ValidationErrorKind.Type):
        expected = kind.types[0] if len(kind.types) == 1 else f"[{','.join(kind.types)}]"
        given = _type_name(error.instance)
        yield InvalidField("invalid_type", field, f"Invalid type. Expected: {expected}, given: {given}")
        return
    if isinstance(kind, ValidationErrorKind.AnyOf):
        yield InvalidField("number_any_of", field, "Must validate at least one schema (anyOf)")
        return
    if isinstance(kind, ValidationErrorKind.OneOfNotValid | ValidationErrorKind.OneOfMultipleValid):
        yield InvalidField("number_one_of", field, "Must validate one and only one schema (oneOf)")
        return
    yield _limit_fault(kind.as_dict(), kind.name, field, error.message)


_LIMITS: Mapping[str, tuple[str, str]] = {
    "required": ("required", "{property} is required"),
    "minimum": ("number_gte", "Must be greater than or equal to {limit}"),
    "maximum": ("number_lte", "Must be less than or equal to {limit}"),
    "exclusiveMinimum": ("number_gt", "Must be greater than {limit}"),
    "exclusiveMaximum": ("number_lt", "Must be less than {limit}"),
    "minLength": ("string_gte", "String length must be greater than or equal to {limit}"),
    "maxLength": ("string_lte", "String length must be less than or equal to {limit}"),
    "pattern": ("pattern", "Does not match pattern '{pattern}'"),
    "format": ("format", "Does not match format '{format}'"),
    "minItems": ("array_min_items", "Array must have at least {limit} items"),
    "maxItems": ("array_max_items", "Array must have at most {limit} items"),
    "uniqueItems": ("unique", "array items must be unique"),
    "multipleOf": ("multiple_of", "Must be a multiple of {multiple_of}"),
}
"""JSON Schema keyword → gojsonschema's type and words."""


def _limit_fault(values: Mapping[str, object], name: str, field: str, message: str) -> InvalidField:
    kind, template = _LIMITS.get(name, (name, message.replace("{", "{{").replace("}", "}}")))
    shown = {key: _number(value) for key, value in values.items()}
    try:
        return InvalidField(kind, field, template.format(**shown))
    except KeyError:
        return InvalidField(kind, field, message)


def _number(value: object) -> object:
    """Limits as Go prints them: a whole float without its point."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**63 else value


def _whole(value: Json) -> Json:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _type_name(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"  # as JSON has it, 1.0 is one
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _size(value: Json) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))


def _depth(value: Json) -> int:
    """Levels of nesting, counted without recursion; stops soon after `DEEPEST`."""
    level, layer = 0, [value]
    while layer and level <= DEEPEST:
        inner: list[Json] = []
        for item in layer:
            if isinstance(item, dict):
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
        layer, level = inner, level + 1
    return level


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
