"""Models, versions, examples (`api-contract.md` §4), and the push that makes versions (an extension)."""

import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.push import push
from cogyard.api.request import parse_page, read_json
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.domain.catalog import Account, Model, Visibility
from cogyard.domain.errors import InvalidField, InvalidFields, InvalidResource, NotFound
from cogyard.domain.values import Json, JsonObject, PredictionId, VersionId
from cogyard.models import HARDWARE, PAGE_SIZE, NewModel
from cogyard.ports import Page

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", re.IGNORECASE)
_REQUIRED = ("owner", "name", "visibility", "hardware")
_OPTIONAL = ("description", "github_url", "paper_url", "license_url", "cover_image_url")


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Models(yard)
    guarded = yard.authenticated
    model = "/models/{owner}/{name}"
    return [
        Route("/models", guarded(handlers.list), methods=["GET"]),
        Route("/models", guarded(handlers.create), methods=["POST"]),
        Route(model, guarded(handlers.get), methods=["GET"]),
        Route(f"{model}/readme", guarded(handlers.readme), methods=["GET"]),
        Route(f"{model}/examples", guarded(handlers.examples), methods=["GET"]),
        Route(f"{model}/examples", guarded(handlers.add_example), methods=["POST"]),
        Route(f"{model}/versions", guarded(handlers.versions), methods=["GET"]),
        Route(f"{model}/versions", guarded(handlers.push), methods=["POST"]),
        Route(f"{model}/versions/{{version}}", guarded(handlers.version), methods=["GET"]),
        Route("/hardware", guarded(handlers.hardware), methods=["GET"]),
    ]


@dataclass(frozen=True, slots=True)
class _Models:
    yard: Yard

    async def list(self, request: Request, caller: Account) -> Response:
        page = await self.yard.models.list(caller, parse_page(request, PAGE_SIZE))
        return self.yard.page(request, page, [await self._shown(request, model) for model in page.items])

    async def create(self, request: Request, caller: Account) -> Response:
        created = await self.yard.models.create(caller, _new_model(await read_json(request, self.yard.max_body_bytes)))
        return answer(await self._shown(request, created), 201)

    async def get(self, request: Request, caller: Account) -> Response:
        return answer(await self._shown(request, await self._model(request, caller)))

    async def readme(self, request: Request, caller: Account) -> Response:
        model = await self._model(request, caller)
        if not model.readme:
            raise NotFound
        return Response(model.readme, media_type="text/plain")

    async def examples(self, request: Request, caller: Account) -> Response:
        owner, name = _named(request)
        examples = await self.yard.models.examples(caller, owner, name)
        wire = self.yard.wire(request)
        shown = [wire.prediction(example, is_example=True) for example in examples]
        return self.yard.page(request, Page(examples), shown)

    async def add_example(self, request: Request, caller: Account) -> Response:
        owner, name = _named(request)
        body = await read_json(request, self.yard.max_body_bytes)
        prediction = body.get("prediction") if isinstance(body, dict) else None
        if not isinstance(prediction, str):
            raise InvalidFields([InvalidField("required", "", "prediction is required")])
        kept = await self.yard.models.add_example(caller, owner, name, PredictionId(prediction))
        return answer(self.yard.wire(request).prediction(kept, is_example=True), 201)

    async def versions(self, request: Request, caller: Account) -> Response:
        owner, name = _named(request)
        page = await self.yard.models.versions(caller, owner, name, parse_page(request, PAGE_SIZE))
        wire = self.yard.wire(request)
        return self.yard.page(request, page, [wire.version(version) for version in page.items])

    async def version(self, request: Request, caller: Account) -> Response:
        owner, name = _named(request)
        found = await self.yard.models.version(caller, owner, name, VersionId(request.path_params["version"]))
        return answer(self.yard.wire(request).version(found))

    async def push(self, request: Request, caller: Account) -> Response:
        owner, name = _named(request)
        for field, value in (("owner", owner), ("name", name)):
            _check_name(field, value)
        return await push(self.yard, request, caller, (owner, name))

    async def hardware(self, _request: Request, _caller: Account) -> Response:
        return answer([{"sku": sku, "name": name} for sku, name in HARDWARE])

    async def _model(self, request: Request, caller: Account) -> Model:
        return await self.yard.models.get(caller, *_named(request))

    async def _shown(self, request: Request, model: Model) -> dict[str, object]:
        latest = await self.yard.models.latest(model)
        example = await self.yard.models.default_example(model)
        return self.yard.wire(request).model(model, latest, example)


def _named(request: Request) -> tuple[str, str]:
    return request.path_params["owner"], request.path_params["name"]


def _new_model(body: Json) -> NewModel:
    """Raises `InvalidFields` for the form, `InvalidResource` for values."""
    if not isinstance(body, dict):
        raise InvalidFields([InvalidField("invalid_type", "", "Invalid type. Expected: object, given: other")])
    faults = [InvalidField("required", "", f"{name} is required") for name in _REQUIRED if body.get(name) is None]
    faults += [
        InvalidField("invalid_type", name, "Invalid type. Expected: string, given: other")
        for name in (*_REQUIRED, *_OPTIONAL)
        if body.get(name) is not None and not isinstance(body[name], str)
    ]
    if faults:
        raise InvalidFields(faults)
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
    if not _NAME.fullmatch(value):
        raise InvalidResource(
            field,
            f"{value[:80]!r} is not a name: use letters, digits, '.', '_' and '-', at most 64, "
            "beginning and ending with a letter or digit",
        )
