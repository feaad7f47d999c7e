"""Type annotations, read from source, as JSON Schema: one set of rules for inputs, one for outputs, as Cog has them."""

import ast
from dataclasses import dataclass

from cogyard.cogfolder.schema.document import title_case
from cogyard.cogfolder.schema.errors import NeedsImport
from cogyard.cogfolder.schema.facts import PRIMITIVES
from cogyard.cogfolder.schema.source import Module, constant, enum_members
from cogyard.domain.values import Json, JsonObject

_LISTS = ("list", "typing.List", "List", "typing.Sequence", "collections.abc.Sequence")
_DICTS = ("dict", "typing.Dict", "Dict", "typing.Mapping", "collections.abc.Mapping")
_ITERATORS = ("Iterator", "AsyncIterator", "Generator", "AsyncGenerator", "Iterable", "AsyncIterable")
_KNOWN = {
    "pathlib.Path": "Path",
    "typing.Any": "Any",
    "io.IOBase": "File",
    "typing.Text": "str",
    **{name: name for name in ("bool", "float", "int", "str")},
    **{f"cog.{name}": name for name in ("Path", "File", "Secret")},
    **{f"cog.types.{name}": name for name in ("Path", "File", "Secret")},
}


@dataclass(frozen=True, slots=True)
class InputType:
    """The schema of an input's type; choices where the type itself is a closed set."""

    schema: JsonObject
    is_nullable: bool = False
    choices: list[Json] | None = None


