"""Inputs that contradict themselves: Cog's builder refuses them, since no caller could rely on what they say."""

import re

from cogyard.cogfolder.schema.facts import PRIMITIVES, InputFacts
from cogyard.domain.values import Json, JsonObject


def contradiction(facts: InputFacts) -> str | None:
    """What is wrong with an input, as a sentence's end; None when nothing is."""
    schema = facts.schema
    is_file = PRIMITIVES["Path"] in (schema, schema.get("items"))
    if "x-cog-accept" in facts.limits and not is_file:
        return "`accept` is for inputs of type Path or File."
    if "anyOf" in schema and (facts.choices is not None or facts.limits):
        return "choices and limits are not supported where more than one type is allowed."
    if not facts.has_default or facts.default is None:
        return None
    default = facts.default
    if facts.choices is not None:
        return None if default in facts.choices else f"its default {default!r} is none of its choices."
    variants = schema.get("anyOf")
    if isinstance(variants, list):
        fits = any(isinstance(variant, dict) and _has_type(default, variant) for variant in variants)
    else:
        fits = _has_type(default, schema)
    if not fits:
        return f"its default {default!r} is not of its type."
    return _beyond(default, facts.limits)


def _has_type(value: Json, schema: JsonObject) -> bool:
    match schema.get("type"):
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "array":
            items = schema.get("items")
            return isinstance(value, list) and all(_has_type(item, items) for item in value if isinstance(items, dict))
    return True


def _beyond(value: Json, limits: JsonObject) -> str | None:
    """How a default breaks the limits of its own input."""
    size = len(value) if isinstance(value, str) else None
    amount = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    for name, measured, sign, told in (
        ("minimum", amount, 1, "less than the minimum,"),
        ("maximum", amount, -1, "more than the maximum,"),
        ("minLength", size, 1, "shorter than"),
        ("maxLength", size, -1, "longer than"),
    ):
        limit = limits.get(name)
        if measured is not None and isinstance(limit, int | float) and sign * measured < sign * limit:
            return f"its default {value!r} is {told} {limit}."
    pattern = limits.get("pattern")
    if isinstance(pattern, str) and isinstance(value, str) and not _matches(pattern, value):
        return f"its default {value!r} does not match {pattern!r}."
    return None


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        return True  # an expression of another dialect is the validator's business
