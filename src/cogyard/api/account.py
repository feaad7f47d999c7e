"""The caller's account (`api-contract.md` §3.1) and tokens (an extension)."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.request import read_json
from cogyard.api.route import resource
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.domain.catalog import Account
from cogyard.domain.errors import InvalidField, InvalidFields, NotFound
from cogyard.domain.values import TokenId


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Account(yard)
    guarded = yard.authenticated
    return [
        resource("/account", GET=guarded(handlers.get)),
        resource("/tokens", GET=guarded(handlers.list_tokens), POST=guarded(handlers.create_token)),
        resource("/tokens/{id}/disable", POST=guarded(handlers.disable_token)),
    ]


@dataclass(frozen=True, slots=True)
class _Account:
    yard: Yard

    async def get(self, request: Request, caller: Account) -> Response:
        return answer(self.yard.wire(request).account(caller))

    async def list_tokens(self, request: Request, caller: Account) -> Response:
        wire = self.yard.wire(request)
        return answer({"results": [wire.token(token) for token in await self.yard.accounts.list_tokens(caller)]})

    async def create_token(self, request: Request, caller: Account) -> Response:
        body = await read_json(request, self.yard.max_body_bytes)
        name = body.get("name") if isinstance(body, dict) else None
        if not isinstance(name, str):
            raise InvalidFields([InvalidField("required", "", "name is required")])
        token, secret = await self.yard.accounts.create_token(caller, name)
        return answer({**self.yard.wire(request).token(token), "token": secret}, 201)

    async def disable_token(self, request: Request, caller: Account) -> Response:
        number = request.path_params["id"]
        if not number.isdecimal() or len(number) > 18:
            raise NotFound
        disabled = await self.yard.accounts.disable_token(caller, TokenId(int(number)))
        return answer(self.yard.wire(request).token(disabled))
