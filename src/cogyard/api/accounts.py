"""The caller's account (`api-contract.md` §3.1); users, organizations and their members (extensions)."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.accounts import PAGE_SIZE, AccountChange
from cogyard.api.acts import note
from cogyard.api.request import parse_page, read_json
from cogyard.api.route import resource
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.domain.account import Account, AccountKind, Caller, Member, Role, Scope
from cogyard.domain.values import JsonObject
from cogyard.validation import check_object

_NAME: JsonObject = {"type": "string", "maxLength": 200}
_ROLE: JsonObject = {"type": "string", "enum": [role.value for role in Role]}
_CREATE: JsonObject = {
    "type": "object",
    "properties": {"username": {"type": "string"}, "name": _NAME, "role": _ROLE},
    "required": ["username"],
    "additionalProperties": False,
}
_CHANGE: JsonObject = {
    "type": "object",
    "properties": {"name": _NAME, "role": _ROLE, "is_disabled": {"type": "boolean"}},
    "additionalProperties": False,
}
_MEMBER: JsonObject = {
    "type": "object",
    "properties": {"role": _ROLE},
    "required": ["role"],
    "additionalProperties": False,
}


def routes(yard: Yard) -> list[Route]:
    """The routes of these resources."""
    guarded = yard.authenticated
    own, users = _Own(yard), _Accounts(yard, AccountKind.user)
    organizations = _Accounts(yard, AccountKind.organization)
    return [
        resource("/account", GET=guarded(own.get, Scope.read)),
        *_crud(yard, "/users", users),
        *_crud(yard, "/organizations", organizations),
        resource(
            "/organizations/{username}/members/{member}",
            PUT=guarded(organizations.put_member, Scope.admin),
            DELETE=guarded(organizations.remove_member, Scope.admin),
        ),
    ]


def _crud(yard: Yard, path: str, handlers: "_Accounts") -> list[Route]:
    guarded = yard.authenticated
    return [
        resource(path, GET=guarded(handlers.list, Scope.read), POST=guarded(handlers.create, Scope.admin)),
        resource(
            path + "/{username}",
            GET=guarded(handlers.get, Scope.read),
            PATCH=guarded(handlers.update, Scope.admin),
            DELETE=guarded(handlers.delete, Scope.admin),
        ),
    ]


@dataclass(frozen=True, slots=True)
class _Own:
    yard: Yard

    async def get(self, request: Request, caller: Caller) -> Response:
        return answer(self.yard.wire(request).account(caller))


@dataclass(frozen=True, slots=True)
class _Accounts:
    yard: Yard
    kind: AccountKind

    async def list(self, request: Request, caller: Caller) -> Response:
        page = await self.yard.accounts.list(caller, self.kind, parse_page(request, PAGE_SIZE, ascending=True))
        return self.yard.page(request, page, [self._shown(request, one) for one in page.items])

    async def create(self, request: Request, caller: Caller) -> Response:
        body = check_object(await read_json(request, self.yard.max_body_bytes), _CREATE)
        username, role = str(body["username"]), Role(str(body.get("role", Role.publisher)))
        note(request, username=username[:80], role=role.value)
        made = await self.yard.accounts.create(caller, self.kind, username, str(body.get("name", "")), role)
        return await self._whole(request, caller, made, 201)

    async def get(self, request: Request, caller: Caller) -> Response:
        return await self._whole(request, caller, await self.yard.accounts.get(caller, self.kind, _username(request)))

    async def update(self, request: Request, caller: Caller) -> Response:
        await self.yard.accounts.get(caller, self.kind, _username(request))
        body = check_object(await read_json(request, self.yard.max_body_bytes), _CHANGE)
        name, role, is_disabled = body.get("name"), body.get("role"), body.get("is_disabled")
        wanted = AccountChange(
            name=name if isinstance(name, str) else None,
            role=Role(role) if isinstance(role, str) else None,
            is_disabled=is_disabled if isinstance(is_disabled, bool) else None,
        )
        before, after = await self.yard.accounts.update(caller, self.kind, _username(request), wanted)
        note(request, before=_told(before), after=_told(after))
        return await self._whole(request, caller, after)

    async def delete(self, request: Request, caller: Caller) -> Response:
        await self.yard.accounts.delete(caller, self.kind, _username(request))
        return Response(status_code=204)

    async def put_member(self, request: Request, caller: Caller) -> Response:
        await self.yard.accounts.get(caller, self.kind, _username(request))
        body = check_object(await read_json(request, self.yard.max_body_bytes), _MEMBER)
        role = Role(str(body["role"]))
        before, after = await self.yard.accounts.put_member(
            caller, _username(request), request.path_params["member"], role
        )
        note(request, before=None if before is None else before.role.value, after=after.role.value)
        return answer(_member(after))

    async def remove_member(self, request: Request, caller: Caller) -> Response:
        await self.yard.accounts.remove_member(caller, _username(request), request.path_params["member"])
        return Response(status_code=204)

    async def _whole(self, request: Request, caller: Caller, account: Account, status: int = 200) -> Response:
        shown = self._shown(request, account)
        if account.kind is AccountKind.organization:
            members: Sequence[Member] = await self.yard.accounts.members(caller, account.username)
            shown["members"] = [_member(member) for member in members]
        return answer(shown, status)

    def _shown(self, request: Request, account: Account) -> dict[str, object]:
        return {
            **self.yard.wire(request).account(account),
            "role": account.role.value,
            "created_at": account.created_at,
            "disabled_at": account.disabled_at,
        }


def _username(request: Request) -> str:
    username: str = request.path_params["username"]
    return username


def _member(member: Member) -> dict[str, object]:
    return {"username": member.username, "role": member.role.value, "since": member.since}


def _told(account: Account) -> JsonObject:
    return {"name": account.name, "role": account.role.value, "is_disabled": account.disabled_at is not None}
