"""Errors on the wire: one table from the error tree to status, title and body (`api-contract.md` §1.4)."""

from collections.abc import Mapping
from http import HTTPStatus

import orjson
from starlette.requests import Request
from starlette.responses import Response

from cogyard.domain.errors import (
    AlreadyFinished,
    BreakingChange,
    BudgetUsedUp,
    BuildFailed,
    CogyardError,
    Conflict,
    Disabled,
    Forbidden,
    InvalidFields,
    InvalidRequest,
    InvalidResource,
    InvalidVersion,
    NotFound,
    QueueFull,
    RateLimited,
    SetupFailed,
    StorageFull,
    TooLarge,
    Unauthenticated,
    UnsupportedMedia,
)
from cogyard.domain.values import Json

QUEUE_PAUSE = 10
"""Seconds after which a create that found a full queue may be tried again."""

NOT_FOUND = "The requested resource could not be found."
INVALID_VERSION = "The specified version does not exist (or perhaps you don't have permission to use it?)"


def problem(status: int, detail: str, title: str | None = None, **more: Json) -> Response:
    """A family A body: `detail`, `status`, then `title` and the rest, and a newline."""
    body: dict[str, Json] = {"detail": detail, "status": status}
    if title is not None:
        body["title"] = title
    return Response(orjson.dumps({**body, **more}) + b"\n", status, media_type="application/problem+json")


def fault() -> Response:
    """The answer to a fault of ours, whose details only the log tells."""
    return problem(500, "Something went wrong on the server; its log says what.", "Internal server error")


def _invalid_resource(error: InvalidResource) -> Response:
    """A family B body."""
    lines = "".join(f"\n- {field}: {message}" for field, message in error.faults)
    body = {
        "status": 400,
        "title": "Validation failed",
        "detail": f"The following errors occurred:{lines}",
        "errors": [{"pointer": f"/{field.replace('.', '/')}", "detail": message} for field, message in error.faults],
    }
    return Response(orjson.dumps(body) + b"\n", 400, media_type="application/problem+json")


def _invalid_fields(error: InvalidFields) -> Response:
    lines = [f"- {fault.field + ': ' if fault.field else ''}{fault.description}\n" for fault in error.fields]
    fields: Json = [
        {"type": fault.kind, "field": fault.field, "description": fault.description} for fault in error.fields
    ]
    return problem(422, "".join(lines), "Input validation failed", invalid_fields=fields)


def _conflict(error: Conflict) -> Response:
    message = str(error)
    if error.field is None:
        return problem(409, message, "Conflict")
    errors = [{"detail": message, "pointer": f"/{error.field}"}]
    body = {"status": 409, "title": "Conflict", "detail": message, "errors": errors}
    return Response(orjson.dumps(body) + b"\n", 409, media_type="application/problem+json")


def render(error: CogyardError) -> Response:
    """The answer that an error becomes."""
    match error:
        case Unauthenticated():
            return problem(401, str(error), "Unauthenticated")
        case Forbidden():
            return problem(403, str(error), "Forbidden")
        case NotFound():
            return problem(404, str(error) or NOT_FOUND)
        case InvalidRequest():
            return problem(400, str(error), "Bad request")
        case UnsupportedMedia():
            return problem(415, str(error), "Unsupported media type")
        case InvalidFields():
            return _invalid_fields(error)
        case InvalidResource():
            return _invalid_resource(error)
        case InvalidVersion():
            return problem(422, str(error) or INVALID_VERSION, "Invalid version or not permitted")
        case Conflict():
            return _conflict(error)
        case Disabled():
            return problem(400, str(error), "Deployment is disabled")
        case BreakingChange(changes=changes):
            broken: list[Json] = list(changes)
            return problem(409, str(error), "Breaking change", breaking_changes=broken)
        case RateLimited(retry_after=seconds):
            throttled = problem(429, str(error), retry_after=seconds)
            throttled.headers["retry-after"] = str(seconds)
            return throttled
        case QueueFull():
            full = problem(429, str(error), "Queue is full", retry_after=QUEUE_PAUSE)
            full.headers["retry-after"] = str(QUEUE_PAUSE)
            return full
        case BudgetUsedUp(title=title, retry_after=seconds):
            refused = problem(402, str(error), title, retry_after=seconds)
            refused.headers["retry-after"] = str(seconds)
            return refused
        case TooLarge():
            return problem(413, str(error), "Too large")
        case StorageFull():
            return problem(507, str(error) or "There is no space left on the server's disk.", "Storage is full")
        case BuildFailed() | SetupFailed():
            return problem(422, str(error), "Build failed" if isinstance(error, BuildFailed) else "Setup failed")
        case AlreadyFinished():
            return problem(409, str(error), "Already finished")
        case _:
            return problem(422, str(error), "Not possible")


async def on_error(_request: Request, error: Exception) -> Response:
    """Starlette's handler for every `CogyardError`."""
    if not isinstance(error, CogyardError):
        raise error
    return render(error)


async def on_http_error(_request: Request, error: Exception) -> Response:
    """Starlette's handler for its own errors: no such path, no such method."""
    status = int(getattr(error, "status_code", 500))
    headers: Mapping[str, str] = getattr(error, "headers", None) or {}
    detail = NOT_FOUND if status == HTTPStatus.NOT_FOUND else HTTPStatus(status).phrase + "."
    response = problem(status, detail)
    response.headers.update(headers)
    return response
