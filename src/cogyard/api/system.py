"""What is no resource: readiness, the API's own description, the page of a prediction."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import cogyard
from cogyard.api.openapi import document
from cogyard.api.route import resource
from cogyard.api.wire import answer
from cogyard.api.yard import Yard


def routes(yard: Yard) -> list[Route]:
    """The routes that need no token."""
    handlers = _System(yard)
    return [
        resource("/", GET=handlers.root),
        resource("/health", GET=handlers.health),
        resource("/openapi.json", GET=handlers.openapi),
        resource("/p/{id}", GET=handlers.page),
    ]


@dataclass(frozen=True, slots=True)
class _System:
    yard: Yard

    async def root(self, request: Request) -> Response:
        base = self.yard.base(request)
        return answer({"name": "cogyard", "version": cogyard.__version__, "openapi_url": f"{base}/openapi.json"})

    async def health(self, _request: Request) -> Response:
        """200 when predictions are taken and run, else 503 with the reasons."""
        reasons = self.yard.not_ready()
        status = "not ready" if reasons else "ok"
        body = {"status": status, "version": cogyard.__version__, "reasons": reasons}
        return answer(body, 503 if reasons else 200)

    async def openapi(self, request: Request) -> Response:
        return answer(document(self.yard.base(request)))

    async def page(self, request: Request) -> Response:
        url = f"{self.yard.base(request)}/v1/predictions/{request.path_params['id']}"
        return PlainTextResponse(f"The web pages are not part of this release. With your token: GET {url}\n")
