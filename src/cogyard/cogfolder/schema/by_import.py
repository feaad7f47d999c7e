"""Stand-alone: describes a predictor by importing it. Run by `child` with the model's own interpreter.

Usage: by_import.py REFERENCE predict|train RESULT_FILE, in the model's folder. Writes the facts, or what is wrong, as
JSON to the result file, since the model may print what it likes. Standard library and the model's `cog` only.
"""

import collections.abc
import dataclasses
import enum
import inspect
import io
import json
import os
import pathlib
import resource
import sys
import traceback
import types
import typing
from typing import Any

sys.path.insert(0, os.getcwd())  # noqa: PTH109

PRIMITIVES = {bool: "boolean", float: "number", int: "integer", str: "string"}
FILE = {"type": "string", "format": "uri"}
SECRET = {"type": "string", "format": "password", "writeOnly": True, "x-cog-secret": True}
ANY = {"type": "object"}
LIMITS = {
    "ge": "minimum",
    "le": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "regex": "pattern",
    "accept": "x-cog-accept",
}


class Unusable(Exception):
    """The model cannot be described."""


def limit() -> None:
    """Take the limits of memory, file size and processor time that the parent names."""
    memory, size, seconds = (int(part) for part in os.environ.pop("COGYARD_SCHEMA_LIMITS").split())
    for kind, amount in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, size),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (amount, amount))


def leaf(hint: Any) -> Any:
    """The schema of a type that has no parts, or None."""
    import cog

    if hint is typing.Any:
        return dict(ANY)
    if not isinstance(hint, type):
        return None
    if hint in PRIMITIVES:
        return {"type": PRIMITIVES[hint]}
    if issubclass(hint, cog.Secret):
        return dict(SECRET)
    if issubclass(hint, pathlib.PurePath | io.IOBase | cog.File):
        return dict(FILE)
    return dict(ANY) if issubclass(hint, dict) and not typing.is_typeddict(hint) else None


def title(name: Any) -> Any:
    """`a_b` → `A B`."""
    return " ".join(word[:1].upper() + word[1:] for word in name.split("_") if word)


def closed_set(values: Any) -> Any:
    """Schema and values of a closed set."""
    kinds = {type(value) for value in values}
    for kind in (bool, int, float, str):
        if kinds <= {kind}:
            return {"type": PRIMITIVES[kind]}, list(values)
    return {"type": "string"}, list(values)


def opaque(hint: Any) -> Any:
    """Schema and nullability of what is marked as JSON that is not looked into; None where nothing is."""
    import cog

    marks = getattr(hint, "__metadata__", ())
    if not any(mark is getattr(cog, "Opaque", hint) for mark in marks):
        return None
    inner = typing.get_args(hint)[0]
    members = typing.get_args(inner) if typing.get_origin(inner) in (typing.Union, types.UnionType) else (inner,)
    kept = [member for member in members if member is not type(None)]
    is_list = len(kept) == 1 and (kept[0] is list or typing.get_origin(kept[0]) in (list, collections.abc.Sequence))
    return {"type": "array", "items": dict(ANY)} if is_list else dict(ANY), len(kept) < len(members)


def input_type(hint: Any) -> Any:
    """Schema, nullability and choices of an input's type."""
    marked = opaque(hint)
    if marked is not None:
        return *marked, None
    found = leaf(hint)
    if found is not None:
        return found, False, None
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        kept = [argument for argument in arguments if argument is not type(None)]
        nullable = len(kept) < len(arguments)
        if len(kept) == 1:
            schema, _, choices = input_type(kept[0])
            return schema, nullable, choices
        extra = {"nullable": True} if nullable else {}
        return {"anyOf": [{**input_type(argument)[0], **extra} for argument in kept]}, nullable, None
    if origin is typing.Annotated:
        return input_type(arguments[0])
    if origin is typing.Literal:
        schema, choices = closed_set(arguments)
        return schema, False, choices
    if origin in (list, collections.abc.Sequence):
        return {"type": "array", "items": input_type(arguments[0])[0]}, False, None
    if hint is list:
        return {"type": "array", "items": dict(ANY)}, False, None
    if origin in (dict, collections.abc.Mapping) or is_structure(hint):
        return dict(ANY), False, None
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        schema, choices = closed_set([member.value for member in hint])
        return schema, False, choices
    raise Unusable(f"{hint!r} is not a type that an input can have")


def output_type(hint: Any, seen: Any = ()) -> Any:
    """Schema of an output's type."""
    import cog

    marked = opaque(hint)
    if marked is not None and marked[1]:
        raise Unusable("an output cannot be optional or a union")
    if marked is not None:
        return marked[0]
    found = leaf(hint)
    if found is not None:
        return found
    if hint is list:
        return {"type": "array", "items": dict(ANY)}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        raise Unusable("an output cannot be optional or a union")
    if origin is typing.Annotated:
        return output_type(arguments[0], seen)
    if origin is typing.Literal:
        return closed_set(arguments)[0]
    if origin in (cog.ConcatenateIterator, cog.AsyncConcatenateIterator):
        return {
            "type": "array",
            "items": {"type": "string"},
            "x-cog-array-type": "iterator",
            "x-cog-array-display": "concatenate",
        }
    if origin in (list, collections.abc.Sequence):
        return {"type": "array", "items": output_type(arguments[0], seen)}
    if origin in (dict, collections.abc.Mapping):
        return {"type": "object", "additionalProperties": output_type(arguments[1], seen)}
    if isinstance(origin, type) and issubclass(origin, collections.abc.Iterable | collections.abc.AsyncIterable):
        return {"type": "array", "items": output_type(arguments[0], seen), "x-cog-array-type": "iterator"}
    if is_structure(hint):
        return dict(ANY) if hint in seen else structure(hint, (*seen, hint))
    raise Unusable(f"{hint!r} is not a type that an output can have")


