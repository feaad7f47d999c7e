"""What has to be known of a predict or train function to describe it; the same whether it was read or imported."""

from dataclasses import dataclass, field

from cogyard.domain.values import Json, JsonObject

PRIMITIVES: dict[str, JsonObject] = {
    "bool": {"type": "boolean"},
    "float": {"type": "number"},
    "int": {"type": "integer"},
    "str": {"type": "string"},
    "Path": {"type": "string", "format": "uri"},
    "File": {"type": "string", "format": "uri"},
    "Secret": {"type": "string", "format": "password", "writeOnly": True, "x-cog-secret": True},
    "Any": {"type": "object"},
}
"""Schemas of the types that Cog knows by name."""

LIMITS = {
    "ge": "minimum",
    "le": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "regex": "pattern",
    "accept": "x-cog-accept",
}
"""Arguments of `Input()` and the JSON Schema keywords that they become."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFacts:
    """One input. `default` counts only with `has_default`; a default of None on a type that is not nullable is none."""

    name: str
    schema: JsonObject
    is_nullable: bool = False
    has_default: bool = False
    default: Json = None
    description: str | None = None
    choices: list[Json] | None = None
    limits: JsonObject = field(default_factory=dict)
    is_deprecated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionFacts:
    """A predict or train function."""

    inputs: list[InputFacts]
    output: JsonObject
    is_streaming: bool = False
