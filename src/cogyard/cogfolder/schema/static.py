"""Reads a predictor's source and describes it, without running anything."""

import ast
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cogyard.cogfolder.schema.annotations import input_type, output_type
from cogyard.cogfolder.schema.document import build_document
from cogyard.cogfolder.schema.errors import NeedsImport, SchemaError
from cogyard.cogfolder.schema.facts import LIMITS, FunctionFacts, InputFacts
from cogyard.cogfolder.schema.source import Module, constant, load_module
from cogyard.domain.values import Json, JsonObject

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class PredictorFacts:
    """How a predict function wants to be run. `max_concurrency` comes from `@cog.concurrent(max=…)`."""

    name: str
    is_class: bool
    is_async: bool
    is_generator: bool
    is_streaming: bool
    max_concurrency: int | None


@dataclass(frozen=True, slots=True)
class _Target:
    """A predict or train function, and the module that it stands in."""

    module: Module
    function: Function
    owner: str | None


def derive_schema(folder: Path, predict: str | None, train: str | None = None) -> JsonObject:
    """The document of the model in `folder`; `predict` and `train` are cog.yaml's references.

    Raises `SchemaError` where the source is at fault, `NeedsImport` where it cannot tell.
    """
    return build_document(
        None if predict is None else _describe(_find(folder, predict, is_train=False)),
        None if train is None else _describe(_find(folder, train, is_train=True)),
    )


def predictor_facts(folder: Path, predict: str) -> PredictorFacts:
    """How the predict function wants to be run. Raises `SchemaError`, `NeedsImport`."""
    target = _find(folder, predict, is_train=False)
    setup = _setup_of(folder, predict)
    is_async = isinstance(target.function, ast.AsyncFunctionDef) or isinstance(setup, ast.AsyncFunctionDef)
    return PredictorFacts(
        name=target.owner or target.function.name,
        is_class=target.owner is not None,
        is_async=is_async,
        is_generator=any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(target.function)),
        is_streaming=_has_decorator(target, "streaming"),
        max_concurrency=_max_concurrency(target),
    )


def _find(folder: Path, reference: str, *, is_train: bool) -> _Target:
    file, _, name = reference.partition(":")
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or not file.endswith(".py"):
        raise SchemaError(
            "cog.yaml", None, f"{reference!r} must name a .py file of this folder, as in predict.py:Name."
        )
    module = load_module(folder, file)
    if not name:
        names = ("train",) if is_train else ("Runner", "Predictor")
        name = next((found for found in names if found in module.definitions), names[-1])
    found = module.resolve(name)
    if isinstance(found, tuple):
        owner, definition = found
        if isinstance(definition, ast.ClassDef):
            method = _method(owner, definition, ("train",) if is_train else ("run", "predict"))
            if method is None:
                wanted = "train()" if is_train else "run() or predict()"
                raise owner.error(definition, f"the class {name} has no method {wanted}.")
            return _Target(method[0], method[1], name)
        if isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef):
            return _Target(owner, definition, None)
    if name in module.imports:
        raise NeedsImport(file, None, f"{name} comes from another package")
    raise SchemaError(file, None, f"there is no class or function {name}, which cog.yaml names.")


def _method(module: Module, node: ast.ClassDef, names: tuple[str, ...]) -> tuple[Module, Function] | None:
    """A method of a class or of its bases in this folder; a base from elsewhere may have it, which importing tells."""
    for name in names:
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == name:
                return module, statement
    foreign = None
    for base in node.bases:
        found = module.resolve(base.id) if isinstance(base, ast.Name) else None
        if isinstance(found, tuple) and isinstance(found[1], ast.ClassDef):
            method = _method(found[0], found[1], names)
            if method is not None:
                return method
        elif not module.qualified(base).startswith("cog."):
            foreign = base
    if foreign is not None and names != ("setup",):
        raise NeedsImport(module.file, node.lineno, f"{node.name} inherits from another package")
    return None


