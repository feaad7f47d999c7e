"""From the facts of a function to the OpenAPI 3.0.2 document that Cog's builder writes."""

import copy

from cogyard.cogfolder.schema.errors import SchemaError
from cogyard.cogfolder.schema.facts import FunctionFacts, InputFacts
from cogyard.domain.values import Json, JsonObject

COG_VERSION = "0.23.1"
"""The release whose builder this follows; stands in `info.version`."""

_EMPTY: JsonObject = {"description": "Successful Response", "content": {"application/json": {"schema": {}}}}
_INVALID: JsonObject = {
    "description": "Validation Error",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/HTTPValidationError"}}},
}
_TIMES = ("created_at", "started_at", "completed_at")


def build_document(predict: FunctionFacts | None, train: FunctionFacts | None) -> JsonObject:
    """The document of a model; at least one of the two functions is there."""
    schemas: JsonObject = {}
    paths: JsonObject = {
        "/": {"get": {"summary": "Root", "operationId": "root__get", "responses": {"200": _EMPTY}}},
        "/health-check": {
            "get": {
                "summary": "Healthcheck",
                "operationId": "healthcheck_health_check_get",
                "responses": {"200": _EMPTY},
            }
        },
    }
    for facts, is_train in ((predict, False), (train, True)):
        if facts is not None:
            for name, schema in _components(facts, is_train=is_train).items():
                schemas.setdefault(name, schema)
            paths.update(_paths(facts, is_train=is_train))
    schemas.update(_common_components())
    document: JsonObject = {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": COG_VERSION},
        "paths": paths,
        "components": {"schemas": schemas},
    }
    return copy.deepcopy(document)


def for_serving(schema: JsonObject) -> JsonObject:
    """A copy that makes the Cog server stream events for this model, whatever its author said."""
    served = copy.deepcopy(schema)
    paths = served.get("paths")
    operations = paths.get("/predictions") if isinstance(paths, dict) else None
    post = operations.get("post") if isinstance(operations, dict) else None
    if isinstance(post, dict):
        post["x-cog-streaming"] = True
    return served


def for_training(schema: JsonObject) -> JsonObject:
    """A copy for a Cog server that trains: it checks what it is sent against `Input`, whatever it runs."""
    trained = copy.deepcopy(schema)
    components = trained.get("components")
    schemas = components.get("schemas") if isinstance(components, dict) else None
    if isinstance(schemas, dict):
        for name in ("Input", "Output"):
            schemas[name] = schemas.get(f"Training{name}", schemas.get(name))
    return trained


def check_schema(schema: Json) -> JsonObject:
    """A hand-written document that can serve. Raises `SchemaError` for one that cannot."""
    file = "openapi.json"
    if not isinstance(schema, dict):
        raise SchemaError(file, None, "must hold a JSON object.")
    components = schema.get("components")
    schemas = components.get("schemas") if isinstance(components, dict) else None
    if not isinstance(schemas, dict):
        raise SchemaError(file, None, "has no components.schemas.")
    for name in ("Input", "Output"):
        if not isinstance(schemas.get(name), dict):
            raise SchemaError(file, None, f"has no components.schemas.{name}.")
    paths = schema.get("paths")
    if not isinstance(paths, dict) or not isinstance(paths.get("/predictions"), dict):
        raise SchemaError(file, None, "has no path /predictions.")
    for reference in _references(schema):
        if reference.rpartition("/")[0] != "#/components/schemas" or reference.rpartition("/")[2] not in schemas:
            raise SchemaError(file, None, f"refers to {reference}, which is not there.")
    return schema


def title_case(name: str) -> str:
    """`guidance_scale` → `Guidance Scale`."""
    return " ".join(word[:1].upper() + word[1:] for word in name.split("_") if word)


def _references(value: Json) -> list[str]:
    if isinstance(value, dict):
        found = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        inner = [reference for item in value.values() for reference in _references(item)]
        return [str(reference) for reference in found] + inner
    return [reference for item in value for reference in _references(item)] if isinstance(value, list) else []


