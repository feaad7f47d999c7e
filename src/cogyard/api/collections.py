"""Collections (`api-contract.md` §3.3), and their curation by admins (an extension)."""

import re
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.acts import note, note_change
from cogyard.api.request import read_json
from cogyard.api.route import resource
from cogyard.api.shown import show_models
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.domain.account import Caller, Scope
from cogyard.domain.catalog import Collection
from cogyard.domain.errors import InvalidResource
from cogyard.domain.values import JsonObject
from cogyard.ports import Page
from cogyard.validation import check_object

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_WORDS: JsonObject = {
    "name": {"type": "string", "minLength": 1, "maxLength": 200},
    "description": {"type": "string", "maxLength": 2000},
    "full_description": {"type": ["string", "null"], "maxLength": 100_000},
}
_CREATE: JsonObject = {
    "type": "object",
    "properties": {"slug": {"type": "string"}, **_WORDS},
    "required": ["slug", "name"],
}
_CHANGE: JsonObject = {"type": "object", "properties": _WORDS}


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Collections(yard)
    guarded = yard.authenticated
    return [
        resource("/collections", GET=guarded(handlers.list, Scope.read), POST=guarded(handlers.create, Scope.admin)),
        resource(
            "/collections/{slug}",
            GET=guarded(handlers.get, Scope.read),
            PATCH=guarded(handlers.update, Scope.admin),
            DELETE=guarded(handlers.delete, Scope.admin),
        ),
        resource(
            "/collections/{slug}/models/{owner}/{name}",
            PUT=guarded(handlers.put_model, Scope.admin),
            DELETE=guarded(handlers.take_model, Scope.admin),
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Collections:
    yard: Yard

    async def list(self, request: Request, _caller: Caller) -> Response:
        found = await self.yard.collections.list()
        wire = self.yard.wire(request)
        return self.yard.page(request, Page(found), [dict(wire.collection(one)) for one in found])

    async def get(self, request: Request, _caller: Caller) -> Response:
        return await self._whole(request, await self.yard.collections.get(request.path_params["slug"]))

    async def create(self, request: Request, caller: Caller) -> Response:
        body = check_object(await read_json(request, self.yard.max_body_bytes), _CREATE)
        slug = str(body["slug"])
        if not _SLUG.fullmatch(slug):
            raise InvalidResource("slug", "use lower-case letters, digits and '-', at most 64")
        new = Collection(slug=slug, name=str(body["name"]), description="")
        note(request, slug=slug)
        created = await self.yard.collections.create(caller, _changed(new, body))
        return await self._whole(request, created, 201)

    async def update(self, request: Request, caller: Caller) -> Response:
        current = await self.yard.collections.get(request.path_params["slug"])
        body = check_object(await read_json(request, self.yard.max_body_bytes), _CHANGE)
        changed = await self.yard.collections.update(caller, _changed(current, body))
        note_change(request, current, changed)
        return await self._whole(request, changed)

    async def delete(self, request: Request, caller: Caller) -> Response:
        await self.yard.collections.delete(caller, request.path_params["slug"])
        return Response(status_code=204)

    async def put_model(self, request: Request, caller: Caller) -> Response:
        slug, owner, name = (request.path_params[key] for key in ("slug", "owner", "name"))
        await self.yard.collections.put_model(caller, slug, owner, name)
        return await self._whole(request, await self.yard.collections.get(slug))

    async def take_model(self, request: Request, caller: Caller) -> Response:
        slug, owner, name = (request.path_params[key] for key in ("slug", "owner", "name"))
        await self.yard.collections.take_model(caller, slug, owner, name)
        return Response(status_code=204)

    async def _whole(self, request: Request, collection: Collection, status: int = 200) -> Response:
        models = await self.yard.collections.models(collection.slug)
        shown: dict[str, object] = dict(self.yard.wire(request).collection(collection))
        shown["full_description"] = collection.full_description
        shown["models"] = await show_models(self.yard, request, models)
        return answer(shown, status)


def _changed(collection: Collection, body: JsonObject) -> Collection:
    words = {name: body[name] for name in ("name", "description", "full_description") if name in body}
    return replace(collection, **words)  # type: ignore[arg-type]
