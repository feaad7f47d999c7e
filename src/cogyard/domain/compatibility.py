"""What a new schema of an official model would break for those who call it.

Allowed: another default or description, a new optional input, wider bounds, more choices. All else that a caller
could have relied on is told, a sentence for each.
"""

from collections.abc import Iterator

from cogyard.domain.catalog import component
from cogyard.domain.values import Json, JsonObject

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_OUTPUT_HINTS = ("x-cog-array-type", "x-cog-array-display")


def breaking_changes(before: JsonObject, after: JsonObject) -> list[str]:
    """What callers of a version with the schema `before` would trip over with `after`; empty when nothing."""
    found = [*_input_changes(before, after, "Input"), *_output_changes(before, after)]
    if component(before, "TrainingInput"):
        if not component(after, "TrainingInput"):
            return [*found, "it cannot be trained any more"]
        found += _input_changes(before, after, "TrainingInput")
    return found


def _input_changes(before: JsonObject, after: JsonObject, name: str) -> Iterator[str]:
    old, new = component(before, name), component(after, name)
    was_required, is_required = _names(old.get("required")), _names(new.get("required"))
    olds, news = _properties(old), _properties(new)
    for key, old_schema in olds.items():
        if key not in news:
            yield f"input {key} is gone"
            continue
        if key in is_required and key not in was_required:
            yield f"input {key} is required now"
        yield from _union_changes(f"input {key}", _resolve(old_schema, before), _resolve(news[key], after))
    for key in news:
        if key not in olds and key in is_required:
            yield f"input {key} is new and has no default"


def _union_changes(what: str, old: JsonObject, new: JsonObject) -> Iterator[str]:
    """The same where one of several types may be given: each that was taken still is."""
    if "anyOf" not in old and "anyOf" not in new:
        yield from _value_changes(what, old, new)
        return
    for one in _variants(old):
        if all(any(_value_changes(what, one, other)) for other in _variants(new)):
            yield f"{what} does not take every {_shown(one.get('type'))} any more"


def _value_changes(what: str, old: JsonObject, new: JsonObject) -> Iterator[str]:
    for key in ("type", "format"):
        if old.get(key) != new.get(key):
            yield f"{what}: its {key} was {_shown(old.get(key))} and is {_shown(new.get(key))}"
    if old.get("nullable") and not new.get("nullable"):
        yield f"{what} may not be null any more"
    yield from _bound_changes(what, old, new)
    if new.get("pattern") is not None and new.get("pattern") != old.get("pattern"):
        yield f"{what} must match another pattern, {new['pattern']}"
    old_choices, new_choices = old.get("enum"), new.get("enum")
    if isinstance(new_choices, list):
        if not isinstance(old_choices, list):
            yield f"{what} takes only some values now: {_shown(new_choices)}"
        else:
            yield from (f"{what}: the choice {_shown(one)} is gone" for one in old_choices if one not in new_choices)
    old_items, new_items = old.get("items"), new.get("items")
    if isinstance(new_items, dict):
        yield from _union_changes(f"an item of {what}", _object(old_items), new_items)


def _bound_changes(what: str, old: JsonObject, new: JsonObject) -> Iterator[str]:
    for keys, is_tighter, word in ((_LOWER, float.__gt__, "raised"), (_UPPER, float.__lt__, "lowered")):
        for key in keys:
            was, now = old.get(key), new.get(key)
            if not isinstance(now, int | float):
                continue
            if not isinstance(was, int | float):
                yield f"{what}: {key} {_shown(now)} is new"
            elif is_tighter(float(now), float(was)):
                yield f"{what}: {key} was {word} from {_shown(was)} to {_shown(now)}"


def _output_changes(before: JsonObject, after: JsonObject) -> Iterator[str]:
    old, new = component(before, "Output"), component(after, "Output")
    yield from _shape_changes("the output", old, new, before, after)


def _shape_changes(what: str, old: JsonObject, new: JsonObject, before: JsonObject, after: JsonObject) -> Iterator[str]:
    old, new = _resolve(old, before), _resolve(new, after)
    if "anyOf" in old or "anyOf" in new:
        for one in _variants(new):
            if all(any(_shape_changes(what, other, one, before, after)) for other in _variants(old)):
                yield f"{what} may be another {_shown(one.get('type'))} than before"
        return
    if new.get("nullable") and not old.get("nullable"):
        yield f"{what} may be null now"
    for key in ("type", "format", *_OUTPUT_HINTS):
        if old.get(key) != new.get(key):
            yield f"{what}: its {key} was {_shown(old.get(key))} and is {_shown(new.get(key))}"
    for key in ("items", "additionalProperties"):
        old_items, new_items = old.get(key), new.get(key)
        if isinstance(old_items, dict):
            yield from _shape_changes(f"an item of {what}", old_items, _object(new_items), before, after)
    olds, news = _properties(old), _properties(new)
    was_there, is_there = _names(old.get("required")), _names(new.get("required"))
    for key, schema in olds.items():
        if key not in news:
            yield f"{what}: its field {key} is gone"
        else:
            if key in was_there and key not in is_there:
                yield f"{what}: its field {key} may be missing now"
            yield from _shape_changes(f"{key} of {what}", _object(schema), _object(news[key]), before, after)


def _resolve(schema: Json, document: JsonObject) -> JsonObject:
    """The schema behind `$ref` and a lone `allOf`, as Cog writes them."""
    for _ in range(4):
        whole = _object(schema)
        reference, parts = whole.get("$ref"), whole.get("allOf")
        if isinstance(reference, str):
            schema = component(document, reference.rsplit("/", 1)[-1])
        elif isinstance(parts, list) and len(parts) == 1:
            schema = parts[0]
        else:
            return whole
    return {}


def _variants(schema: JsonObject) -> list[JsonObject]:
    """The types of a union, or the one that there is."""
    options = schema.get("anyOf")
    return [_object(option) for option in options] if isinstance(options, list) else [schema]


def _properties(schema: JsonObject) -> JsonObject:
    return _object(schema.get("properties"))


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _names(value: Json) -> set[str]:
    return {name for name in value if isinstance(name, str)} if isinstance(value, list) else set()


def _shown(value: Json) -> str:
    return "not given" if value is None else str(value)
