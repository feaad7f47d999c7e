"""Stands between the Cog server and the model, inside the model's own environment.

The Cog server loads `Predictor`, `AsyncPredictor` or `train` from this file; they hand on to the model's own code and
mend what the server does not do: tracebacks in the logs, logs that end with their prediction, returned files kept in
order and checked, async generators that stream, and no process that outlives the Cogyard server.

Standard library and `cog` only, Python 3.10 and later. Told by the environment: COGYARD_PREDICT and COGYARD_TRAIN
(`file.py:Name`), COGYARD_SPOOL (a folder), COGYARD_NONCE, COGYARD_SERVER_PID.
"""

import asyncio
import dataclasses
import inspect
import io
import itertools
import os
import sys
import time
import traceback
import typing
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cog
import cog.types
from cog.input import FieldInfo
from cog.predictor import load_predictor_from_ref

if TYPE_CHECKING:
    from cogyard.runtime.wrapper.cogyard_files import NONCE, SPOOL, UnusableOutput, give_out, take_in, unique_name
    from cogyard.runtime.wrapper.cogyard_streams import PrintedStream, Printer
    from cogyard.runtime.wrapper.cogyard_watchdog import watch_server
    from cogyard.runtime.wrapper.cogyard_weights import serve, wants_url
else:  # this folder is on the path for that moment only: its names are none of the model's business
    sys.path.insert(0, str(Path(__file__).parent))
    from cogyard_files import NONCE, SPOOL, UnusableOutput, give_out, take_in, unique_name
    from cogyard_streams import PrintedStream, Printer
    from cogyard_watchdog import watch_server
    from cogyard_weights import serve, wants_url

    sys.path.pop(0)

_BEGUN = time.monotonic()
WHOLE = f"cogyard_{NONCE}"
"""Key that a whole output is wrapped in: the server takes lists apart and does not tell null from an empty one. Also
the name of the metric that carries the items of an async generator."""
SETUP_LOG = SPOOL / "setup.log"
SETUP_ERROR = SPOOL / "setup.error"
BOOT = SPOOL / "boot"
"""Two times of the clock that all processes share: when this file was first run, and when the model was loaded."""

UNHURRIED_ITEMS = 10_000
"""Items of a generator that go out as they come; the Cog server keeps a few thousand for a slow listener, no more."""

HURRIED_ITEMS, HURRIED_SECONDS = 250, 0.05
"""Of the rest, so many in so many seconds."""


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
    if isinstance(error, asyncio.CancelledError | cog.CancelationException | GeneratorExit | UnusableOutput):
        return
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename in _OURS:
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames, file=ERR)


_OURS = frozenset({__file__, load_predictor_from_ref.__code__.co_filename, "<frozen importlib._bootstrap_external>",
                   "<frozen importlib._bootstrap>"})  # fmt: skip


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
    for stream in (sys.stdout, sys.stderr, OUT, ERR):
        with suppress(AttributeError, OSError, ValueError):  # the model may have put anything in our streams' place
            stream.flush()


@contextmanager
def _running(*, is_async: bool) -> Iterator[None]:
    """Around a prediction. The driver is told of its begin, since the Cog server loses a cancel that comes before.

    While an async one runs, a file is there: the server calls it ended once it is cancelled, whether it obeys or not.
    """
    sign = SPOOL / f"running-{unique_name()}" if is_async else None
    if sign is not None:
        sign.touch()
    cog.current_scope().record_metric(WHOLE, {"begun": sign and sign.name})
    printed = PRINTER.begin(is_async=is_async)
    try:
        yield
    except BaseException as error:
        print_traceback(error)
        raise
    finally:
        PRINTER.end(printed)
        _flush()
        if sign is not None:
            sign.unlink()


