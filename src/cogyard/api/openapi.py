"""The API's description of itself: every route with its parameters, bodies and answers."""

from copy import deepcopy

import cogyard
from cogyard.api.openapi_schemas import SCHEMAS
from cogyard.domain.values import Json, JsonObject

_OWNER = ("owner", "The account that the model belongs to.")
_NAME = ("name", "The model's name.")
_PREFER: JsonObject = {
    "name": "Prefer",
    "in": "header",
    "description": "`wait` or `wait=N` (1 to 60): hold the answer until the prediction has ended or N seconds went by.",
    "schema": {"type": "string", "pattern": "^wait(=([1-9]|[1-5][0-9]|60))?$"},
}
_CURSOR: JsonObject = {
    "name": "cursor",
    "in": "query",
    "description": "Where a page begins; taken from `next` or `previous` of another page.",
    "schema": {"type": "string"},
}
_TIMES: list[JsonObject] = [
    {
        "name": name,
        "in": "query",
        "description": f"Only predictions that were created {word} this time.",
        "schema": {"type": "string", "format": "date-time"},
    }
    for name, word in (("created_after", "at or after"), ("created_before", "before"))
]
_SOURCE: JsonObject = {
    "name": "source",
    "in": "query",
    "description": "Only predictions from this source.",
    "schema": {"type": "string", "enum": ["web"]},
}
_DOWNLOAD: list[JsonObject] = [
    {"name": name, "in": "query", "required": True, "description": text, "schema": {"type": kind}}
    for name, text, kind in (
        ("owner", "Username of the file's owner.", "string"),
        ("expiry", "Unix seconds at which the URL ends.", "integer"),
        ("signature", "Base64 of the HMAC-SHA256 of `owner id expiry`.", "string"),
    )
]


def document(base: str) -> JsonObject:
    """The OpenAPI 3.1 document, for a server at `base` (`scheme://host`)."""
    paths: JsonObject = {}
    for method, path, operation in _OPERATIONS:
        entry = paths.setdefault(path, {})
        if isinstance(entry, dict):
            entry[method] = operation
    whole: JsonObject = {
        "openapi": "3.1.0",
        "info": {
            "title": "Cogyard",
            "version": cogyard.__version__,
            "description": "Replicate's HTTP API on your own machines.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": f"{base}/v1"}],
        "security": [{"bearerAuth": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearerAuth": {"type": "http", "scheme": "bearer"}},
            "schemas": SCHEMAS,
        },
    }
    return deepcopy(whole)


def _schema(name: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: JsonObject) -> JsonObject:
    return {"application/json": {"schema": schema}}


def _page(name: str) -> JsonObject:
    pointer: JsonObject = {"type": ["string", "null"], "format": "uri"}
    return {
        "type": "object",
        "required": ["next", "previous", "results"],
        "properties": {
            "next": pointer,
            "previous": pointer,
            "results": {"type": "array", "items": _schema(name)},
        },
    }


def _operation(
    name: str,
    summary: str,
    answers: dict[int, JsonObject],
    *,
    path: tuple[tuple[str, str], ...] = (),
    parameters: list[JsonObject] | None = None,
    body: JsonObject | None = None,
    is_open: bool = False,
) -> JsonObject:
    in_path: list[Json] = [
        {"name": key, "in": "path", "required": True, "description": text, "schema": {"type": "string"}}
        for key, text in path
    ]
    responses: JsonObject = {str(status): answer for status, answer in answers.items()}
    responses["default"] = {
        "description": "An error.",
        "content": {"application/problem+json": {"schema": _schema("Problem")}},
    }
    made: JsonObject = {"operationId": name, "summary": summary, "responses": responses}
    if in_path or parameters:
        made["parameters"] = [*in_path, *(parameters or [])]
    if body is not None:
        made["requestBody"] = {"required": True, "content": body}
    if is_open:
        made["security"] = []
    return made


def _answer(description: str, schema: JsonObject | None = None) -> JsonObject:
    return {"description": description, **({} if schema is None else {"content": _json(schema)})}


_MODEL = (_OWNER, _NAME)
_VERSION = (*_MODEL, ("version", "The version's id, 64 hex digits."))
_PREDICTION = (("id", "The prediction's id."),)
_FILE = (("id", "The file's id."),)
_CREATED = {
    201: _answer("Created; with `Prefer: wait`, and it has ended.", _schema("Prediction")),
    202: _answer("Created; the wait is over and it has not ended.", _schema("Prediction")),
}
_ANY_BYTES: JsonObject = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_UPLOAD: JsonObject = {"multipart/form-data": {"schema": _schema("Upload")}}

