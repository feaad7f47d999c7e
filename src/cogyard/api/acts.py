"""What the audit log says of a request: the name of its operation, and what its handler noted."""

from dataclasses import fields

from starlette.requests import Request

from cogyard.api.openapi_operations import OPERATIONS
from cogyard.domain.values import Json, JsonObject

LONGEST_NOTE = 200
"""Characters of a value that are noted."""

_NAMES = {(one.method, one.path): one.name for one in OPERATIONS}


def action_of(request: Request) -> str:
    """The name of the operation, as the OpenAPI document has it."""
    path = request.scope["route"].path
    return _NAMES.get((request.method, path), f"{request.method} {path}")


def note(request: Request, **details: Json) -> None:
    """Say in the audit log what was there before and after; never a secret."""
    request.state.act = {**details_of(request), **details}


def note_change(request: Request, before: object, after: object) -> None:
    """Say in the audit log in which fields two values of one dataclass differ; long texts are cut."""
    changed = [field.name for field in fields(after) if getattr(before, field.name) != getattr(after, field.name)]  # type: ignore[arg-type]
    note(
        request,
        before={name: _short(getattr(before, name)) for name in changed},
        after={name: _short(getattr(after, name)) for name in changed},
    )


def _short(value: object) -> Json:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= LONGEST_NOTE else text[:LONGEST_NOTE] + "…"


def details_of(request: Request) -> JsonObject:
    """What was noted."""
    details: JsonObject = getattr(request.state, "act", {})
    return details
