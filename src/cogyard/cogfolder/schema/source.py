"""Python source as syntax trees: modules of the folder, what their names stand for, and constant expressions."""

import ast
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cogyard.cogfolder.schema.errors import NeedsImport, SchemaError
from cogyard.domain.values import Json

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

_COG = "AsyncConcatenateIterator BaseModel BasePredictor BaseRunner ConcatenateIterator File Input Opaque Path Secret"
_STARRED = {"cog": frozenset(_COG.split()), "typing": frozenset(typing.__all__)}
"""What `from … import *` brings of the modules that a description is made of."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A name that an import brings: `module`, and the name in it (None for the module itself)."""

    module: str
    name: str | None


@dataclass(slots=True)
class Module:
    """A file of the folder."""

    file: str
    folder: Path
    imports: dict[str, Imported] = field(default_factory=dict)
    constants: dict[str, ast.expr] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    cache: dict[str, "Module | None"] = field(default_factory=dict)

    def error(self, node: ast.AST, problem: str) -> SchemaError:
        """An error at a node."""
        return SchemaError(self.file, getattr(node, "lineno", None), problem)

    def local(self, module: str) -> "Module | None":
        """Another module of the same folder, or None when it is not of this folder."""
        if module not in self.cache:
            stem = self.folder.joinpath(*module.lstrip(".").split("."))
            path = next((path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()), None)
            file = None if path is None else str(path.relative_to(self.folder))
            self.cache[module] = None if file is None else load_module(self.folder, file, self.cache)
        return self.cache[module]

    def resolve(self, name: str) -> "tuple[Module, Definition | ast.expr] | Imported | None":
        """What a name stands for: something of this folder, something imported from elsewhere, or nothing known."""
        if name in self.definitions:
            return self, self.definitions[name]
        if name in self.constants:
            return self, self.constants[name]
        imported = self.imports.get(name)
        if imported is None:
            others = (self.local(star) for star in self.stars)
            return next((found for other in others if other is not None and (found := other.resolve(name))), None)
        if imported.name is None:
            return imported
        other = self.local(imported.module)
        return imported if other is None else other.resolve(imported.name) or imported

    def member(self, name: str, attribute: str) -> "tuple[Module, Definition | ast.expr] | Imported | None":
        """What `name.attribute` stands for, where `name` is a module or a class of this folder."""
        imported = self.imports.get(name)
        if imported is not None:
            dotted = imported.module if imported.name is None else f"{imported.module}.{imported.name}"
            other = self.local(dotted)
            if other is not None:
                return other.resolve(attribute)
        owner = self.resolve(name)
        if not isinstance(owner, tuple) or not isinstance(owner[1], ast.ClassDef):
            return None
        for statement in reversed(owner[1].body):
            match statement:
                case ast.FunctionDef(name=held) if held == attribute:
                    return owner[0], statement
                case ast.Assign(targets=[ast.Name(id=held)], value=value) if held == attribute:
                    return owner[0], value
                case ast.AnnAssign(target=ast.Name(id=held), value=ast.expr() as value) if held == attribute:
                    return owner[0], value
        return None

    def qualified(self, node: ast.expr) -> str:
        """The dotted name of a node as its library knows it: `Input` imported from cog is `cog.Input`."""
        if isinstance(node, ast.Name):
            found = self.imports.get(node.id)
            if found is None:
                star = next((star for star in self.stars if node.id in _STARRED.get(star, ())), None)
                return node.id if star is None else f"{star}.{node.id}"
            return found.module if found.name is None else f"{found.module}.{found.name}"
        if isinstance(node, ast.Attribute):
            return f"{self.qualified(node.value)}.{node.attr}"
        return ""


def load_module(folder: Path, file: str, cache: dict[str, Module | None] | None = None) -> Module:
    """Parse a file. Raises `SchemaError` when it is missing or not Python."""
    path = folder / file
    try:
        tree = ast.parse(path.read_bytes(), filename=file)
    except (FileNotFoundError, IsADirectoryError):
        raise SchemaError(file, None, "cog.yaml names this file, and it is not in the folder.") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two: nested too deep
        line = error.lineno if isinstance(error, SyntaxError) else None
        raise SchemaError(file, line, f"this is not valid Python: {getattr(error, 'msg', error)}.") from None
    module = Module(file, folder, cache=cache if cache is not None else {})
    _collect(module, tree.body)
    return module