def _components(facts: FunctionFacts, *, is_train: bool) -> JsonObject:
    kind, prefix = ("Training", "Training") if is_train else ("Prediction", "")
    input_name, output_name = f"{prefix}Input", f"{prefix}Output"
    model_input, enums = _input_schema(facts.inputs, input_name)
    references: JsonObject = {
        "input": {"$ref": f"#/components/schemas/{input_name}"},
        "output": {"$ref": f"#/components/schemas/{output_name}"},
    }
    texts = ("id", "version", *_TIMES, "status", "error", "logs")
    properties: JsonObject = dict(references)
    for name in texts:
        text: JsonObject = {"title": title_case(name), "type": "string"}
        properties[name] = {**text, "format": "date-time"} if name in _TIMES else text
    properties["metrics"] = {"title": "Metrics", "type": "object"}
    request: JsonObject = {"id": {"title": "Id", "type": "string"}, "input": references["input"]}
    return {
        input_name: model_input,
        output_name: {**facts.output, "title": "Output"},
        **enums,
        f"{kind}Request": {"title": f"{kind}Request", "type": "object", "properties": request},
        f"{kind}Response": {"title": f"{kind}Response", "type": "object", "properties": properties},
    }


def _input_schema(inputs: list[InputFacts], title: str) -> tuple[JsonObject, JsonObject]:
    properties: JsonObject = {}
    required: list[Json] = []
    enums: JsonObject = {}
    for order, facts in enumerate(inputs):
        nullable = facts.is_nullable or (_is_secret(facts) and facts.has_default and facts.default is None)
        has_default = facts.has_default and (facts.default is not None or nullable)
        shown: JsonObject = {"x-order": order}
        if facts.choices is not None:
            shown["allOf"] = [{"$ref": f"#/components/schemas/{facts.name}"}]
            enums[facts.name] = {
                "title": facts.name,
                "description": "An enumeration.",
                "enum": facts.choices,
                "type": facts.schema.get("type", "string"),
            }
        else:
            shown |= {"title": title_case(facts.name), **facts.schema}
        if not has_default and (not nullable or "anyOf" in facts.schema):
            required.append(facts.name)
        if has_default:
            shown["default"] = facts.default
        if nullable:
            shown["nullable"] = True
        if facts.description is not None:
            shown["description"] = facts.description
        shown |= facts.limits
        if facts.is_deprecated:
            shown["deprecated"] = True
        properties[facts.name] = shown
    schema: JsonObject = {"title": title, "type": "object", "properties": properties}
    return ({**schema, "required": required} if required else schema), enums


def _is_secret(facts: InputFacts) -> bool:
    return facts.schema.get("x-cog-secret") is True


def _paths(facts: FunctionFacts, *, is_train: bool) -> JsonObject:
    noun, verb = ("training", "train") if is_train else ("prediction", "predict")
    name = noun.capitalize()
    operation: JsonObject = {
        "summary": verb.capitalize(),
        "description": f"Run a single {noun} on the model",
        "operationId": f"{verb}_{noun}s_post",
        "requestBody": {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}Request"}}}},
        "responses": {
            "200": {
                "description": "Successful Response",
                "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}Response"}}},
            },
            "422": _INVALID,
        },
    }
    if facts.is_streaming and not is_train:
        operation["x-cog-streaming"] = True
    parameter: JsonObject = {
        "required": True,
        "schema": {"title": f"{name} Id", "type": "string"},
        "name": f"{noun}_id",
        "in": "path",
    }
    cancel: JsonObject = {
        "summary": "Cancel",
        "operationId": f"cancel_{noun}s__{noun}_id__cancel_post",
        "parameters": [parameter],
        "responses": {"200": _EMPTY, "422": _INVALID},
    }
    return {f"/{noun}s": {"post": operation}, f"/{noun}s/{{{noun}_id}}/cancel": {"post": cancel}}


def _common_components() -> JsonObject:
    return {
        "Status": {
            "title": "Status",
            "description": "An enumeration.",
            "enum": ["starting", "processing", "succeeded", "canceled", "failed"],
            "type": "string",
        },
        "HTTPValidationError": {
            "title": "HTTPValidationError",
            "type": "object",
            "properties": {
                "detail": {
                    "title": "Detail",
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/ValidationError"},
                }
            },
        },
        "ValidationError": {
            "title": "ValidationError",
            "required": ["loc", "msg", "type"],
            "type": "object",
            "properties": {
                "loc": {
                    "title": "Location",
                    "type": "array",
                    "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                },
                "msg": {"title": "Message", "type": "string"},
                "type": {"title": "Error Type", "type": "string"},
            },
        },
    }
