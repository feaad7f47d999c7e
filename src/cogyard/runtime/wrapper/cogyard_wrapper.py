"""Stands between the Cog server and the model, inside the model's own environment.

The Cog server loads `Predictor`, `AsyncPredictor` or `train` from this file; they hand on to the model's own code and
mend what the server does not do: tracebacks in the logs, logs that end with their prediction, returned files kept in
order and checked, async generators that stream, and no process that outlives the Cogyard server.

Standard library and `cog` only, Python 3.10 and later. Told by the environment: COGYARD_PREDICT and COGYARD_TRAIN
(`file.py:Name`), COGYARD_SPOOL (a folder), COGYARD_NONCE, COGYARD_SERVER_PID.
"""

import asyncio
import dataclasses
import functools
import inspect
import io
import itertools
import os
import select
import shutil
import signal
import sys
import threading
import traceback
import typing
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import cog
from cog.input import FieldInfo
from cog.predictor import load_predictor_from_ref

NONCE = os.environ.get("COGYARD_NONCE", "")
OUTPUT_MARK = f"cogyard-output:{NONCE}:"
INPUT_MARK = f"cogyard-input:{NONCE}:"
WHOLE = f"cogyard_{NONCE}"
"""Key that a whole output is wrapped in: the server takes lists apart and does not tell null from an empty one. Also
the name of the metric that carries the items of an async generator."""
SPOOL = Path(os.environ.get("COGYARD_SPOOL") or ".")
SETUP_LOG = SPOOL / "setup.log"
SETUP_ERROR = SPOOL / "setup.error"

_numbers = itertools.count()

if TYPE_CHECKING:
    from cogyard.runtime.wrapper.cogyard_streams import Printed, PrintedStream, Printer
else:  # this folder is on the path for that moment only: its names are none of the model's business
    sys.path.insert(0, str(Path(__file__).parent))
    from cogyard_streams import Printed, PrintedStream, Printer

    sys.path.pop(0)


# --- the server's death is ours -------------------------------------------------------------------------------------


def _die_with(pid: int) -> None:
    """Wait, on a thread, until process `pid` has ended; then end this whole process group."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        _poll_until_gone(pid)
    else:
        select.select([descriptor], [], [])
    os.killpg(0, signal.SIGKILL)


def _poll_until_gone(pid: int) -> None:
    pause = threading.Event()
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        except PermissionError:
            pass
        pause.wait(1.0)


def _watch_server() -> None:
    pid = os.environ.get("COGYARD_SERVER_PID", "")
    if pid.isdigit():
        threading.Thread(target=_die_with, args=(int(pid),), daemon=True, name="cogyard watchdog").start()


# --- what setup prints ----------------------------------------------------------------------------------------------


class _SetupOutput:
    """While entered, everything printed goes to the setup log too, and so does the traceback of what goes wrong."""

    def __enter__(self) -> None:
        self._kept = PRINTER.setup(SETUP_LOG)
        self._kept.__enter__()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is not None:
            print_traceback(error)
            last = traceback.format_exception_only(type(error), error)[-1].strip()
            SETUP_ERROR.write_text(last, encoding="utf-8", errors="replace")
        _flush()
        self._kept.__exit__(None, None, None)


def print_traceback(error: BaseException) -> None:
    """Print the part of an exception's traceback that lies in the model's code."""
    _flush()
    if isinstance(error, asyncio.CancelledError | cog.CancelationException | UnusableOutput):
        return
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename in _OURS:
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames, file=sys.stderr)
    sys.stderr.flush()


_OURS = frozenset({__file__, load_predictor_from_ref.__code__.co_filename, "<frozen importlib._bootstrap_external>",
                   "<frozen importlib._bootstrap>"})  # fmt: skip


# --- files in and out -----------------------------------------------------------------------------------------------


class UnusableOutput(Exception):
    """What the model returned cannot be taken; the sentence says why, and is all that the caller is told."""


def take_in(value: Any, hint: Any) -> Any:  # noqa: ANN401
    """An input as the model wants it: the marks that the driver put for fetched files become paths or open files."""
    if isinstance(value, str) and value.startswith(INPUT_MARK):
        path = value[len(INPUT_MARK) :]
        return open(path, "rb") if _wants_file(hint) else cog.Path(path)  # noqa: PTH123 - the model closes it
    if isinstance(value, list):
        return [take_in(item, hint) for item in value]
    return value


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
    folder = SPOOL / f"{os.getpid()}-{next(_numbers)}"
    folder.mkdir(parents=True)
    return folder / name


# --- calling the model ----------------------------------------------------------------------------------------------


class Call:
    """The model's function: its inputs, types and defaults, as the Cog server needs to see them."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.plain = inspect.unwrap(getattr(function, "__func__", function))
        try:
            self.hints = typing.get_type_hints(self.plain)
        except (NameError, TypeError):
            self.hints = dict(getattr(self.plain, "__annotations__", {}))
        self.signature = inspect.signature(function)

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All arguments: what was given, and the defaults behind `Input()` for the rest."""
        values = {name: take_in(value, self.hints.get(name)) for name, value in given.items()}
        for name, parameter in self.signature.parameters.items():
            if name not in values and isinstance(parameter.default, FieldInfo):
                values[name] = _default(parameter.default)
        return values

    def dress(self, stand_in: Callable[..., Any], *, is_method: bool) -> None:
        """Give a function of ours the model's signature."""
        parameters = [
            parameter.replace(annotation=self.hints.get(name, parameter.annotation))
            for name, parameter in self.signature.parameters.items()
        ]
        if is_method:
            parameters.insert(0, inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD))
        output = self.hints.get("return", self.signature.return_annotation)
        stand_in.__signature__ = inspect.Signature(parameters, return_annotation=output)  # type: ignore[attr-defined]
        stand_in.__annotations__ = {**self.hints, "return": output}