def _collect(module: Module, body: list[ast.stmt]) -> None:
    for node in body:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    name = alias.asname or alias.name.partition(".")[0]
                    module.imports[name] = Imported(alias.name if alias.asname else name, None)
            case ast.ImportFrom(names=names):
                for alias in names:
                    if alias.name == "*":
                        module.stars.append(node.module or "")
                    else:
                        module.imports[alias.asname or alias.name] = Imported(node.module or "", alias.name)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                module.constants[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                module.constants[name] = value
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                module.definitions[node.name] = node
            case ast.If(body=inner, orelse=other):
                _collect(module, other)
                _collect(module, inner)
            case ast.Try(body=inner):
                _collect(module, inner)


def constant(module: Module, node: ast.expr, names: dict[str, Json] | None = None) -> Json:
    """The value of a constant expression. Raises `NeedsImport` for any other."""
    evaluated = _evaluate(module, node, names or {}, depth=0)
    return list(evaluated) if isinstance(evaluated, tuple) else evaluated


def _evaluate(module: Module, node: ast.expr, names: dict[str, Json], depth: int) -> Json:
    if depth > 50:
        raise NeedsImport(module.file, node.lineno, "this expression is nested too deep")

    def inner(part: ast.expr) -> Json:
        return _evaluate(module, part, names, depth + 1)

    match node:
        case ast.Constant(value=None | bool() | int() | float() | str() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            number = inner(operand)
            if isinstance(number, int | float):
                return -number
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return [inner(part) for part in parts]
        case ast.Dict(keys=keys, values=values) if all(keys):
            return {str(inner(key)): inner(value) for key, value in zip(keys, values, strict=True) if key is not None}
        case ast.BinOp(left=left, op=op, right=right):
            return _calculate(module, node, inner(left), op, inner(right))
        case ast.JoinedStr(values=parts):
            return "".join(str(inner(part)) for part in parts)
        case ast.FormattedValue(value=formatted, format_spec=None):
            return inner(formatted)
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.Name() | ast.Attribute():
            return _named(module, node, depth)
        case ast.Subscript(value=container, slice=key):
            return _item(module, node, inner(container), inner(key))
        case ast.Call():
            return _call(module, node, inner, depth)
        case ast.ListComp(elt=element, generators=[ast.comprehension(target=ast.Name(id=name), iter=over, ifs=[])]):
            items = _items(module, over, inner, depth)
            if items is not None:
                return [_evaluate(module, element, {**names, name: item}, depth + 1) for item in items]
    raise NeedsImport(module.file, node.lineno, f"the value of `{ast.unparse(node)}` is only known when it runs")


def _calculate(module: Module, node: ast.expr, left: Json, op: ast.operator, right: Json) -> Json:
    if isinstance(left, list) and isinstance(right, list) and isinstance(op, ast.Add):
        return [*left, *right]
    if isinstance(left, str) and isinstance(right, str) and isinstance(op, ast.Add):
        return left + right
    numbers: dict[type[ast.operator], Callable[[float, float], float]] = {
        ast.Add: lambda a, b: a + b,
        ast.Sub: lambda a, b: a - b,
        ast.Mult: lambda a, b: a * b,
        ast.Div: lambda a, b: a / b,
        ast.FloorDiv: lambda a, b: a // b,
    }
    calculate = numbers.get(type(op))
    if isinstance(op, ast.Pow) and isinstance(left, int) and isinstance(right, int) and 0 <= right < 64:
        return int(left**right)
    if calculate is not None and isinstance(left, int | float) and isinstance(right, int | float) and right:
        return calculate(left, right)
    raise NeedsImport(module.file, node.lineno, f"the value of `{ast.unparse(node)}` is only known when it runs")


def _named(module: Module, node: ast.Name | ast.Attribute, depth: int) -> Json:
    """A constant of this folder, a member of an enumeration (its value), or an attribute of a local module."""
    if isinstance(node, ast.Name):
        found = module.resolve(node.id)
        if isinstance(found, tuple) and isinstance(found[1], ast.expr):
            return _evaluate(found[0], found[1], {}, depth + 1)
    if isinstance(node, ast.Attribute):
        member = node.value if node.attr == "value" else node
        if isinstance(member, ast.Attribute) and isinstance(member.value, ast.Name):
            owner = module.resolve(member.value.id)
            if isinstance(owner, tuple) and isinstance(owner[1], ast.ClassDef):
                for name, value in enum_members(owner[0], owner[1]):
                    if name == member.attr:
                        return value
        found = module.member(node.value.id, node.attr) if isinstance(node.value, ast.Name) else None
        if isinstance(found, tuple) and isinstance(found[1], ast.expr):
            return _evaluate(found[0], found[1], {}, depth + 1)
    raise NeedsImport(module.file, node.lineno, f"the value of `{ast.unparse(node)}` is only known when it runs")


def _item(module: Module, node: ast.expr, container: Json, key: Json) -> Json:
    if isinstance(container, dict) and str(key) in container:
        return container[str(key)]
    if isinstance(container, list) and isinstance(key, int) and -len(container) <= key < len(container):
        return container[key]
    raise NeedsImport(module.file, node.lineno, f"the value of `{ast.unparse(node)}` is only known when it runs")


def _call(module: Module, node: ast.Call, inner: Callable[[ast.expr], Json], depth: int) -> Json:
    """`list(X)`, `sorted(X)`, `X.keys()`, `X.values()`, `range(…)` over constants."""
    if isinstance(node.func, ast.Attribute) and not node.args and node.func.attr in ("keys", "values"):
        keys = _keys(module, node.func.value, depth)
        if keys is not None and node.func.attr == "keys":
            return keys
        held = inner(node.func.value)
        if isinstance(held, dict):
            return list(held) if node.func.attr == "keys" else list(held.values())
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in ("list", "tuple", "set", "sorted") and len(node.args) == 1 and not node.keywords:
        items = _items(module, node.args[0], inner, depth)
        if items is not None:
            return sorted(items, key=lambda item: (isinstance(item, str), item)) if name == "sorted" else items
    arguments = [] if node.keywords else [inner(argument) for argument in node.args]
    if name == "range" and 1 <= len(arguments) <= 3:
        whole = [argument for argument in arguments if isinstance(argument, int)]
        if len(whole) == len(arguments) and len(range(*whole)) <= 10_000:
            return list(range(*whole))
    if name in ("str", "int", "float") and len(arguments) == 1 and isinstance(arguments[0], int | float | str):
        converted: str | int | float = {"str": str, "int": int, "float": float}[name](arguments[0])
        return converted
    raise NeedsImport(module.file, node.lineno, f"the value of `{ast.unparse(node)}` is only known when it runs")


def _items(module: Module, node: ast.expr, inner: Callable[[ast.expr], Json], depth: int) -> list[Json] | None:
    """What iterating over a constant gives."""
    keys = _keys(module, node, depth)
    if keys is not None:
        return keys
    held = inner(node)
    return list(held) if isinstance(held, dict | list) else None


def _keys(module: Module, node: ast.expr, depth: int) -> list[Json] | None:
    """The keys of a dictionary that is written out, as they are; its values may be anything."""
    if isinstance(node, ast.Dict) and all(node.keys):
        return [_evaluate(module, key, {}, depth + 1) for key in node.keys if key is not None]
    if depth > 50:
        return None
    found = module.resolve(node.id) if isinstance(node, ast.Name) else None
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        found = module.member(node.value.id, node.attr)
    return _keys(found[0], found[1], depth + 1) if isinstance(found, tuple) and isinstance(found[1], ast.expr) else None


def enum_members(module: Module, node: ast.ClassDef) -> list[tuple[str, Json]]:
    """Names and values of an enumeration's members; none when the class is not one."""
    if not any("Enum" in module.qualified(base) for base in node.bases):
        return []
    return [
        (statement.targets[0].id, constant(module, statement.value))
        for statement in node.body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    ]
