"""`key=value` arguments as a model's input: typed by its schema, `@path` read or uploaded."""

import difflib
import json
import sys
from pathlib import Path

from cogyard.cli.client import Client
from cogyard.cli.terminal import CliError, Exit
from cogyard.domain.values import Json, JsonObject


def _fault(detail: str) -> CliError:
    return CliError(detail, Exit.usage, "Invalid input")


async def parse_inputs(client: Client, pairs: list[str], openapi_schema: JsonObject) -> JsonObject:
    """The input that `key=value` pairs describe. A key that is given again adds to its list. Raises `CliError`."""
    properties = _properties(openapi_schema)
    values: dict[str, list[str]] = {}
    for pair in pairs:
        key, found, value = pair.partition("=")
        if not found:
            raise _fault(f"{pair!r} is no input; write key=value.")
        if key not in properties:
            near = difflib.get_close_matches(key, properties, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise _fault(f"The model has no input {key!r}.{hint} It has: {', '.join(properties) or 'none'}.")
        values.setdefault(key, []).append(value)
    return {key: await _value(client, key, properties[key], texts, openapi_schema) for key, texts in values.items()}


def _properties(openapi_schema: JsonObject) -> dict[str, JsonObject]:
    found = _component(openapi_schema, "Input").get("properties")
    entries = found.items() if isinstance(found, dict) else ()
    return {name: schema for name, schema in entries if isinstance(schema, dict)}


def _component(openapi_schema: JsonObject, name: str) -> JsonObject:
    components = openapi_schema.get("components")
    schemas = components.get("schemas") if isinstance(components, dict) else None
    found = schemas.get(name) if isinstance(schemas, dict) else None
    return found if isinstance(found, dict) else {}


async def _value(client: Client, key: str, schema: JsonObject, texts: list[str], whole: JsonObject) -> Json:
    schema = _resolved(schema, whole)
    if schema.get("type") == "array":
        if len(texts) == 1 and texts[0].lstrip().startswith("["):
            return _json(key, texts[0])
        items = schema.get("items")
        item = _resolved(items, whole) if isinstance(items, dict) else {}
        return [await _single(client, key, item, text) for text in texts]
    if len(texts) > 1:
        raise _fault(f"The input {key} takes one value; {len(texts)} were given.")
    return await _single(client, key, schema, texts[0])


def _resolved(schema: JsonObject, whole: JsonObject) -> JsonObject:
    parts = schema.get("allOf")
    reference = parts[0].get("$ref") if isinstance(parts, list) and isinstance(parts[0], dict) else schema.get("$ref")
    return _component(whole, reference.rpartition("/")[2]) if isinstance(reference, str) else schema


async def _single(client: Client, key: str, schema: JsonObject, text: str) -> Json:
    kind = schema.get("type")
    is_file = kind == "string" and schema.get("format") == "uri"
    if text.startswith("@") and is_file:
        return await client.upload(Path(text[1:]))
    if text.startswith("@"):
        text = _read(key, text[1:])
    if kind == "string":
        return text
    if kind == "boolean":
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise _fault(f"The input {key} is true or false, not {text!r}.")
        return text.lower() in ("true", "1", "yes")
    if kind in ("integer", "number"):
        try:
            return int(text) if kind == "integer" else float(text)
        except ValueError:
            raise _fault(
                f"The input {key} is {'a whole number' if kind == 'integer' else 'a number'}, not {text!r}."
            ) from None
    try:
        value: Json = json.loads(text)
    except ValueError:
        value = text
    return value


def _read(key: str, path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise _fault(f"The input {key}: {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise _fault(f"The input {key}: {path} is not UTF-8 text.") from None


def _json(key: str, text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError as error:
        raise _fault(f"The input {key} is not valid JSON: {error}.") from None
    return value


def read_input_json(source: str) -> JsonObject:
    """A whole input from a file or `-`. Raises `CliError`."""
    value = _json("--input-json", _read("--input-json", source.removeprefix("@")))
    if not isinstance(value, dict):
        raise _fault("--input-json must hold a JSON object.")
    return value