def _run(call: Call, given: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Call a sync function: its output, or a generator of it."""
    with ExitStack() as stack:
        stack.enter_context(_running(is_async=False))
        output = call.function(**call.arguments(given))
        if isinstance(output, Iterator) and not isinstance(output, io.IOBase):
            return _stream(output, stack.pop_all())
        return {WHOLE: give_out(output)}


def _pace() -> Iterator[float]:
    """For each item of a generator, the seconds to wait after it: a flood would drown its listener."""
    yield from itertools.repeat(0.0, UNHURRIED_ITEMS)
    while True:
        begin = time.monotonic()
        yield from itertools.repeat(0.0, HURRIED_ITEMS - 1)
        yield begin + HURRIED_SECONDS - time.monotonic()


def _stream(items: Iterator[Any], running: ExitStack) -> Iterator[Any]:
    with running:
        try:
            pace = _pace()
            for item in items:
                yield give_out(item)
                pause = next(pace)
                if pause > 0:
                    time.sleep(pause)
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()


async def _run_async(call: Call, given: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Call an async function; the items of an async generator go out at once, as metrics (the server would wait)."""
    with _running(is_async=True):
        output = call.function(**call.arguments(given))
        if not isinstance(output, AsyncIterator):
            return {WHOLE: give_out(await output)}
        scope = cog.current_scope()
        try:
            pace = _pace()
            async for item in output:
                scope.record_metric(WHOLE, {"item": _plain(give_out(item))})
                pause = next(pace)
                if pause > 0:
                    await asyncio.sleep(pause)
        finally:
            close = getattr(output, "aclose", None)
            if close is not None:
                await close()
        return None


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
        if not hasattr(cog.types, "Weights"):  # a type of setup's argument that Cog dropped; models still import it
            cog.types.Weights = cog.File | cog.Path | str
        model = load_predictor_from_ref(reference)
    BOOT.write_text(f"{_BEGUN} {time.monotonic()}", encoding="ascii")
    return model


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


def _with_url(given: dict[str, Any], error: ValueError) -> dict[str, Any]:
    """Weights for a second try, where the first took their path for a URL; else raises the error again."""
    if not given.get("weights") or not wants_url(error):
        raise error
    return {"weights": serve(given["weights"])}


def _is_async(function: Callable[..., Any]) -> bool:
    plain = inspect.unwrap(getattr(function, "__func__", function))
    return inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain)


def _healthcheck(function: Callable[[], Any]) -> Callable[[object], Any]:
    def healthcheck(_self: object) -> Any:  # noqa: ANN401
        return function()

    async def healthcheck_async(_self: object) -> Any:  # noqa: ANN401
        return await function()

    return healthcheck_async if _is_async(function) else healthcheck


def _make_predictor(model: Any, *, is_async: bool) -> type:  # noqa: ANN401
    """A class that the Cog server takes for the model's own, with a setup and a run of the same kinds as its own."""
    call = Call(_method(model))
    has_setup = not inspect.isfunction(model) and hasattr(model, "setup")
    setup_is_async = has_setup and _is_async(model.setup)
    run_is_async = _is_async(call.function) or (is_async and not setup_is_async)

    def setup(_self: object) -> None:
        with _SetupOutput():
            if has_setup:
                given = _setup_arguments(model)
                try:
                    model.setup(**given)
                except ValueError as error:
                    model.setup(**_with_url(given, error))

    async def setup_async(_self: object) -> None:
        with _SetupOutput():
            given = _setup_arguments(model)
            try:
                await model.setup(**given)
            except ValueError as error:
                await model.setup(**_with_url(given, error))

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
        members["healthcheck"] = _healthcheck(model.healthcheck)
    return type("Predictor", (cog.BaseRunner,), members)


def _make_train(model: Any) -> Callable[..., Any]:  # noqa: ANN401
    """A function that the Cog server takes for the model's own; a class that trains has been set up by then."""
    if not inspect.isfunction(model) and hasattr(model, "setup"):
        with _SetupOutput():
            done = model.setup(**_setup_arguments(model))
            if inspect.iscoroutine(done):
                asyncio.run(done)
    call = Call(model if inspect.isfunction(model) else model.train)

    def train(**given: Any) -> Any:  # noqa: ANN401
        return _run(call, given)

    async def train_async(**given: Any) -> Any:  # noqa: ANN401
        return await _run_async(call, given)

    chosen: Callable[..., Any] = train_async if _is_async(call.function) else train
    chosen.__name__ = "train"
    call.dress(chosen, is_method=False)
    return chosen


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """`Predictor`, `AsyncPredictor`, `train`: made when the Cog server asks, so that only that one is loaded."""
    if name in ("Predictor", "AsyncPredictor"):
        return _make_predictor(_load(os.environ["COGYARD_PREDICT"]), is_async=name == "AsyncPredictor")
    if name == "train":
        return _make_train(_load(os.environ["COGYARD_TRAIN"]))
    raise AttributeError(name)


watch_server()
PRINTER = Printer()
OUT, ERR = PrintedStream(PRINTER, sys.stdout), PrintedStream(PRINTER, sys.stderr)
sys.stdout, sys.stderr = OUT, ERR
