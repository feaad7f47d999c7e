"""Webhooks: the signing key (`api-contract.md` §3.4), the ledger and sending again (extensions)."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.request import parse_page
from cogyard.api.route import resource
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.domain.account import Caller, Scope
from cogyard.domain.values import DeliveryId, PredictionId
from cogyard.hooks import PAGE_SIZE


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Webhooks(yard)
    guarded = yard.authenticated
    return [
        resource("/webhooks/default/secret", GET=guarded(handlers.secret, Scope.run)),
        resource("/webhooks/deliveries", GET=guarded(handlers.deliveries, Scope.read)),
        resource("/webhooks/deliveries/{id}/resend", POST=guarded(handlers.resend, Scope.run)),
    ]


@dataclass(frozen=True, slots=True)
class _Webhooks:
    yard: Yard

    async def secret(self, _request: Request, caller: Caller) -> Response:
        return answer({"key": await self.yard.hooks.key(caller.id)})

    async def deliveries(self, request: Request, caller: Caller) -> Response:
        named = request.query_params.get("prediction")
        prediction = None if named is None else PredictionId(named)
        page = await self.yard.hooks.list(caller, prediction, parse_page(request, PAGE_SIZE))
        wire = self.yard.wire(request)
        return self.yard.page(request, page, [wire.delivery(row) for row in page.items])

    async def resend(self, request: Request, caller: Caller) -> Response:
        again = await self.yard.hooks.resend(caller, DeliveryId(request.path_params["id"]))
        return answer(self.yard.wire(request).delivery(again), 202)
