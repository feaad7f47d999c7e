"""Models, versions, examples (`api-contract.md` §4), and the push that makes versions (an extension)."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.acts import note, note_change
from cogyard.api.push import push
from cogyard.api.request import parse_choice, parse_page, read_json
from cogyard.api.route import resource
from cogyard.api.search import query_models
from cogyard.api.shown import show_model, show_models
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.domain.account import Caller, Scope
from cogyard.domain.catalog import NAME, Model, Visibility
from cogyard.domain.errors import InvalidField, InvalidFields, InvalidResource, NotFound
from cogyard.domain.values import Json, JsonObject, PredictionId, VersionId
from cogyard.models import CHANGEABLE, PAGE_SIZE, NewModel
from cogyard.ports import ModelOrder, Page
from cogyard.validation import check_object

_TEXT: JsonObject = {"type": "string"}
_MAYBE: JsonObject = {"type": ["string", "null"]}
_CREATE: JsonObject = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("owner", "name", "visibility", "hardware"), _TEXT),
        **dict.fromkeys(("description", "github_url", "paper_url", "license_url", "cover_image_url"), _MAYBE),
    },
    "required": ["owner", "name", "visibility", "hardware"],
}
_CHANGE: JsonObject = {
    "type": "object",
    "properties": dict.fromkeys(CHANGEABLE, _MAYBE),
    "additionalProperties": False,
}
_PRICE: JsonObject = {
    "type": "object",
    "properties": {"unit": _TEXT, "amount": {"type": "number", "minimum": 0}, "currency": _TEXT},
    "required": ["unit", "amount"],
}
_OFFICIAL: JsonObject = {
    "type": "object",
    "properties": {"is_official": {"type": "boolean"}, "price": _PRICE},
    "required": ["is_official"],
}


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Models(yard)
    guarded = yard.authenticated
    model = "/models/{owner}/{name}"
    return [
        resource(
            "/models",
            GET=guarded(handlers.list, Scope.read),
            POST=guarded(handlers.create, Scope.write),
            QUERY=guarded(handlers.search, Scope.read),
        ),
        resource(
            model,
            GET=guarded(handlers.get, Scope.read),
            PATCH=guarded(handlers.update, Scope.write),
            DELETE=guarded(handlers.delete, Scope.write),
        ),
        resource(f"{model}/official", PUT=guarded(handlers.set_official, Scope.admin)),
        resource(f"{model}/readme", GET=guarded(handlers.readme, Scope.read)),
        resource(
            f"{model}/examples",
            GET=guarded(handlers.examples, Scope.read),
            POST=guarded(handlers.add_example, Scope.write),
        ),
        resource(
            f"{model}/versions", GET=guarded(handlers.versions, Scope.read), POST=guarded(handlers.push, Scope.write)
        ),
        resource(
            f"{model}/versions/{{version}}",
            GET=guarded(handlers.version, Scope.read),
            DELETE=guarded(handlers.delete_version, Scope.write),
        ),
        resource(f"{model}/versions/{{version}}/promote", POST=guarded(handlers.promote, Scope.write)),
        resource("/hardware", GET=guarded(handlers.hardware, Scope.read)),
    ]


@dataclass(frozen=True, slots=True)
class _Models:
    yard: Yard

    async def list(self, request: Request, _caller: Caller) -> Response:
        order = parse_choice(
            request, "sort_by", [one.value for one in ModelOrder], ModelOrder.latest_version_created_at
        )
        is_ascending = parse_choice(request, "sort_direction", ["asc", "desc"], "desc") == "asc"
        page_wanted = parse_page(request, PAGE_SIZE, ascending=is_ascending)
        page = await self.yard.models.list(ModelOrder(order), page_wanted)
        return self.yard.page(request, page, await show_models(self.yard, request, page.items))

    async def search(self, request: Request, caller: Caller) -> Response:
        return await query_models(self.yard, request, caller)

    async def create(self, request: Request, caller: Caller) -> Response:
        wanted = _new_model(await read_json(request, self.yard.max_body_bytes))
        note(request, model=f"{wanted.owner[:80]}/{wanted.name}", visibility=wanted.visibility.value)
        created = await self.yard.models.create(caller, wanted)
        return answer(await self._shown(request, created), 201)

    async def get(self, request: Request, caller: Caller) -> Response:
        return answer(await self._shown(request, await self._model(request, caller)))

    async def update(self, request: Request, caller: Caller) -> Response:
        owner, name = _named(request)
        before = await self.yard.models.get(caller, owner, name)
        body = check_object(await read_json(request, self.yard.max_body_bytes), _CHANGE)
        changes = {field: value for field, value in body.items() if value is None or isinstance(value, str)}
        after = await self.yard.models.update(caller, owner, name, changes)
        note_change(request, before, after)
        return answer(await self._shown(request, after))

    async def delete(self, request: Request, caller: Caller) -> Response:
        await self.yard.models.delete(caller, *_named(request))
        return Response(status_code=204)

    async def set_official(self, request: Request, caller: Caller) -> Response:
        owner, name = _named(request)
        body = check_object(await read_json(request, self.yard.max_body_bytes), _OFFICIAL)
        price = body.get("price")
        before, changed = await self.yard.models.set_official(
            caller,
            owner,
            name,
            is_official=body["is_official"] is True,
            price=self.yard.models.price(price) if isinstance(price, dict) else None,
        )
        note_change(request, before, changed)
        return answer(await self._shown(request, changed))

    async def readme(self, request: Request, caller: Caller) -> Response:
        model = await self._model(request, caller)
        if not model.readme:
            raise NotFound
        return Response(model.readme, media_type="text/plain")

    async def examples(self, request: Request, caller: Caller) -> Response:
        owner, name = _named(request)
        examples = await self.yard.models.examples(caller, owner, name)
        wire = self.yard.wire(request)
        shown = [wire.prediction(example, is_example=True) for example in examples]
        return self.yard.page(request, Page(examples), shown)

    async def add_example(self, request: Request, caller: Caller) -> Response:
        owner, name = _named(request)
        body = await read_json(request, self.yard.max_body_bytes)
        prediction = body.get("prediction") if isinstance(body, dict) else None
        if not isinstance(prediction, str):
            raise InvalidFields([InvalidField("required", "", "prediction is required")])
        kept = await self.yard.models.add_example(caller, owner, name, PredictionId(prediction))
        return answer(self.yard.wire(request).prediction(kept, is_example=True), 201)

    async def versions(self, request: Request, caller: Caller) -> Response:
        owner, name = _named(request)
        page = await self.yard.models.versions(
            caller,
            owner,
            name,
            parse_page(request, PAGE_SIZE),
            is_curator=request.query_params.get("curator") == "true",
        )
        wire = self.yard.wire(request)
        return self.yard.page(request, page, [wire.version(version) for version in page.items])

    async def version(self, request: Request, caller: Caller) -> Response:
        owner, name = _named(request)
        found = await self.yard.models.version(caller, owner, name, VersionId(request.path_params["version"]))
        return answer(self.yard.wire(request).version(found))

    async def delete_version(self, request: Request, caller: Caller) -> Response:
        owner, name = _named(request)
        await self.yard.models.delete_version(caller, owner, name, VersionId(request.path_params["version"]))
        return Response(status_code=202)

    async def promote(self, request: Request, caller: Caller) -> Response:
        owner, name = _named(request)
        version = VersionId(request.path_params["version"])
        is_forced = request.query_params.get("force") == "true"
        before = await self.yard.models.get(caller, owner, name)
        promoted = await self.yard.models.promote(caller, owner, name, version, force=is_forced)
        note_change(request, before, promoted)
        return answer(await self._shown(request, promoted))

    async def push(self, request: Request, caller: Caller) -> Response:
        owner, name = _named(request)
        for field, value in (("owner", owner), ("name", name)):
            _check_name(field, value)
        return await push(self.yard, request, caller, (owner, name))

    async def hardware(self, _request: Request, _caller: Caller) -> Response:
        return answer([{"sku": kind.sku, "name": kind.name} for kind in self.yard.kinds.kinds])

    async def _model(self, request: Request, caller: Caller) -> Model:
        return await self.yard.models.get(caller, *_named(request))

    async def _shown(self, request: Request, model: Model) -> dict[str, object]:
        return await show_model(self.yard, request, model)


def _named(request: Request) -> tuple[str, str]:
    return request.path_params["owner"], request.path_params["name"]


def _new_model(given: Json) -> NewModel:
    """Raises `InvalidResource`, `InvalidRequest`."""
    body = check_object(given, _CREATE)
    _check_name("name", str(body["name"]))
    if body["visibility"] not in ("public", "private"):
        raise InvalidResource("visibility", "must be public or private")
    return NewModel(
        owner=str(body["owner"]),
        name=str(body["name"]),
        visibility=Visibility(str(body["visibility"])),
        hardware=str(body["hardware"]),
        description=_text(body, "description"),
        github_url=_text(body, "github_url"),
        paper_url=_text(body, "paper_url"),
        license_url=_text(body, "license_url"),
        cover_image_url=_text(body, "cover_image_url"),
    )


def _text(body: JsonObject, name: str) -> str | None:
    value = body.get(name)
    return value if isinstance(value, str) else None


def _check_name(field: str, value: str) -> None:
    if not NAME.fullmatch(value):
        raise InvalidResource(
            field,
            f"{value[:80]!r} is not a name: use letters, digits, '.', '_' and '-', at most 64, "
            "beginning and ending with a letter or digit",
        )
