"""A path and what its methods do, as one route: a wrong method is answered with all the right ones."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.yard import Endpoint


def resource(path: str, **methods: Endpoint) -> Route:
    """`resource("/files", GET=…, POST=…)`; GET answers HEAD too."""

    async def dispatch(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await methods[method](request)

    return Route(path, dispatch, methods=list(methods))
