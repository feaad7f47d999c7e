"""What the audit log says of a request: the name of its operation, and what its handler noted."""

from starlette.requests import Request

from cogyard.api.openapi_operations import OPERATIONS
from cogyard.domain.values import Json, JsonObject

_NAMES = {(one.method, one.path): one.name for one in OPERATIONS}


def action_of(request: Request) -> str:
    """The name of the operation, as the OpenAPI document has it."""
    path = request.scope["route"].path
    return _NAMES.get((request.method, path), f"{request.method} {path}")


def note(request: Request, **details: Json) -> None:
    """Say in the audit log what was there before and after; never a secret."""
    request.state.act = {**details_of(request), **details}


def details_of(request: Request) -> JsonObject:
    """What was noted."""
    details: JsonObject = getattr(request.state, "act", {})
    return details
