"""Trainings (`api-contract.md` §8)."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.creation import read_wanted
from cogyard.api.request import parse_page
from cogyard.api.route import resource
from cogyard.api.wire import answer
from cogyard.api.yard import CREATES, POLLS, Yard
from cogyard.domain.account import Caller, Scope
from cogyard.domain.prediction import PredictionKind
from cogyard.domain.values import PredictionId, VersionId
from cogyard.predictions import PAGE_SIZE
from cogyard.validation import Body


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Trainings(yard)
    guarded = yard.authenticated
    return [
        resource(
            "/models/{owner}/{name}/versions/{version}/trainings", POST=guarded(handlers.create, Scope.write, CREATES)
        ),
        resource("/trainings", GET=guarded(handlers.list, Scope.read)),
        resource("/trainings/{id}", GET=guarded(handlers.get, Scope.read, POLLS)),
        resource("/trainings/{id}/cancel", POST=guarded(handlers.cancel, Scope.run)),
    ]


@dataclass(frozen=True, slots=True)
class _Trainings:
    yard: Yard

    async def create(self, request: Request, caller: Caller) -> Response:
        owner, name = request.path_params["owner"], request.path_params["name"]
        version = VersionId(request.path_params["version"])
        await self.yard.models.version(caller, owner, name, version)
        body, wanted = await read_wanted(self.yard, request, Body.training)
        destination = str(body.get("destination"))  # without one, there is none of that name (§8.1)
        created = await self.yard.trainings.create(caller, (owner, name), version, destination, wanted)
        wire = self.yard.wire(request)
        return answer(wire.prediction(created), 201, {"Location": wire.prediction_url(created)})

    async def list(self, request: Request, caller: Caller) -> Response:
        kind = PredictionKind.training
        page = await self.yard.predictions.list(caller, parse_page(request, PAGE_SIZE), kind=kind)
        wire = self.yard.wire(request)
        return self.yard.page(request, page, [wire.prediction(row) for row in page.items])

    async def get(self, request: Request, caller: Caller) -> Response:
        found = await self.yard.predictions.get(caller, PredictionId(request.path_params["id"]))
        return answer(self.yard.wire(request).prediction(found))

    async def cancel(self, request: Request, caller: Caller) -> Response:
        canceled = await self.yard.predictions.cancel(caller, PredictionId(request.path_params["id"]))
        return answer(self.yard.wire(request).prediction(canceled))