def is_structure(hint: Any) -> Any:
    """Whether a type has named fields."""
    if not isinstance(hint, type):
        return False
    return (
        dataclasses.is_dataclass(hint)
        or typing.is_typeddict(hint)
        or any(base.__name__ == "BaseModel" for base in hint.__mro__)
    )


def structure(hint: Any, seen: Any) -> Any:
    """An object's schema."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    optional_keys: Any = getattr(hint, "__optional_keys__", frozenset())
    for name, part in typing.get_type_hints(hint, include_extras=True).items():
        schema, nullable = field_type(part, seen)
        properties[name] = {**schema, "title": title(name)}
        must = name in getattr(hint, "__required_keys__", ())
        if must or (not nullable and not has_default(hint, name) and name not in optional_keys):
            required.append(name)
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def field_type(hint: Any, seen: Any) -> Any:
    """Schema and nullability of a field, which, unlike an output, may be optional."""
    marked = opaque(hint)
    if marked is not None:
        return ({**marked[0], "nullable": True} if marked[1] else marked[0]), marked[1]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated or getattr(origin, "_name", "") in ("Required", "NotRequired"):
        return field_type(arguments[0], seen)
    if origin in (typing.Union, types.UnionType) and type(None) in arguments:
        kept = [argument for argument in arguments if argument is not type(None)]
        return {**output_type(kept[0], seen), "nullable": True}, True
    return output_type(hint, seen), False


def has_default(hint: Any, name: Any) -> Any:
    """Whether a field has a default."""
    for known in (getattr(hint, "__dataclass_fields__", {}), getattr(hint, "model_fields", {})):
        if name in known:
            entry = known[name]
            if hasattr(entry, "is_required"):
                return not entry.is_required()
            return entry.default is not dataclasses.MISSING or entry.default_factory is not dataclasses.MISSING
    return hasattr(hint, name)


def describe_input(name: Any, parameter: Any, hint: Any) -> Any:
    """The facts of one input."""
    from cog.input import FieldInfo

    schema, nullable, choices = input_type(hint)
    facts = {"name": name, "schema": schema, "is_nullable": nullable, "choices": choices}
    default = parameter.default
    if not isinstance(default, FieldInfo):
        has = default is not inspect.Parameter.empty
        return {**facts, "has_default": has, "default": plain(default) if has else None}
    value = default.default
    if isinstance(value, dataclasses.Field):
        value = value.default_factory() if value.default_factory is not dataclasses.MISSING else value.default
    limits = {LIMITS[key]: getattr(default, key) for key in LIMITS if getattr(default, key, None) is not None}
    return {
        **facts,
        "choices": list(default.choices) if default.choices else choices,
        "has_default": value is not None or nullable,
        "default": plain(value),
        "description": default.description,
        "limits": {
            key: int(entry) if isinstance(entry, float) and entry.is_integer() else entry
            for key, entry in limits.items()
        },
        "is_deprecated": bool(getattr(default, "deprecated", False)),
    }


def plain(value: Any) -> Any:
    """A default as JSON."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | dict | None.__class__) else str(value)


def find(reference: Any, mode: Any) -> Any:
    """The function that the reference names."""
    import importlib.util

    import cog.types

    if not hasattr(cog.types, "Weights"):  # a type of setup's argument that Cog dropped; models still import it
        cog.types.Weights = cog.File | cog.Path | str
    file, _, name = reference.partition(":")
    spec = importlib.util.spec_from_file_location(pathlib.Path(file).stem, file)
    if spec is None or spec.loader is None:
        raise Unusable(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    names = [name] if name else (["train"] if mode == "train" else ["Runner", "Predictor"])
    found = next((getattr(module, entry) for entry in names if hasattr(module, entry)), None)
    if found is None:
        raise Unusable(f"there is no class or function {names[-1]}")
    if not inspect.isclass(found):
        return found
    from cog.predictor import _user_method_owner

    methods = ("train",) if mode == "train" else ("run", "predict")
    method = next((entry for entry in methods if _user_method_owner(found, entry) is not None), None)
    if method is None:
        raise Unusable(f"the class {found.__name__} has no method {' or '.join(methods)}")
    return getattr(found, method)


def describe(reference: Any, mode: Any) -> Any:
    """The facts of the function."""
    function = find(reference, mode)
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = {name: entry for name, entry in inspect.signature(function).parameters.items() if name != "self"}
    missing = [name for name in parameters if name not in hints]
    if missing:
        raise Unusable(f"the input `{missing[0]}` has no type")
    if "return" not in hints:
        raise Unusable(f"{function.__name__}() has no return type")
    return {
        "inputs": [describe_input(name, entry, hints[name]) for name, entry in parameters.items()],
        "output": output_type(hints["return"]),
        "is_streaming": bool(getattr(function, "__cog_streaming__", False)),
    }


def main() -> None:
    """Describe, or say what is wrong and where."""
    reference, mode, result = sys.argv[1:]
    limit()
    file: str = reference.partition(":")[0]
    line: int | None = None
    try:
        answer = describe(reference, mode)
    except BaseException as error:  # noqa: BLE001 - whatever the model's module raises is told
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
        own = [frame for frame in frames if not os.path.isabs(frame.filename) or frame.filename.startswith(os.getcwd())]  # noqa: PTH109, PTH117
        if own:
            file, line = os.path.relpath(own[-1].filename), own[-1].lineno
        told = str(error) if isinstance(error, Unusable) else f"importing it failed: {type(error).__name__}: {error}"
        answer = {"error": told, "file": file, "line": line}
    pathlib.Path(result).write_text(json.dumps(answer))


main()
