"""Files on their way into the model and out of it: marks that the driver and this side know, and the spool."""

import dataclasses
import enum
import io
import itertools
import os
import shutil
import types
import typing
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import cog

NONCE = os.environ.get("COGYARD_NONCE", "")
OUTPUT_MARK = f"cogyard-output:{NONCE}:"
INPUT_MARK = f"cogyard-input:{NONCE}:"
SPOOL = Path(os.environ.get("COGYARD_SPOOL") or ".")

_numbers = itertools.count()


class UnusableOutput(Exception):
    """What the model returned cannot be taken; the sentence says why, and is all that the caller is told."""


def take_in(value: Any, hint: Any) -> Any:  # noqa: ANN401
    """An input as the model wants it: the marks that the driver put for fetched files become paths or open files."""
    if isinstance(value, str) and value.startswith(INPUT_MARK):
        path = value[len(INPUT_MARK) :]
        return open(path, "rb") if _wants_file(hint) else cog.Path(path)  # noqa: PTH123 - the model closes it
    if isinstance(value, list):
        inner = next(iter(typing.get_args(_plain_hint(hint))), hint)
        return [take_in(item, inner) for item in value]
    return _as_typed(value, _plain_hint(hint))


def _plain_hint(hint: Any) -> Any:  # noqa: ANN401
    """The type inside `Optional` and `Annotated`."""
    arguments = [argument for argument in typing.get_args(hint) if argument is not type(None)]
    if hasattr(hint, "__metadata__"):
        return _plain_hint(arguments[0])
    is_optional = typing.get_origin(hint) in (typing.Union, types.UnionType) and len(arguments) == 1
    return _plain_hint(arguments[0]) if is_optional else hint


def _as_typed(value: Any, hint: Any) -> Any:  # noqa: ANN401
    """A member of an enumeration or an object, of which the caller gave the value or the fields."""
    if value is None or not isinstance(hint, type):
        return value
    if issubclass(hint, enum.Enum):
        return hint(value)
    is_structure = dataclasses.is_dataclass(hint) or hasattr(hint, "model_fields") or issubclass(hint, cog.BaseModel)
    return hint(**value) if is_structure and isinstance(value, dict) else value


def _wants_file(hint: Any) -> bool:  # noqa: ANN401
    return hint is cog.File or any(_wants_file(part) for part in typing.get_args(hint))


def give_out(value: Any) -> Any:  # noqa: ANN401
    """An output with every file in it copied to the spool, in order, and a mark in its place."""
    if isinstance(value, PurePath):
        return _spool(Path(value))
    if isinstance(value, io.IOBase):
        return _spool_stream(value)
    if isinstance(value, str | bytes | int | float | None.__class__):
        return value
    if isinstance(value, Mapping):
        return {key: give_out(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [give_out(item) for item in value]
    fields = _fields(value)
    return value if fields is None else {name: give_out(item) for name, item in fields.items()}


def _fields(value: Any) -> Mapping[str, Any] | None:  # noqa: ANN401
    """The fields of an output object: dataclass, Cog's or pydantic's BaseModel."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    names = getattr(type(value), "model_fields", None)
    if isinstance(names, Mapping):
        return {name: getattr(value, name) for name in names}
    return dict(vars(value)) if isinstance(value, cog.BaseModel) else None


def _spool(path: Path) -> str:
    if not path.exists():
        raise UnusableOutput(f"The model returned a file that does not exist: {path}")
    if not path.is_file():
        raise UnusableOutput(f"The model returned a path that is not a file: {path}")
    place = _place(path.name)
    try:
        shutil.copyfile(path, place)  # not moved: the model may return it twice, or write to it again
    except OSError as error:
        raise UnusableOutput(f"The model returned a file that cannot be copied: {path}: {error.strerror}") from error
    return f"{OUTPUT_MARK}{place.parent.name}/{place.name}"


def _spool_stream(stream: io.IOBase) -> str:
    name = getattr(stream, "name", None)
    place = _place(Path(name).name if isinstance(name, str) else "output")
    if stream.seekable():
        stream.seek(0)
    content = stream.read()
    place.write_bytes(content.encode() if isinstance(content, str) else content)
    return f"{OUTPUT_MARK}{place.parent.name}/{place.name}"


def _place(name: str) -> Path:
    """A new place in the spool; each file has a folder of its own, so that it can keep its name."""
    folder = SPOOL / unique_name()
    folder.mkdir(parents=True)
    return folder / name


def unique_name() -> str:
    """A name that nothing in the spool bears."""
    return f"{os.getpid()}-{next(_numbers)}"