def input_type(module: Module, node: ast.expr) -> InputType:
    """The type of an input. Raises `SchemaError` for one that Cog does not know."""
    node = _unquoted(module, node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union(module, node, _members(node))
    if isinstance(node, ast.Subscript):
        return _generic_input(module, node)
    name = module.qualified(node)
    if name in _DICTS:
        return InputType(PRIMITIVES["Any"])
    if name in _LISTS:
        return InputType({"type": "array", "items": PRIMITIVES["Any"]})
    if name in _KNOWN:
        return InputType(PRIMITIVES[_KNOWN[name]])
    return _named_input(module, node)


def _generic_input(module: Module, node: ast.Subscript) -> InputType:
    name, arguments = module.qualified(node.value), _arguments(node)
    short = name.rpartition(".")[2]
    if short == "Optional" and len(arguments) == 1:
        return _union(module, node, [*_alternatives(module, arguments[0]), ast.Constant(None)])
    if short == "Union":
        return _union(module, node, arguments)
    if short == "Annotated" and arguments:
        if _is_opaque(module, arguments):
            schema, is_nullable = _opaque(module, arguments[0])
            return InputType(schema, is_nullable=is_nullable)
        return input_type(module, arguments[0])
    if short == "Literal":
        values = [constant(module, argument) for argument in arguments]
        return InputType(_type_of_values(values), choices=values)
    if name in _LISTS and len(arguments) == 1:
        items = input_type(module, arguments[0])
        if items.is_nullable:
            raise module.error(node, "lists of optional items are not supported as inputs.")
        return InputType({"type": "array", "items": items.schema})
    if name in _DICTS:
        return InputType(PRIMITIVES["Any"])
    raise module.error(node, f"`{ast.unparse(node)}` is not a type that an input can have.")


def _union(module: Module, node: ast.expr, members: list[ast.expr]) -> InputType:
    kept = [member for member in members if not (isinstance(member, ast.Constant) and member.value is None)]
    is_nullable = len(kept) < len(members)
    variants = [input_type(module, member) for member in kept]
    if len(variants) == 1:
        return InputType(variants[0].schema, is_nullable=is_nullable, choices=variants[0].choices)
    if any(variant.choices is not None or "anyOf" in variant.schema for variant in variants):
        raise module.error(node, f"`{ast.unparse(node)}`: unions of unions or choices are not supported as inputs.")
    if any(
        "format" in part
        for variant in variants
        for part in (variant.schema, variant.schema.get("items"))
        if isinstance(part, dict)
    ):
        raise module.error(node, f"`{ast.unparse(node)}`: Path, File and Secret are not supported in unions of inputs.")
    schemas: list[Json] = [
        {**variant.schema, "nullable": True} if is_nullable else dict(variant.schema) for variant in variants
    ]
    return InputType({"anyOf": schemas}, is_nullable=is_nullable)


def _alternatives(module: Module, node: ast.expr) -> list[ast.expr]:
    """The types that a union is of; the type itself where it is none."""
    node = _unquoted(module, node)
    if isinstance(node, ast.Subscript) and module.qualified(node.value).rpartition(".")[2] == "Union":
        return _arguments(node)
    return _members(node)


def _named_input(module: Module, node: ast.expr) -> InputType:
    found = module.resolve(node.id) if isinstance(node, ast.Name) else None
    if isinstance(found, tuple):
        owner, definition = found
        if isinstance(definition, ast.ClassDef):
            members = enum_members(owner, definition)
            if members:
                values = [value for _, value in members]
                return InputType(_type_of_values(values), choices=values)
            if _is_structure(owner, definition):
                return InputType(PRIMITIVES["Any"])
        elif isinstance(definition, ast.expr):
            return input_type(owner, definition)
    raise _unknown(module, node, "input")


def _type_of_values(values: list[Json]) -> JsonObject:
    kinds = {type(value) for value in values}
    if kinds <= {bool}:
        return PRIMITIVES["bool"]
    if kinds <= {int}:
        return PRIMITIVES["int"]
    return PRIMITIVES["float"] if kinds <= {int, float} else PRIMITIVES["str"]


def output_type(module: Module, node: ast.expr, seen: tuple[str, ...] = ()) -> JsonObject:
    """The schema of an output type. Raises `SchemaError` for one that Cog does not allow."""
    node = _unquoted(module, node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        raise _output_union(module, node, _members(node))
    if isinstance(node, ast.Constant) and node.value is None:
        raise module.error(node, "a model must return something; `None` is not an output type.")
    if isinstance(node, ast.Subscript):
        return _generic_output(module, node, seen)
    name = module.qualified(node)
    if name in _DICTS:
        return {"type": "object"}
    if name in _LISTS:
        return {"type": "array", "items": {"type": "object"}}
    if name in _KNOWN:
        return dict(PRIMITIVES[_KNOWN[name]])
    found = module.resolve(node.id) if isinstance(node, ast.Name) else None
    if isinstance(found, tuple):
        owner, definition = found
        if isinstance(definition, ast.ClassDef) and _is_structure(owner, definition):
            if definition.name in seen:
                return {"type": "object"}
            return _structure(owner, definition, (*seen, definition.name))
        if isinstance(definition, ast.expr):
            return output_type(owner, definition, seen)
    raise _unknown(module, node, "output")


def _generic_output(module: Module, node: ast.Subscript, seen: tuple[str, ...]) -> JsonObject:
    name, arguments = module.qualified(node.value), _arguments(node)
    short = name.rpartition(".")[2]
    if short == "Optional":
        raise _output_union(module, node, [*arguments, ast.Constant(None)])
    if short == "Union":
        raise _output_union(module, node, arguments)
    if short == "Annotated" and arguments:
        if _is_opaque(module, arguments):
            schema, is_nullable = _opaque(module, arguments[0])
            if is_nullable:
                raise _output_union(module, node, [ast.Constant(None)])
            return schema
        return output_type(module, arguments[0], seen)
    if short == "Literal":
        return dict(_type_of_values([constant(module, argument) for argument in arguments]))
    if name in _LISTS and len(arguments) == 1:
        return {"type": "array", "items": output_type(module, arguments[0], seen)}
    if name in _DICTS and len(arguments) == 2:
        return {"type": "object", "additionalProperties": output_type(module, arguments[1], seen)}
    if short in _ITERATORS and arguments:
        return {"type": "array", "items": output_type(module, arguments[0], seen), "x-cog-array-type": "iterator"}
    if short in ("ConcatenateIterator", "AsyncConcatenateIterator") and len(arguments) == 1:
        if module.qualified(_unquoted(module, arguments[0])) != "str":
            raise module.error(node, f"{short} joins text, so its items must be str.")
        return {
            "type": "array",
            "items": {"type": "string"},
            "x-cog-array-type": "iterator",
            "x-cog-array-display": "concatenate",
        }
    raise module.error(node, f"`{ast.unparse(node)}` is not a type that an output can have.")


def _output_union(module: Module, node: ast.expr, members: list[ast.expr]) -> Exception:
    if any(isinstance(member, ast.Constant) and member.value is None for member in members):
        return module.error(node, "an output cannot be optional; return an empty value or raise instead of None.")
    return module.error(node, "an output cannot be a union; return one type, or an object with optional fields.")


def _is_opaque(module: Module, arguments: list[ast.expr]) -> bool:
    """Whether what `Annotated` holds is marked as JSON that is not looked into."""
    return any(module.qualified(argument) == "cog.Opaque" for argument in arguments[1:])


def _opaque(module: Module, node: ast.expr) -> tuple[JsonObject, bool]:
    """Schema and nullability of a type of which no more is known than whether it is a list."""
    node = _unquoted(module, node)
    members = _members(node)
    outer = module.qualified(node.value) if isinstance(node, ast.Subscript) else ""
    if isinstance(node, ast.Subscript) and outer.rpartition(".")[2] in ("Optional", "Union"):
        members = [*_arguments(node), *([ast.Constant(None)] if outer.endswith("Optional") else [])]
    kept = [member for member in members if not (isinstance(member, ast.Constant) and member.value is None)]
    if len(kept) == 1:
        held = _unquoted(module, kept[0])
        if module.qualified(held.value if isinstance(held, ast.Subscript) else held) in _LISTS:
            return {"type": "array", "items": PRIMITIVES["Any"]}, len(kept) < len(members)
    return dict(PRIMITIVES["Any"]), len(kept) < len(members)


def _is_structure(module: Module, node: ast.ClassDef, kinds: tuple[str, ...] = ("BaseModel", "TypedDict")) -> bool:
    """Whether a class is a BaseModel, a TypedDict or a dataclass, itself or through a base of this folder."""
    decorators = [decorator.func if isinstance(decorator, ast.Call) else decorator for decorator in node.decorator_list]
    if "BaseModel" in kinds and any(module.qualified(decorator).endswith("dataclass") for decorator in decorators):
        return True
    for base in node.bases:
        if module.qualified(base).rpartition(".")[2] in kinds:
            return True
        found = module.resolve(base.id) if isinstance(base, ast.Name) else None
        if isinstance(found, tuple) and isinstance(found[1], ast.ClassDef) and _is_structure(found[0], found[1], kinds):
            return True
    return False


def _structure(module: Module, node: ast.ClassDef, seen: tuple[str, ...]) -> JsonObject:
    """An object's schema, the fields of its bases first."""
    properties: JsonObject = {}
    required: list[Json] = []
    for base in node.bases:
        found = module.resolve(base.id) if isinstance(base, ast.Name) else None
        if isinstance(found, tuple) and isinstance(found[1], ast.ClassDef):
            inherited = _structure(found[0], found[1], seen)
            held, names = inherited.get("properties"), inherited.get("required")
            properties |= held if isinstance(held, dict) else {}
            required += names if isinstance(names, list) else []
    is_total = not any(
        keyword.arg == "total" and isinstance(keyword.value, ast.Constant) and not keyword.value.value
        for keyword in node.keywords
    )
    is_dictionary = _is_structure(module, node, ("TypedDict",))
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
            schema, is_nullable, qualifier = _field(module, statement.annotation, seen)
            properties[name] = {**schema, "title": title_case(name)}
            has_default = statement.value is not None and not _is_field_call(module, statement.value)
            is_required = is_total if is_dictionary else not is_nullable and not has_default
            if is_required if qualifier is None else qualifier == "Required":
                required.append(name)
    shown: JsonObject = {"type": "object", "properties": properties}
    return {**shown, "required": required} if required else shown


def _is_field_call(module: Module, node: ast.expr) -> bool:
    """Whether this is `Field(…)` or the like, which to Cog's builder is no default."""
    return isinstance(node, ast.Call) and module.qualified(node.func).rpartition(".")[2] in ("Field", "field")


def _field(module: Module, node: ast.expr, seen: tuple[str, ...]) -> tuple[JsonObject, bool, str | None]:
    """A field's schema, whether it may be null (an output may not), and `Required` or `NotRequired`."""
    node = _unquoted(module, node)
    members = _members(node)
    if isinstance(node, ast.Subscript):
        short, arguments = module.qualified(node.value).rpartition(".")[2], _arguments(node)
        if short in ("Required", "NotRequired"):
            schema, is_nullable, _ = _field(module, arguments[0], seen)
            return schema, is_nullable, short
        if short == "Annotated" and _is_opaque(module, arguments):
            schema, is_nullable = _opaque(module, arguments[0])
            return ({**schema, "nullable": True} if is_nullable else schema), is_nullable, None
        if short == "Annotated":
            return _field(module, arguments[0], seen)
        if short in ("Optional", "Union"):
            members = [*arguments, *([ast.Constant(None)] if short == "Optional" else [])]
    kept = [member for member in members if not (isinstance(member, ast.Constant) and member.value is None)]
    if len(members) == 1:
        return output_type(module, node, seen), False, None
    if len(kept) != 1 or len(kept) == len(members):
        raise _output_union(module, node, kept)
    return {**output_type(module, kept[0], seen), "nullable": True}, True, None


def _unquoted(module: Module, node: ast.expr) -> ast.expr:
    """The expression inside a quoted annotation."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return ast.copy_location(ast.parse(node.value, mode="eval").body, node)
        except SyntaxError:
            raise module.error(node, f"the annotation {node.value!r} is not valid Python.") from None
    return node


def _arguments(node: ast.Subscript) -> list[ast.expr]:
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def _members(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [*_members(node.left), *_members(node.right)]
    return [node]


def _unknown(module: Module, node: ast.expr, use: str) -> Exception:
    """A name from a library may be anything: importing tells. One of this file that is no type is an error."""
    name = ast.unparse(node)
    root = name.partition(".")[0]
    if root in module.imports and not module.qualified(node).startswith("cog."):
        return NeedsImport(module.file, node.lineno, f"the type `{name}` comes from another package")
    return module.error(node, f"`{name}` is not a type that an {use} can have.")
