"""Use cases of accounts: the first admin, users, organizations and their members."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from cogyard.domain.account import Account, AccountKind, Caller, Member, Role, Token
from cogyard.domain.catalog import NAME
from cogyard.domain.errors import Conflict, Forbidden, InvalidResource, NotFound
from cogyard.domain.values import AccountId, TokenId
from cogyard.endings import cancel_all
from cogyard.ports import (
    AccountStore,
    Bus,
    Clock,
    Page,
    PageRequest,
    PredictionFilter,
    PredictionStore,
    TokenStore,
)

PAGE_SIZE = 100

BOOTSTRAP = "bootstrap"
"""Name of the token that the server was started with."""


RESERVED = frozenset(
    [
        "account",
        "api",
        "audit",
        "budgets",
        "collections",
        "cogyard-admin",
        "delivery",
        "deployments",
        "docs",
        "explore",
        "files",
        "hardware",
        "health",
        "instances",
        "machine",
        "mcp",
        "models",
        "openapi.json",
        "organizations",
        "p",
        "predictions",
        "queue",
        "search",
        "settings",
        "static",
        "streams",
        "tokens",
        "trainings",
        "usage",
        "users",
        "v1",
        "webhooks",
    ]
)
"""Names that are, or may become, the first part of a path."""


class Registry(AccountStore, TokenStore, PredictionStore, Protocol):
    """What these use cases need of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """What a caller wants to change; None leaves it as it is."""

    name: str | None = None
    role: Role | None = None
    is_disabled: bool | None = None


class Accounts:
    """The accounts of the yard; each call says who asks."""

    def __init__(self, store: Registry, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock

    async def bootstrap(self, username: str, secret: str) -> Account:
        """The first admin, made when missing, with `secret` as its bootstrap token in place of an earlier one.

        Whoever starts the server owns the yard: a demoted or disabled first admin is one again. Raises `Conflict`
        when the secret is another account's token, or the name is an organization's.
        """
        admin, now = await self._store.get_account(username), self._clock.now()
        if admin is None:
            admin = await self._store.create_account(username, AccountKind.user, username, now, Role.viewer)
        if admin.kind is not AccountKind.user:
            raise Conflict(f"{username} is an organization; start the server with another COGYARD_OWNER.")
        # the token first: where that is refused, nobody must have become an admin
        bare = Token(id=TokenId(0), account=admin.id, name=BOOTSTRAP, prefix="", created_at=now)
        current = await self._store.create_token(bare, secret)
        if not (admin.is_admin and admin.is_active):
            admin = await self._store.update_account(admin, replace(admin, role=Role.admin, disabled_at=None))
        for token in await self._store.list_tokens(admin.id):
            if token.name == BOOTSTRAP and token.id != current.id and token.disabled_at is None:
                await self._store.disable_token(token.id, now)
        for one in await self._store.busy_without_right():  # a server that died may not have come to all that they ran
            await self._cancel_all(one)
        return admin

    async def create(self, caller: Caller, kind: AccountKind, username: str, name: str, role: Role) -> Account:
        """A new user or organization. Raises `Forbidden`, `InvalidResource`, `Conflict`."""
        _check_admin(caller)
        if not NAME.fullmatch(username) or username.lower() in RESERVED:
            raise InvalidResource(
                "username",
                f"{username[:80]!r} cannot be one: use letters, digits, '.', '_' and '-', at most 64, beginning and "
                "ending with a letter or digit, and no word that is a path of this server",
            )
        if kind is AccountKind.organization and role is Role.admin:
            raise InvalidResource("role", "an organization cannot be an admin of the yard; its members can")
        return await self._store.create_account(username, kind, name.strip() or username, self._clock.now(), role)

    async def list(self, caller: Caller, kind: AccountKind, page: PageRequest) -> Page[Account]:
        """All users or organizations for an admin, the oldest first; to others the organizations that they are in.

        Raises `Forbidden`.
        """
        if kind is AccountKind.organization and not caller.is_admin:
            return await self._store.list_accounts(kind, page, member=caller.id)
        _check_admin(caller)
        return await self._store.list_accounts(kind, page, member=None)

    async def get(self, caller: Caller, kind: AccountKind, username: str) -> Account:
        """An account that the caller is, administers or belongs to. Raises `NotFound`."""
        found = await self._store.get_account(username)
        if found is not None and found.kind is kind and (caller.is_admin or found.id == caller.id):
            return found
        # asked for a name that nobody has too: the time of the answer must not tell which ones are taken
        member = await self._store.get_member(AccountId(0) if found is None else found.id, caller.id)
        if found is None or found.kind is not kind or member is None:
            raise NotFound
        return found

    async def update(
        self, caller: Caller, kind: AccountKind, username: str, wanted: AccountChange
    ) -> tuple[Account, Account]:
        """Change an account; returns it as it was and as it is. What is disabled has its running predictions end.

        Admins change everything, others the name of what they manage. Raises `NotFound`, `Forbidden`, `Conflict`,
        `InvalidResource`.
        """
        before = await self._managed(caller, kind, username)
        if wanted.role is not None or wanted.is_disabled is not None:
            _check_admin(caller)
        if kind is AccountKind.organization and wanted.role is Role.admin:
            raise InvalidResource("role", "an organization cannot be an admin of the yard; its members can")
        disabled_at = before.disabled_at
        if wanted.is_disabled is not None:
            disabled_at = (before.disabled_at or self._clock.now()) if wanted.is_disabled else None
        after = replace(
            before,
            name=before.name if wanted.name is None else wanted.name.strip() or before.username,
            role=wanted.role or before.role,
            disabled_at=disabled_at,
        )
        after = await self._store.update_account(before, after)
        if not after.is_active:
            await self._cancel_all(after)
        if after.is_active != before.is_active:
            self._bus.publish(("queue", "accounts"))  # what is kept warm for it
        return before, after

    async def delete(self, caller: Caller, kind: AccountKind, username: str) -> None:
        """Delete an account that owns no models and deployments; its predictions end, its name stays taken.

        Raises `NotFound`, `Forbidden`, `Conflict`.
        """
        _check_admin(caller)
        found = await self.get(caller, kind, username)
        held = await self._store.delete_account(found.id, self._clock.now())
        if held is not None:
            owned = ", ".join([*held.models, *held.deployments])
            raise Conflict(
                f"{found.username} owns {owned}: delete what is not needed any more, or disable the account "
                f"(is_disabled: true) so that nobody can act for it."
            )
        await self._cancel_all(found)

    async def members(self, caller: Caller, username: str) -> Sequence[Member]:
        """The members of an organization, by name. Raises `NotFound`."""
        found = await self.get(caller, AccountKind.organization, username)
        return await self._store.list_members(found.id)

    async def put_member(self, caller: Caller, username: str, member: str, role: Role) -> tuple[Member | None, Member]:
        """Add a user to an organization or change her role; returns the membership as it was and as it is.

        Raises `NotFound`, `Forbidden`, `Conflict`, `InvalidResource` when there is no such user.
        """
        organization = await self._managed(caller, AccountKind.organization, username)
        user = await self._store.get_account(member)
        if user is None or user.kind is not AccountKind.user:
            raise InvalidResource("member", f"there is no user {member[:80]!r}")
        before = await self._store.get_member(organization.id, user.id)
        now = self._clock.now()
        await self._store.put_member(organization.id, user.id, role, now, force=caller.is_admin)
        after = await self._store.get_member(organization.id, user.id)
        return before, after or Member(
            organization=organization.id, account=user.id, username=user.username, role=role, since=now
        )

    async def remove_member(self, caller: Caller, username: str, member: str) -> None:
        """Take a user out of an organization; the tokens that she held for it are disabled.

        Members may leave by themselves. Raises `NotFound`, `Forbidden`, `Conflict`.
        """
        user = await self._store.get_account(member)
        leaves = user is not None and user.id == caller.id
        find = self.get if leaves else self._managed
        organization = await find(caller, AccountKind.organization, username)
        now = self._clock.now()
        if user is None or not await self._store.remove_member(organization.id, user.id, now, force=caller.is_admin):
            raise NotFound

    async def _managed(self, caller: Caller, kind: AccountKind, username: str) -> Account:
        """An account that the caller may change. Raises `NotFound`, `Forbidden`."""
        found = await self.get(caller, kind, username)
        if caller.is_admin or found.id == caller.id:
            return found
        member = await self._store.get_member(found.id, caller.id)
        if member is None or member.role is not Role.admin:
            raise Forbidden(f"Only admins of {found.username} may do this.")
        return found

    async def _cancel_all(self, account: Account) -> None:
        wanted = PredictionFilter(account=account.id, kind=None, is_unfinished=True)
        await cancel_all(self._store, self._bus, self._clock, wanted)


def _check_admin(caller: Caller) -> None:
    if not caller.is_admin:
        raise Forbidden("Only admins of this yard may do this.")
