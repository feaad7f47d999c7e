"""Predictions: create (three ways to name what runs), get, list, cancel (`api-contract.md` §5, §9)."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.prefer import Wait, parse_prefer
from cogyard.api.request import parse_page, parse_time, read_json
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.domain.catalog import Account
from cogyard.domain.errors import InvalidRequest
from cogyard.domain.prediction import Prediction, Status
from cogyard.domain.values import JsonObject, PredictionId
from cogyard.predictions import PAGE_SIZE, NewPrediction
from cogyard.validation import check_body


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Predictions(yard)
    guarded = yard.authenticated
    return [
        Route("/predictions", guarded(handlers.create), methods=["POST"]),
        Route("/predictions", guarded(handlers.list), methods=["GET"]),
        Route("/predictions/{id}", guarded(handlers.get), methods=["GET"]),
        Route("/predictions/{id}/cancel", guarded(handlers.cancel), methods=["POST"]),
        Route("/models/{owner}/{name}/predictions", guarded(handlers.create_for_model), methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class _Predictions:
    yard: Yard

    async def create(self, request: Request, caller: Account) -> Response:
        body = await self._body(request, with_version=True)
        wait = parse_prefer(request.headers.get("prefer"))
        created = await self.yard.predictions.create(caller, str(body["version"]), _wanted(body))
        return await self._created(request, created, wait)

    async def create_for_model(self, request: Request, caller: Account) -> Response:
        owner, name = request.path_params["owner"], request.path_params["name"]
        await self.yard.models.get(caller, owner, name)
        body = await self._body(request, with_version=False)
        wait = parse_prefer(request.headers.get("prefer"))
        created = await self.yard.predictions.create_for_model(caller, owner, name, _wanted(body))
        return await self._created(request, created, wait)

    async def get(self, request: Request, caller: Account) -> Response:
        found = await self.yard.predictions.get(caller, PredictionId(request.path_params["id"]))
        return answer(self.yard.wire(request).prediction(found))

    async def list(self, request: Request, caller: Account) -> Response:
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

    async def cancel(self, request: Request, caller: Account) -> Response:
        canceled = await self.yard.predictions.cancel(caller, PredictionId(request.path_params["id"]))
        return answer(self.yard.wire(request).prediction(canceled))

    async def _body(self, request: Request, *, with_version: bool) -> JsonObject:
        body = await read_json(request, self.yard.max_body_bytes)
        check_body(body, with_version=with_version)
        return body if isinstance(body, dict) else {}

    async def _created(self, request: Request, created: Prediction, wait: Wait | None) -> Response:
        """201 at once or when it has ended in time, else 202 that says `starting` whatever it does (§9.4)."""
        wire = self.yard.wire(request)
        headers = {"Location": wire.prediction_url(created)}
        if wait is None:
            return answer(wire.prediction(created), 201, headers)
        headers["Preference-Applied"] = wait.applied
        now = await self.yard.predictions.wait(created, wait.seconds)
        if now.status.is_terminal:
            return answer(wire.prediction(now), 201, headers)
        return answer(wire.prediction(now, status=Status.starting), 202, headers)


def _wanted(body: JsonObject) -> NewPrediction:
    """The checked body as the use case wants it; the legacy `webhook_completed` is a webhook of one event (§5.1)."""
    model_input, webhook, legacy = body["input"], body.get("webhook"), body.get("webhook_completed")
    events = body.get("webhook_events_filter")
    if webhook is None and legacy is not None:
        webhook, events = legacy, ["completed"]
    return NewPrediction(
        input=model_input if isinstance(model_input, dict) else {},
        webhook=webhook if isinstance(webhook, str) else None,
        webhook_events_filter=tuple(str(event) for event in events) if isinstance(events, list) else None,
    )
