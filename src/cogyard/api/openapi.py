"""The API's description of itself: every route with its parameters, bodies and answers."""

from copy import deepcopy

import cogyard
from cogyard.api.openapi_account_schemas import ACCOUNT_SCHEMAS
from cogyard.api.openapi_operation import Operation
from cogyard.api.openapi_operations import OPERATIONS
from cogyard.api.openapi_overview import OVERVIEW_SCHEMAS
from cogyard.api.openapi_parameters import PARAMETERS, PATH_WORDS
from cogyard.api.openapi_schemas import SCHEMAS
from cogyard.api.openapi_secrets import SECRET_SCHEMAS
from cogyard.api.openapi_usage import USAGE_SCHEMAS
from cogyard.domain.values import Json, JsonObject

_PROBLEM: JsonObject = {
    "description": "An error.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_MEDIA = {
    "text": "text/plain",
    "markdown": "text/markdown",
    "bytes": "application/octet-stream",
    "events": "text/event-stream",
    "lines": "application/x-ndjson",
    "folder": "application/gzip",
    "form": "multipart/form-data",
}


_OWNED = {"owner": "$response.body#/owner", "name": "$response.body#/name"}
_BY_USERNAME = {"username": "$response.body#/username"}
_BY_ID = {"id": "$response.body#/id"}
_LINKS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "predictions.create": (_BY_ID, ("predictions.get", "predictions.cancel")),
    "deployments.predictions.create": (_BY_ID, ("predictions.get", "predictions.cancel")),
    "trainings.create": (_BY_ID, ("trainings.get", "trainings.cancel")),
    "files.create": (_BY_ID, ("files.get", "files.delete")),
    "tokens.create": (_BY_ID, ("tokens.disable",)),
    "users.create": (_BY_USERNAME, ("users.get", "users.update", "users.delete")),
    "organizations.create": (
        _BY_USERNAME,
        ("organizations.get", "organizations.update", "organizations.delete", "organizations.members.put"),
    ),
    "models.create": (_OWNED, ("models.get", "models.update", "models.delete", "models.versions.list")),
    "deployments.create": (
        _OWNED,
        (
            "deployments.get",
            "deployments.update",
            "deployments.delete",
            "deployments.releases.list",
            "deployments.predictions.create",
        ),
    ),
    "collections.create": (
        {"slug": "$response.body#/slug"},
        ("collections.get", "collections.update", "collections.delete"),
    ),
}
"""What can be done with what an operation made: parameters out of its answer, and the operations that take them."""


def document(base: str) -> JsonObject:
    """The OpenAPI 3.1 document, for a server at `base` (`scheme://host`).

    OpenAPI 3.1 has no place for the QUERY method: what it does stands under `x-query`.
    """
    paths: JsonObject = {}
    for operation in OPERATIONS:
        entry = paths.setdefault(operation.path, {})
        if isinstance(entry, dict):
            method = operation.method.lower()
            entry["x-query" if method == "query" else method] = _described(operation)
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
            "schemas": {**SCHEMAS, **SECRET_SCHEMAS, **ACCOUNT_SCHEMAS, **USAGE_SCHEMAS, **OVERVIEW_SCHEMAS},
        },
    }
    return deepcopy(whole)


def _described(operation: Operation) -> JsonObject:
    responses: JsonObject = {
        str(status): {"description": words, **_content(shape), **_links(operation.name, status)}
        for status, (words, shape) in operation.answers.items()
    }
    described: JsonObject = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": {**responses, "default": _PROBLEM},
    }
    in_path: list[Json] = [
        {"name": name, "in": "path", "required": True, "description": words, "schema": schema}
        for name, (words, schema) in PATH_WORDS.items()
        if f"{{{name}}}" in operation.path
    ]
    parameters = [*in_path, *(PARAMETERS[name] for name in operation.parameters)]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {"required": True, **_content(operation.body)}
    if operation.is_open:
        described["security"] = []
    if operation.is_extension:
        described["x-cogyard-extension"] = True
    return described


def _links(name: str, status: int) -> JsonObject:
    if name not in _LINKS or status >= 300:
        return {}
    parameters, targets = _LINKS[name]
    links: JsonObject = {target: {"operationId": target, "parameters": dict(parameters)} for target in targets}
    return {"links": links}


def _content(shape: str) -> JsonObject:
    """`Name`, `[Name]` (a bare array), `page of Name`, a kind of bytes or `kind:Name`; `` for nothing.

    With ` or csv` behind it, a table too.
    """
    if not shape:
        return {}
    if shape.endswith(" or csv"):
        described: JsonObject = {"application/json": {"schema": _schema(shape.removesuffix(" or csv"))}}
        return {"content": {**described, "text/csv": {"schema": {"type": "string"}}}}
    kind, _, name = shape.partition(":")
    if kind in _MEDIA:
        if kind == "events":
            return {"content": {_MEDIA[kind]: {}}}
        schema: JsonObject = _schema(name) if name else {"type": "string"}
        if kind in ("bytes", "folder"):
            schema = {"type": "string", "format": "binary"}
        return {"content": {_MEDIA[kind]: {"schema": schema}}}
    if shape.startswith("["):
        return _json({"type": "array", "items": _schema(shape.strip("[]"))})
    if shape.startswith("page of "):
        return _json(_page(shape.removeprefix("page of ")))
    return _json(_schema(shape))


def _json(schema: JsonObject) -> JsonObject:
    return {"content": {"application/json": {"schema": schema}}}


def _schema(name: str) -> JsonObject:
    return {"$ref": f"#/components/schemas/{name}"}


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
