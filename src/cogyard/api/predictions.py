"""Predictions: create (three ways to name what runs), get, list, cancel (`api-contract.md` §5, §9)."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.creation import answer_created, read_wanted
from cogyard.api.request import parse_page, parse_time
from cogyard.api.route import resource
from cogyard.api.wire import answer
from cogyard.api.yard import CREATES, POLLS, Yard
from cogyard.domain.account import Caller, Scope
from cogyard.domain.errors import InvalidRequest
from cogyard.domain.values import PredictionId
from cogyard.predictions import PAGE_SIZE
from cogyard.validation import Body


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Predictions(yard)
    guarded = yard.authenticated
    return [
        resource(
            "/predictions", POST=guarded(handlers.create, Scope.run, CREATES), GET=guarded(handlers.list, Scope.read)
        ),
        resource("/predictions/{id}", GET=guarded(handlers.get, Scope.read, POLLS)),
        resource("/predictions/{id}/cancel", POST=guarded(handlers.cancel, Scope.run)),
        resource("/models/{owner}/{name}/predictions", POST=guarded(handlers.create_for_model, Scope.run, CREATES)),
        resource(
            "/deployments/{owner}/{name}/predictions", POST=guarded(handlers.create_for_deployment, Scope.run, CREATES)
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Predictions:
    yard: Yard

    async def create(self, request: Request, caller: Caller) -> Response:
        body, wanted = await read_wanted(self.yard, request, Body.by_version)
        created = await self.yard.predictions.create(caller, str(body["version"]), wanted)
        return await answer_created(self.yard, request, created)

    async def create_for_model(self, request: Request, caller: Caller) -> Response:
        owner, name = request.path_params["owner"], request.path_params["name"]
        await self.yard.models.get(caller, owner, name)
        _, wanted = await read_wanted(self.yard, request, Body.on_target)
        created = await self.yard.predictions.create_for_model(caller, owner, name, wanted)
        return await answer_created(self.yard, request, created)

    async def create_for_deployment(self, request: Request, caller: Caller) -> Response:
        owner, name = request.path_params["owner"], request.path_params["name"]
        await self.yard.deployments.get(caller, owner, name)
        _, wanted = await read_wanted(self.yard, request, Body.on_target)
        created = await self.yard.predictions.create_for_deployment(caller, owner, name, wanted)
        return await answer_created(self.yard, request, created)

    async def get(self, request: Request, caller: Caller) -> Response:
        found = await self.yard.predictions.get(caller, PredictionId(request.path_params["id"]))
        return answer(self.yard.wire(request).prediction(found))

    async def list(self, request: Request, caller: Caller) -> Response:
        source = request.query_params.get("source")
        if source not in (None, "web"):
            raise InvalidRequest(f"source: {source[:40]!r} is not a source; the only one to filter by is web.")
        page = await self.yard.predictions.list(
            caller,
            parse_page(request, PAGE_SIZE),
            created_after=parse_time(request, "created_after"),
            created_before=parse_time(request, "created_before"),
            source=source,
        )
        wire = self.yard.wire(request)
        return self.yard.page(request, page, [wire.prediction(row) for row in page.items])

    async def cancel(self, request: Request, caller: Caller) -> Response:
        canceled = await self.yard.predictions.cancel(caller, PredictionId(request.path_params["id"]))
        return answer(self.yard.wire(request).prediction(canceled))
