"""Deployments (`api-contract.md` §6), their releases and rollback (extensions)."""

from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.acts import note, note_change
from cogyard.api.request import parse_page, read_json
from cogyard.api.route import resource
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.deployments import PAGE_SIZE, ReleaseChange
from cogyard.domain.account import Caller, Scope
from cogyard.domain.catalog import NAME
from cogyard.domain.errors import InvalidResource, NotFound
from cogyard.domain.values import JsonObject
from cogyard.validation import check_object

_COUNT: JsonObject = {"type": "integer"}
_TEXT: JsonObject = {"type": "string"}
_CHANGEABLE: JsonObject = {
    "version": _TEXT,
    "hardware": _TEXT,
    "min_instances": _COUNT,
    "max_instances": _COUNT,
    "priority": _COUNT,
}
_CREATE: JsonObject = {
    "type": "object",
    "properties": {"name": _TEXT, "model": _TEXT, **_CHANGEABLE},
    "required": ["name", "model", "version", "hardware", "min_instances", "max_instances"],
}
_CHANGE: JsonObject = {"type": "object", "properties": _CHANGEABLE}
_ROLLBACK: JsonObject = {
    "type": "object",
    "properties": {"number": {"type": "integer", "minimum": 1, "maximum": 10**9}},
    "required": ["number"],
}


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Deployments(yard)
    guarded = yard.authenticated
    deployment = "/deployments/{owner}/{name}"
    return [
        resource("/deployments", GET=guarded(handlers.list, Scope.read), POST=guarded(handlers.create, Scope.write)),
        resource(
            deployment,
            GET=guarded(handlers.get, Scope.read),
            PATCH=guarded(handlers.update, Scope.write),
            DELETE=guarded(handlers.delete, Scope.write),
        ),
        resource(f"{deployment}/releases", GET=guarded(handlers.releases, Scope.read)),
        resource(f"{deployment}/rollback", POST=guarded(handlers.roll_back, Scope.write)),
    ]


@dataclass(frozen=True, slots=True)
class _Deployments:
    yard: Yard

    async def list(self, request: Request, caller: Caller) -> Response:
        page = await self.yard.deployments.list(caller, parse_page(request, PAGE_SIZE))
        wire = self.yard.wire(request)
        return self.yard.page(request, page, [wire.deployment(row) for row in page.items])

    async def create(self, request: Request, caller: Caller) -> Response:
        body = check_object(await read_json(request, self.yard.max_body_bytes), _CREATE)
        name = str(body["name"])
        if not NAME.fullmatch(name):
            raise InvalidResource("name", "use letters, digits, '.', '_' and '-', at most 64")
        note(request, name=name)
        created = await self.yard.deployments.create(caller, name, _change(body))
        return answer(self.yard.wire(request).deployment(created))

    async def get(self, request: Request, caller: Caller) -> Response:
        return answer(self.yard.wire(request).deployment(await self.yard.deployments.get(caller, *_named(request))))

    async def update(self, request: Request, caller: Caller) -> Response:
        owner, name = _named(request)
        before = await self.yard.deployments.get(caller, owner, name)
        body = check_object(await read_json(request, self.yard.max_body_bytes), _CHANGE)
        updated = await self.yard.deployments.update(caller, owner, name, _change(body))
        note_change(request, replace(before.current, created_by=updated.current.created_by), updated.current)
        return answer(self.yard.wire(request).deployment(updated))

    async def delete(self, request: Request, caller: Caller) -> Response:
        await self.yard.deployments.delete(caller, *_named(request))
        return Response(status_code=204)

    async def releases(self, request: Request, caller: Caller) -> Response:
        page = await self.yard.deployments.releases(caller, *_named(request), parse_page(request, PAGE_SIZE))
        wire = self.yard.wire(request)
        return self.yard.page(request, page, [{**wire.release(row), "note": row.note} for row in page.items])

    async def roll_back(self, request: Request, caller: Caller) -> Response:
        owner, name = _named(request)
        before = await self.yard.deployments.get(caller, owner, name)
        body = check_object(await read_json(request, self.yard.max_body_bytes), _ROLLBACK)
        number = body["number"]
        if not isinstance(number, int):
            raise NotFound
        rolled = await self.yard.deployments.roll_back(caller, owner, name, number)
        note_change(request, replace(before.current, created_by=rolled.current.created_by), rolled.current)
        return answer(self.yard.wire(request).deployment(rolled))


def _named(request: Request) -> tuple[str, str]:
    return request.path_params["owner"], request.path_params["name"]


def _change(body: JsonObject) -> ReleaseChange:
    return ReleaseChange(
        model=_text(body, "model"),
        version=_text(body, "version"),
        hardware=_text(body, "hardware"),
        min_instances=_count(body, "min_instances"),
        max_instances=_count(body, "max_instances"),
        priority=_count(body, "priority"),
    )


def _text(body: JsonObject, name: str) -> str | None:
    value = body.get(name)
    return value if isinstance(value, str) else None


def _count(body: JsonObject, name: str) -> int | None:
    """A whole number; JSON may write it with a point."""
    value = body.get(name)
    return int(value) if isinstance(value, int | float) else None
