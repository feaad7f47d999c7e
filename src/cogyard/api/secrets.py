"""Secrets of models and deployments (an extension): name them, set them, remove them; never tell them."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.request import read_json
from cogyard.api.route import resource
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.domain.account import Caller, Scope
from cogyard.domain.secret import HolderKind, Secret
from cogyard.domain.values import JsonObject
from cogyard.validation import check_object

_PUT: JsonObject = {
    "type": "object",
    "properties": {"value": {"type": "string"}},
    "required": ["value"],
    "additionalProperties": False,
}


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    return [route for kind in HolderKind for route in _routes(_Secrets(yard, kind))]


def _routes(handlers: "_Secrets") -> list[Route]:
    guarded = handlers.yard.authenticated
    every = f"/{handlers.kind}s/{{owner}}/{{name}}/secrets"
    return [
        # even their names are for those alone who may change them
        resource(every, GET=guarded(handlers.list, Scope.write)),
        resource(
            f"{every}/{{secret}}", PUT=guarded(handlers.put, Scope.write), DELETE=guarded(handlers.remove, Scope.write)
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Secrets:
    yard: Yard
    kind: HolderKind

    async def list(self, request: Request, caller: Caller) -> Response:
        found = await self.yard.secrets.list(caller, self.kind, *_named(request))
        return answer({"results": [_shown(secret) for secret in found]})

    async def put(self, request: Request, caller: Caller) -> Response:
        holder = await self.yard.secrets.holder(caller, self.kind, *_named(request))
        body = check_object(await read_json(request, self.yard.max_body_bytes), _PUT)
        secret = request.path_params["secret"]
        return answer(_shown(await self.yard.secrets.put(caller, holder, secret, str(body["value"]))))

    async def remove(self, request: Request, caller: Caller) -> Response:
        await self.yard.secrets.remove(caller, self.kind, *_named(request), request.path_params["secret"])
        return Response(status_code=204)


def _named(request: Request) -> tuple[str, str]:
    return request.path_params["owner"], request.path_params["name"]


def _shown(secret: Secret) -> dict[str, object]:
    return {
        "name": secret.name,
        "created_at": secret.created_at,
        "updated_at": secret.updated_at,
        "updated_by": secret.updated_by,
    }
