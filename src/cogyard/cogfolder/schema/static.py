"""Reads a predictor's source and describes it, without running anything."""

import ast
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from cogyard.cogfolder.schema.annotations import input_type, output_type
from cogyard.cogfolder.schema.contradictions import contradiction
from cogyard.cogfolder.schema.document import build_document
from cogyard.cogfolder.schema.errors import NeedsImport, SchemaError
from cogyard.cogfolder.schema.facts import LIMITS, FunctionFacts, InputFacts
from cogyard.cogfolder.schema.source import Definition, Module, constant, load_module
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
    is_streaming, output = _has_decorator(target, "streaming"), output_type(module, function.returns)
    if is_streaming and "x-cog-array-type" not in output:
        raise module.error(
            function,
            f"@streaming needs an iterator as {function.name}()'s return type, as in ConcatenateIterator[str].",
        )
    return FunctionFacts(
        inputs=[_input(module, argument, default) for argument, default in pairs],
        output=output,
        is_streaming=is_streaming,
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
        facts = InputFacts(
            name=argument.arg,
            schema=kind.schema,
            is_nullable=kind.is_nullable,
            has_default=default is not None,
            default=value,
            choices=kind.choices,
        )
    else:
        given = _input_arguments(argument.arg, call)
        choices = given.pop("choices", None)
        limits = {LIMITS[name]: _number(value) for name, value in given.items() if name in LIMITS and value is not None}
        facts = InputFacts(
            name=argument.arg,
            schema=kind.schema,
            is_nullable=kind.is_nullable,
            has_default="default" in given,
            default=given.get("default"),
            description=_text(given.get("description")),
            choices=choices if isinstance(choices, list) else kind.choices,
            limits=limits,
            is_deprecated=given.get("deprecated") is True,
        )
    problem = contradiction(facts)
    if problem is not None:
        raise module.error(argument, f"the input `{argument.arg}`: {problem}")
    return facts


@dataclass(frozen=True, slots=True)
class _InputCall:
    """An `Input(…)`, where it stands, and what the names in it stand for."""

    module: Module
    call: ast.Call
    names: dict[str, Json] = field(default_factory=dict)


def _input_call(module: Module, default: ast.expr | None) -> _InputCall | None:
    """The `Input(…)` behind a default: itself, or behind a name, an attribute, or a function that returns it."""
    if isinstance(default, ast.Call):
        if module.qualified(default.func) in ("cog.Input", "cog.input.Input"):
            return _InputCall(module, default)
        found = _stands_for(module, default.func)
        if isinstance(found, tuple) and isinstance(found[1], ast.FunctionDef):
            return _returned_input(module, default, found[0], found[1])
        return None
    found = _stands_for(module, default)
    return _input_call(found[0], found[1]) if isinstance(found, tuple) and isinstance(found[1], ast.Call) else None


def _stands_for(module: Module, node: ast.expr | None) -> "tuple[Module, Definition | ast.expr] | None":
    found = None
    if isinstance(node, ast.Name):
        found = module.resolve(node.id)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        found = module.member(node.value.id, node.attr)
    return found if isinstance(found, tuple) else None


def _returned_input(module: Module, call: ast.Call, owner: Module, function: ast.FunctionDef) -> _InputCall | None:
    """The `Input(…)` that a function of this folder returns when it is called so; None where it does more than that."""
    parameters = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    if parameters[:1] in (["self"], ["cls"]):
        parameters = parameters[1:]
    body = [statement for statement in function.body if not _is_docstring(statement)]
    if len(body) != 1 or not isinstance(body[0], ast.Return) or len(call.args) > len(parameters):
        return None
    inside = _input_call(owner, body[0].value)
    if inside is None:
        return None
    names: dict[str, Json] = {}
    defaults = function.args.defaults
    for name, value in zip(parameters[len(parameters) - len(defaults) :], defaults, strict=False):
        names[name] = constant(owner, value)
    for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        if default is not None:
            names[argument.arg] = constant(owner, default)
    for name, value in zip(parameters, call.args, strict=False):
        names[name] = constant(module, value)
    for keyword in call.keywords:
        if keyword.arg is not None:
            names[keyword.arg] = constant(module, keyword.value)
    return replace(inside, names=names)


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _input_arguments(name: str, found: _InputCall) -> JsonObject:
    module, call = found.module, found.call
    given: JsonObject = {}
    for position, value in enumerate(call.args[:2]):
        given[("default", "description")[position]] = constant(module, value, found.names)
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg == "default_factory":
            raise NeedsImport(module.file, call.lineno, f"the arguments of Input() of `{name}` are computed")
        if isinstance(keyword.value, ast.Constant) and keyword.value.value is Ellipsis:
            continue
        given[keyword.arg] = constant(module, keyword.value, found.names)
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
