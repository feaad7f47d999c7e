"""Holds every answer that a test gets against our own document, and against Replicate's where that is at hand."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs

from cogyard.api.openapi import document

REPLICATE = Path(__file__).parents[2] / "shared" / "replicate-openapi.json"

DEVIATIONS = {
    "started_at": "null until it is known, as the real service sends it from its database (api-contract.md §14 row 19)",
    "completed_at": "null until it is known, for the same reason",
    "output": "of a training: null until it has succeeded, as that of a prediction (api-contract.md §8.2)",
}
"""Properties that may be null though Replicate's document does not say so, and why."""


def check_answer(response: httpx.Response) -> None:
    """An httpx hook: raises `AssertionError` for an answer that is not what the documents say."""
    path = re.sub(r"^(?:/v1)+(?=/)", "", response.request.url.path)
    if response.status_code == 200 and "event-stream" in response.headers.get("content-type", ""):
        return
    response.read()
    for name, paths in (("our own", _ours()), ("Replicate's", _replicates())):
        _check(name, paths, response, path)


def _check(name: str, paths: list[tuple[re.Pattern[str], dict[str, Any]]], response: httpx.Response, path: str) -> None:
    method = response.request.method.lower()
    for pattern, operations in paths:
        if not pattern.fullmatch(path):
            continue
        operation = operations.get(method) or operations.get(f"x-{method}")
        if operation is None:
            continue
        validators = operation.get(str(response.status_code))
        if validators is None and response.status_code >= 400:
            validators = operation.get("default")
        if validators is None:
            assert response.status_code >= 400, f"{name} document knows no {response.status_code} for {method} {path}"
            return
        kind = response.headers.get("content-type", "").split(";")[0]
        validator = validators.get(kind)
        if validator is not None and response.content:
            faults = [
                f"{list(fault.instance_path)}: {fault.message}" for fault in validator.iter_errors(response.json())
            ]
            assert not faults, f"{method} {path} {response.status_code} against {name} document: {faults[:3]}"
        return


Compiled = list[tuple[re.Pattern[str], dict[str, Any]]]


@cache
def _ours() -> Compiled:
    return _compile(document("http://localhost"))


@cache
def _replicates() -> Compiled:
    return _compile(_without_nullable(json.loads(REPLICATE.read_text()))) if REPLICATE.is_file() else []


def _compile(whole: Any) -> Compiled:
    """Paths, the plainer ones first, with a validator for each method, status and JSON content type."""
    found: Compiled = []
    for path in sorted(whole["paths"], key=lambda path: path.count("{")):
        operations = {
            method: {
                status: {
                    kind: _validator(content["schema"], whole["components"])
                    for kind, content in answer.get("content", {}).items()
                    if "json" in kind and "ndjson" not in kind
                }
                for status, answer in operation["responses"].items()
            }
            for method, operation in whole["paths"][path].items()
            if isinstance(operation, dict) and "responses" in operation
        }
        found.append((re.compile(re.sub(r"\{[^}]*\}", "[^/]+", path)), operations))
    return found


def _validator(schema: Any, components: Any) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({**schema, "components": components})


def _without_nullable(schema: Any) -> Any:
    """OpenAPI's `nullable` in the words of JSON Schema."""
    if isinstance(schema, list):
        return [_without_nullable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _without_nullable(part) for key, part in schema.items() if key != "nullable"}
    if "oneOf" in plain:  # the document's alternatives overlap: a version is a string, or the string "hidden"
        plain["anyOf"] = plain.pop("oneOf")
    for name in DEVIATIONS:
        if isinstance(properties := plain.get("properties"), dict) and name in properties:
            properties[name] = {"anyOf": [properties[name], {"type": "null"}]}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain
