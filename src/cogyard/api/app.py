"""The ASGI application: routes and middleware as literal lists in reading order, and the error handlers."""

import re

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from cogyard.api import (
    accounts,
    aliases,
    audit,
    budgets,
    collections,
    deployments,
    files,
    keeping,
    models,
    overview,
    pages,
    predictions,
    search,
    secrets,
    streams,
    system,
    tokens,
    trainings,
    usage,
    webhooks,
)
from cogyard.api.errors import fault, on_error, on_http_error
from cogyard.api.yard import Yard
from cogyard.domain.errors import CogyardError


def create_app(yard: Yard) -> ASGIApp:
    """The API over `yard`, as an ASGI application without a lifespan of its own."""
    routes: list[Route] = [
        *predictions.routes(yard),
        *trainings.routes(yard),
        *deployments.routes(yard),
        *models.routes(yard),
        *aliases.routes(yard),
        *keeping.routes(yard),
        *secrets.routes(yard),
        *collections.routes(yard),
        *search.routes(yard),
        *files.routes(yard),
        *streams.routes(yard),
        *webhooks.routes(yard),
        *accounts.routes(yard),
        *tokens.routes(yard),
        *audit.routes(yard),
        *usage.routes(yard),
        *budgets.routes(yard),
        *overview.routes(yard),
        *system.routes(yard),
        *pages.routes(),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(AnyPrefix)],
        exception_handlers={CogyardError: on_error, HTTPException: on_http_error, Exception: on_fault},
    )


_WHOLE_URL = re.compile(r"/https?:/{1,2}[^/]+(?:/v1)*(/.*)")


class AnyPrefix:
    """Answers the same API under `/`, `/v1` and `/v1/v1`: clients disagree on what a base URL holds (§13.1)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on without its prefix."""
        if scope["type"] == "http":
            path: str = scope["path"]
            while path.startswith("/v1/"):
                path = path[3:]
            whole = _WHOLE_URL.fullmatch(path)
            if whole:  # the Go client glues the next page's URL to its base (§1.7)
                path = whole[1]
            if path != scope["path"]:
                scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)


async def on_fault(request: Request, error: Exception) -> Response:
    """A fault of ours: logged whole, told without its details."""
    structlog.get_logger().error("request.failed", method=request.method, path=request.url.path, exc_info=error)
    return fault()