def _default(info: FieldInfo) -> Any:  # noqa: ANN401
    default = info.default
    if isinstance(default, dataclasses.Field):
        if default.default_factory is not dataclasses.MISSING:
            return default.default_factory()
        return None if default.default is dataclasses.MISSING else default.default
    return default


def _flush() -> None:
    """Text without a line end must not wait for the next caller's prediction."""
    sys.stdout.flush()
    sys.stderr.flush()


def _begin(*, is_async: bool) -> Printed:
    """A prediction begins. The driver is told, since the Cog server loses a cancel that comes before this."""
    cog.current_scope().record_metric(WHOLE, {"begun": True})
    return PRINTER.begin(is_async=is_async)


def _end(printed: Printed) -> None:
    PRINTER.end(printed)
    _flush()


def _run(call: Call, given: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Call a sync function: its output, or a generator of it."""
    printed = _begin(is_async=False)
    try:
        output = call.function(**call.arguments(given))
        if isinstance(output, Iterator) and not isinstance(output, io.IOBase):
            return _stream(output, printed)
        output = {WHOLE: give_out(output)}
    except BaseException as error:
        print_traceback(error)
        _end(printed)
        raise
    _end(printed)
    return output


def _stream(items: Iterator[Any], printed: Printed) -> Iterator[Any]:
    try:
        for item in items:
            yield give_out(item)
    except GeneratorExit:
        close = getattr(items, "close", None)
        if close is not None:
            close()
        raise
    except BaseException as error:
        print_traceback(error)
        raise
    finally:
        _end(printed)


async def _run_async(call: Call, given: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Call an async function; the items of an async generator go out at once, as metrics (the server would wait)."""
    printed = _begin(is_async=True)
    try:
        output = call.function(**call.arguments(given))
        if isinstance(output, AsyncIterator):
            scope = cog.current_scope()
            async for item in output:
                scope.record_metric(WHOLE, {"item": _plain(give_out(item))})
            return None
        return {WHOLE: give_out(await output)}
    except BaseException as error:
        print_traceback(error)
        raise
    finally:
        _end(printed)


def _plain(value: Any) -> Any:  # noqa: ANN401
    """A chunk as JSON knows it, since metrics take nothing else."""
    if isinstance(value, str | int | float | bool | None.__class__):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    for conversion in ("tolist", "isoformat"):
        if hasattr(value, conversion):
            return _plain(getattr(value, conversion)())
    return _plain(value.value) if hasattr(value, "value") else str(value)


# --- what the Cog server loads --------------------------------------------------------------------------------------


def _load(reference: str) -> Any:  # noqa: ANN401
    """The model's predictor: an instance of its class, or its function."""
    if os.getcwd() not in sys.path:  # noqa: PTH109 - sys.path holds strings
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    with _SetupOutput():
        return load_predictor_from_ref(reference)


def _method(model: Any) -> Callable[..., Any]:  # noqa: ANN401
    """Its run or predict method, or the function itself."""
    if inspect.isfunction(model):
        return model
    from cog.predictor import _user_method_owner

    name = "run" if _user_method_owner(type(model), "run") is not None else "predict"
    method: Callable[..., Any] = getattr(model, name)
    return method


def _setup_arguments(model: Any) -> dict[str, Any]:  # noqa: ANN401
    weights = os.environ.get("COG_WEIGHTS")
    parameter = inspect.signature(model.setup).parameters.get("weights")
    if parameter is None or (not weights and parameter.default is not inspect.Parameter.empty):
        return {}
    return {"weights": weights or None}


def _is_async(function: Callable[..., Any]) -> bool:
    plain = inspect.unwrap(getattr(function, "__func__", function))
    return inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain)