_OPERATIONS: tuple[tuple[str, str, JsonObject], ...] = (
    (
        "post",
        "/predictions",
        _operation(
            "predictions.create",
            "Create a prediction",
            _CREATED,
            parameters=[_PREFER],
            body=_json(_schema("VersionPredictionRequest")),
        ),
    ),
    (
        "get",
        "/predictions",
        _operation(
            "predictions.list",
            "List your predictions",
            {200: _answer("A page.", _page("Prediction"))},
            parameters=[_CURSOR, *_TIMES, _SOURCE],
        ),
    ),
    (
        "get",
        "/predictions/{id}",
        _operation(
            "predictions.get",
            "Get a prediction",
            {200: _answer("The prediction.", _schema("Prediction"))},
            path=_PREDICTION,
        ),
    ),
    (
        "post",
        "/predictions/{id}/cancel",
        _operation(
            "predictions.cancel",
            "Cancel a prediction",
            {200: _answer("The prediction.", _schema("Prediction"))},
            path=_PREDICTION,
        ),
    ),
    (
        "post",
        "/models/{owner}/{name}/predictions",
        _operation(
            "models.predictions.create",
            "Create a prediction of a model's latest version",
            _CREATED,
            path=_MODEL,
            parameters=[_PREFER],
            body=_json(_schema("PredictionRequest")),
        ),
    ),
    (
        "get",
        "/models",
        _operation(
            "models.list", "List public models", {200: _answer("A page.", _page("Model"))}, parameters=[_CURSOR]
        ),
    ),
    (
        "post",
        "/models",
        _operation(
            "models.create",
            "Create a model",
            {201: _answer("The model.", _schema("Model"))},
            body=_json(_schema("ModelRequest")),
        ),
    ),
    (
        "get",
        "/models/{owner}/{name}",
        _operation("models.get", "Get a model", {200: _answer("The model.", _schema("Model"))}, path=_MODEL),
    ),
    (
        "get",
        "/models/{owner}/{name}/readme",
        _operation(
            "models.readme.get",
            "Get a model's README",
            {200: {"description": "Markdown.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
            path=_MODEL,
        ),
    ),
    (
        "get",
        "/models/{owner}/{name}/examples",
        _operation(
            "models.examples.list",
            "List a model's examples",
            {200: _answer("A page.", _page("Prediction"))},
            path=_MODEL,
        ),
    ),
    (
        "post",
        "/models/{owner}/{name}/examples",
        _operation(
            "models.examples.create",
            "Keep a prediction as an example (extension)",
            {201: _answer("The prediction.", _schema("Prediction"))},
            path=_MODEL,
            body=_json(_schema("ExampleRequest")),
        ),
    ),
    (
        "get",
        "/models/{owner}/{name}/versions",
        _operation(
            "models.versions.list",
            "List a model's versions",
            {200: _answer("A page.", _page("Version"))},
            path=_MODEL,
            parameters=[_CURSOR],
        ),
    ),
    (
        "post",
        "/models/{owner}/{name}/versions",
        _operation(
            "models.versions.push",
            "Push a Cog folder (extension)",
            {
                200: {
                    "description": "A line of JSON for each event of the build; the last is `version` or `error`.",
                    "content": {"application/x-ndjson": {"schema": _schema("PushEvent")}},
                }
            },
            path=_MODEL,
            body={"application/gzip": {"schema": {"type": "string", "format": "binary"}}},
        ),
    ),
    (
        "get",
        "/models/{owner}/{name}/versions/{version}",
        _operation(
            "models.versions.get",
            "Get a version",
            {200: _answer("The version.", _schema("Version"))},
            path=_VERSION,
        ),
    ),
    (
        "get",
        "/hardware",
        _operation(
            "hardware.list",
            "List hardware",
            {200: _answer("What models can run on.", {"type": "array", "items": _schema("Hardware")})},
        ),
    ),
    (
        "get",
        "/files",
        _operation("files.list", "List your files", {200: _answer("A page.", _page("File"))}, parameters=[_CURSOR]),
    ),
    (
        "post",
        "/files",
        _operation("files.create", "Upload a file", {201: _answer("The file.", _schema("File"))}, body=_UPLOAD),
    ),
    (
        "get",
        "/files/{id}",
        _operation("files.get", "Get a file's record", {200: _answer("The file.", _schema("File"))}, path=_FILE),
    ),
    (
        "delete",
        "/files/{id}",
        _operation("files.delete", "Delete a file", {204: _answer("It is gone.")}, path=_FILE),
    ),
    (
        "get",
        "/files/{id}/download",
        _operation(
            "files.download",
            "Download a file by a signed URL",
            {200: {"description": "The bytes.", "content": _ANY_BYTES}},
            path=_FILE,
            parameters=_DOWNLOAD,
            is_open=True,
        ),
    ),
    (
        "get",
        "/delivery/{id}/{name}",
        _operation(
            "delivery.get",
            "Get an output file by its signed URL",
            {200: {"description": "The bytes; ranges are answered with 206.", "content": _ANY_BYTES}},
            path=(*_FILE, ("name", "The file's name.")),
            is_open=True,
        ),
    ),
    (
        "get",
        "/streams/{token}",
        _operation(
            "streams.get",
            "Follow a prediction's output as server-sent events",
            {
                200: {
                    "description": "Events `output`, then perhaps `error`, then `done`.",
                    "content": {"text/event-stream": {"schema": {"type": "string"}}},
                }
            },
            path=(("token", "From `urls.stream` of the prediction."),),
            is_open=True,
        ),
    ),
    (
        "get",
        "/account",
        _operation("account.get", "Get your account", {200: _answer("The account.", _schema("Account"))}),
    ),
    (
        "get",
        "/tokens",
        _operation(
            "tokens.list",
            "List your tokens (extension)",
            {200: _answer("Without their secrets.", _schema("TokenList"))},
        ),
    ),
    (
        "post",
        "/tokens",
        _operation(
            "tokens.create",
            "Make a token (extension)",
            {201: _answer("With its secret, this once.", _schema("Token"))},
            body=_json(_schema("TokenRequest")),
        ),
    ),
    (
        "post",
        "/tokens/{id}/disable",
        _operation(
            "tokens.disable",
            "Disable a token (extension)",
            {200: _answer("The token.", _schema("Token"))},
            path=(("id", "The token's number."),),
        ),
    ),
    (
        "get",
        "/health",
        _operation(
            "health.get",
            "Whether the server is ready",
            {200: _answer("It is.", _schema("Health")), 503: _answer("It is not.", _schema("Health"))},
            is_open=True,
        ),
    ),
    (
        "get",
        "/openapi.json",
        _operation("openapi.get", "This document", {200: _answer("OpenAPI.", {"type": "object"})}, is_open=True),
    ),
)