def _setup_of(folder: Path, predict: str) -> Function | None:
    file, _, name = predict.partition(":")
    module = load_module(folder, file)
    found = module.resolve(name or ("Runner" if "Runner" in module.definitions else "Predictor"))
    if isinstance(found, tuple) and isinstance(found[1], ast.ClassDef):
        method = _method(found[0], found[1], ("setup",))
        return None if method is None else method[1]
    return None


def _describe(target: _Target) -> FunctionFacts:
    module, function = target.module, target.function
    arguments = function.args
    if arguments.vararg or arguments.kwarg:
        raise module.error(function, f"{function.name}() must name its inputs; *args and **kwargs cannot be described.")
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = list(zip(positional, [*defaults, *arguments.defaults], strict=True))
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    if target.owner is not None:
        pairs = pairs[1:]
    if function.returns is None:
        raise module.error(function, f"{function.name}() has no return type; write `-> str` or whatever it returns.")
    return FunctionFacts(
        inputs=[_input(module, argument, default) for argument, default in pairs],
        output=output_type(module, function.returns),
        is_streaming=_has_decorator(target, "streaming"),
    )


def _input(module: Module, argument: ast.arg, default: ast.expr | None) -> InputFacts:
    if argument.annotation is None:
        raise module.error(
            argument, f"the input `{argument.arg}` has no type; write `{argument.arg}: str`, for example."
        )
    kind = input_type(module, argument.annotation)
    call = _input_call(module, default)
    if call is None:
        value = None if default is None else constant(module, default)
        return InputFacts(
            name=argument.arg,
            schema=kind.schema,
            is_nullable=kind.is_nullable,
            has_default=default is not None,
            default=value,
            choices=kind.choices,
        )
    given = _input_arguments(module, argument.arg, call)
    choices = given.pop("choices", None)
    return InputFacts(
        name=argument.arg,
        schema=kind.schema,
        is_nullable=kind.is_nullable,
        has_default="default" in given,
        default=given.get("default"),
        description=_text(given.get("description")),
        choices=choices if isinstance(choices, list) else kind.choices,
        limits={LIMITS[name]: _number(value) for name, value in given.items() if name in LIMITS and value is not None},
        is_deprecated=given.get("deprecated") is True,
    )


def _input_call(module: Module, default: ast.expr | None) -> ast.Call | None:
    """The `Input(…)` behind a default, also one that a module-level name or a local function's name stands for."""
    if isinstance(default, ast.Call) and module.qualified(default.func) in ("cog.Input", "cog.input.Input"):
        return default
    if isinstance(default, ast.Name):
        found = module.resolve(default.id)
        if isinstance(found, tuple) and isinstance(found[1], ast.Call):
            return _input_call(found[0], found[1])
    return None


def _input_arguments(module: Module, name: str, call: ast.Call) -> JsonObject:
    given: JsonObject = {}
    for position, value in enumerate(call.args[:2]):
        given[("default", "description")[position]] = constant(module, value)
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg == "default_factory":
            raise NeedsImport(module.file, call.lineno, f"the arguments of Input() of `{name}` are computed")
        if isinstance(keyword.value, ast.Constant) and keyword.value.value is Ellipsis:
            continue
        given[keyword.arg] = constant(module, keyword.value)
    return given


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Json) -> Json:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _has_decorator(target: _Target, name: str) -> bool:
    return _decorator(target, name) is not None


def _decorator(target: _Target, name: str) -> ast.expr | None:
    for decorator in target.function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if target.module.qualified(called) == f"cog.{name}":
            return decorator
    return None


def _max_concurrency(target: _Target) -> int | None:
    decorator = _decorator(target, "concurrent")
    if not isinstance(decorator, ast.Call):
        return None
    values = [keyword.value for keyword in decorator.keywords if keyword.arg == "max"] or decorator.args[:1]
    value = constant(target.module, values[0]) if values else None
    return value if isinstance(value, int) else None