def _make_predictor(model: Any, *, is_async: bool) -> type:  # noqa: ANN401
    """A class that the Cog server takes for the model's own, with a setup and a run of the same kinds as its own."""
    call = Call(_method(model))
    has_setup = not inspect.isfunction(model) and hasattr(model, "setup")
    setup_is_async = has_setup and _is_async(model.setup)
    run_is_async = _is_async(call.function) or (is_async and not setup_is_async)

    def setup(_self: object) -> None:
        with _SetupOutput():
            if has_setup:
                model.setup(**_setup_arguments(model))

    async def setup_async(_self: object) -> None:
        with _SetupOutput():
            await model.setup(**_setup_arguments(model))

    def run(_self: object, **given: Any) -> Any:  # noqa: ANN401
        return _run(call, given)

    async def run_async(_self: object, **given: Any) -> Any:  # noqa: ANN401
        return await _run_async(call, given)

    chosen: Callable[..., Any] = run_async if run_is_async else run
    chosen.__name__ = "run"
    call.dress(chosen, is_method=True)
    chosen_setup: Callable[..., Any] = setup_async if setup_is_async else setup
    chosen_setup.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    )
    members: dict[str, Any] = {"setup": chosen_setup, "run": chosen}
    if not inspect.isfunction(model) and hasattr(model, "healthcheck"):
        members["healthcheck"] = lambda _self: model.healthcheck()
    return type("Predictor", (cog.BaseRunner,), members)


def _make_train(function: Callable[..., Any]) -> Callable[..., Any]:
    call = Call(function)

    @functools.wraps(function)
    def train(**given: Any) -> Any:  # noqa: ANN401
        return _run(call, given)

    call.dress(train, is_method=False)
    return train


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """`Predictor`, `AsyncPredictor`, `train`: made when the Cog server asks, so that only that one is loaded."""
    if name in ("Predictor", "AsyncPredictor"):
        return _make_predictor(_load(os.environ["COGYARD_PREDICT"]), is_async=name == "AsyncPredictor")
    if name == "train":
        return _make_train(_load(os.environ["COGYARD_TRAIN"]))
    raise AttributeError(name)


_watch_server()
PRINTER = Printer()
sys.stdout, sys.stderr = PrintedStream(PRINTER, sys.stdout), PrintedStream(PRINTER, sys.stderr)
