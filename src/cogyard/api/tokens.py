"""Tokens (an extension): make, list, disable."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.acts import note
from cogyard.api.request import path_number, read_json
from cogyard.api.route import resource
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.domain.account import Caller, Scope, Token, in_order
from cogyard.domain.catalog import parse_model_name
from cogyard.domain.errors import InvalidRequest, InvalidResource
from cogyard.domain.times import parse_utc
from cogyard.domain.values import AccountId, Json, JsonObject, TokenId
from cogyard.tokens import NewToken
from cogyard.validation import check_object

_MOST_MODELS = 100

_NEW: JsonObject = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "account": {"type": "string"},
        "scopes": {"type": "array", "items": {"type": "string", "enum": [scope.value for scope in Scope]}},
        "models": {"type": "array", "items": {"type": "string"}, "maxItems": _MOST_MODELS},
        "expires_at": {"type": ["string", "null"]},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Tokens(yard)
    guarded = yard.authenticated
    return [
        resource(
            "/tokens",
            GET=guarded(handlers.list, Scope.admin),
            POST=guarded(handlers.create, Scope.admin),
        ),
        resource("/tokens/{id}/disable", POST=guarded(handlers.disable, Scope.admin)),
    ]


@dataclass(frozen=True, slots=True)
class _Tokens:
    yard: Yard

    async def list(self, request: Request, caller: Caller) -> Response:
        found = await self.yard.tokens.list(caller, request.query_params.get("account"))
        names = await self.yard.tokens.names(found)
        return answer({"results": [shown(token, names) for token in found]})

    async def create(self, request: Request, caller: Caller) -> Response:
        wanted = _wanted(check_object(await read_json(request, self.yard.max_body_bytes), _NEW))
        token, secret = await self.yard.tokens.create(caller, wanted)
        names = await self.yard.tokens.names([token])
        for_what = {"account": names[token.account], "scopes": _scopes(token), "models": _models(token)}
        note(request, token=token.id, name=token.name, **for_what)
        return answer({**shown(token, names), "token": secret}, 201)

    async def disable(self, request: Request, caller: Caller) -> Response:
        disabled = await self.yard.tokens.disable(caller, TokenId(path_number(request)))
        note(request, name=disabled.name)
        return answer(shown(disabled, await self.yard.tokens.names([disabled])))


def shown(token: Token, names: Mapping[AccountId, str]) -> dict[str, object]:
    """What is told of a token; never its secret. `names` has the usernames of accounts."""
    return {
        "id": token.id,
        "name": token.name,
        "prefix": token.prefix,
        "account": names[token.account],
        "member": None if token.member is None else names[token.member],
        "scopes": _scopes(token),
        "models": _models(token),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "disabled_at": token.disabled_at,
    }


def _scopes(token: Token) -> Json:
    return [scope.value for scope in in_order(token.scopes)]


def _models(token: Token) -> Json:
    return None if token.models is None else [*sorted(token.models)]


def _wanted(body: JsonObject) -> NewToken:
    """Raises `InvalidResource`."""
    account, scopes, models = body.get("account"), body.get("scopes"), body.get("models")
    return NewToken(
        name=str(body["name"]),
        account=account if isinstance(account, str) else None,
        scopes=frozenset(Scope(str(scope)) for scope in scopes) if isinstance(scopes, list) else None,
        models=frozenset(_model(model) for model in models) if isinstance(models, list) else None,
        expires_at=_expiry(body.get("expires_at")),
    )


def _model(given: Json) -> str:
    try:
        owner, name = parse_model_name(str(given))
    except InvalidRequest as error:
        raise InvalidResource("models", str(error)) from None
    return f"{owner}/{name}".lower()


def _expiry(given: Json) -> datetime | None:
    if not isinstance(given, str):
        return None
    try:
        return parse_utc(given)
    except ValueError:
        raise InvalidResource(
            "expires_at", f"{given[:60]!r} is not a time; write ISO 8601, for example 2027-01-31T12:00:00Z"
        ) from None
