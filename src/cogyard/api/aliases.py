"""Ids that versions have elsewhere, for programs that came from there (an extension)."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.acts import note
from cogyard.api.request import read_json
from cogyard.api.route import resource
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.domain.account import Caller, Scope
from cogyard.domain.catalog import Alias
from cogyard.domain.values import JsonObject, VersionId
from cogyard.ports import Page
from cogyard.validation import check_object

_PUT: JsonObject = {
    "type": "object",
    "properties": {"version": {"type": "string"}},
    "additionalProperties": False,
}


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Aliases(yard)
    guarded = yard.authenticated
    every = "/models/{owner}/{name}/aliases"
    return [
        resource(every, GET=guarded(handlers.list, Scope.read)),
        resource(
            f"{every}/{{alias}}", PUT=guarded(handlers.put, Scope.write), DELETE=guarded(handlers.remove, Scope.write)
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Aliases:
    yard: Yard

    async def list(self, request: Request, caller: Caller) -> Response:
        found = await self.yard.models.aliases(caller, *_named(request))
        return self.yard.page(request, Page(found), [_shown(alias) for alias in found])

    async def put(self, request: Request, caller: Caller) -> Response:
        await self.yard.models.get(caller, *_named(request))
        body = check_object(await read_json(request, self.yard.max_body_bytes), _PUT)
        version = body.get("version")
        wanted = VersionId(version) if isinstance(version, str) else None
        note(request, version=wanted)
        return answer(_shown(await self.yard.models.put_alias(caller, *_named(request), _alias(request), wanted)))

    async def remove(self, request: Request, caller: Caller) -> Response:
        await self.yard.models.remove_alias(caller, *_named(request), _alias(request))
        return Response(status_code=204)


def _named(request: Request) -> tuple[str, str]:
    return request.path_params["owner"], request.path_params["name"]


def _alias(request: Request) -> VersionId:
    return VersionId(request.path_params["alias"])


def _shown(alias: Alias) -> dict[str, object]:
    return {"id": alias.id, "version": alias.version, "created_at": alias.created_at}
