"""Accounts, members, tokens, acts and the server's own secrets on SQLite."""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Concatenate, ParamSpec, TextIO, TypeVar

from sqlalchemy import Connection

from cogyard.domain.account import Account, AccountKind, Caller, Member, Role, Token
from cogyard.domain.audit import Act
from cogyard.domain.errors import CogyardError
from cogyard.domain.values import AccountId, JsonObject, TokenId
from cogyard.ports import Clock, Holdings, Page, PageRequest
from cogyard.store import accounts, audit, tokens
from cogyard.store.sqlite_core import SqliteCore

T = TypeVar("T")
P = ParamSpec("P")

USES_WRITTEN_EVERY = 5.0
"""Seconds in which the uses of all tokens are gathered into one write; what a kill loses of them is no more."""

KEPT_BEARERS = 200_000
"""Bearers that are kept in memory, about half a kilobyte each."""


class SqliteAccounts(SqliteCore):
    """Implements `ports.AccountStore`, `TokenStore`, `AuditStore` and `SecretStore`; what each method does is there.

    Bearers are kept in memory, by the digest of their secrets. Whatever may change one of them empties that memory in
    the moment in which it is on disk; what was read before that moment is not kept.
    """

    def __init__(self, path: Path, clock: Clock, lock: TextIO) -> None:
        super().__init__(path, clock, lock)
        self._bearers: dict[bytes, tuple[Token, Caller]] = {}
        #: counts the times that something about bearers changed
        self._changes = 0
        self._uses: dict[TokenId, datetime] = {}
        self._writing_uses: asyncio.TimerHandle | None = None

    async def close(self) -> None:
        """Write down the last uses, then close."""
        if self._writing_uses is not None:
            self._writing_uses.cancel()
            self._write_uses()
        await super().close()

    def _change(
        self, command: Callable[Concatenate[Connection, P], T], *arguments: P.args, **named: P.kwargs
    ) -> "asyncio.Future[T]":
        """A write that may concern bearers."""
        changed = self._write(command, *arguments, **named)
        # not after an await here: the caller may be gone by then
        changed.add_done_callback(lambda _: self._forget_bearers())
        return changed

    def _forget_bearers(self) -> None:
        self._changes += 1
        self._bearers.clear()

    async def create_account(self, username: str, kind: AccountKind, name: str, at: datetime, role: Role) -> Account:
        """See `ports.AccountStore`."""
        values = {"username": username, "kind": kind.value, "name": name, "created_at": at, "role": role.value}
        return await self._write(accounts.create, values)

    async def get_account(self, username: str) -> Account | None:
        """See `ports.AccountStore`."""
        return await self._read(accounts.get, username)

    async def get_account_by_id(self, account: AccountId) -> Account:
        """See `ports.AccountStore`."""
        return await self._read(accounts.get_by_id, account)

    async def list_accounts(self, kind: AccountKind, page: PageRequest, *, member: AccountId | None) -> Page[Account]:
        """See `ports.AccountStore`."""
        return await self._read(accounts.page, kind, page, member)

    async def usernames(self, wanted: Collection[AccountId]) -> Mapping[AccountId, str]:
        """See `ports.AccountStore`."""
        return await self._read(accounts.usernames, wanted)

    async def busy_without_right(self) -> Sequence[Account]:
        """See `ports.AccountStore`."""
        return await self._read(accounts.busy_without_right)

    async def update_account(self, before: Account, after: Account) -> Account:
        """See `ports.AccountStore`."""
        return await self._change(accounts.change, before, after)

    async def delete_account(self, account: AccountId, at: datetime) -> Holdings | None:
        """See `ports.AccountStore`."""
        return await self._change(accounts.remove, account, at)

    async def list_members(self, organization: AccountId) -> Sequence[Member]:
        """See `ports.AccountStore`."""
        return await self._read(accounts.list_members, organization)

    async def get_member(self, organization: AccountId, account: AccountId) -> Member | None:
        """See `ports.AccountStore`."""
        return await self._read(accounts.get_member, organization, account)

    async def put_member(
        self, organization: AccountId, account: AccountId, role: Role, at: datetime, *, force: bool
    ) -> None:
        """See `ports.AccountStore`."""
        await self._change(accounts.put_member, organization, account, role, at, force=force)

    async def remove_member(self, organization: AccountId, account: AccountId, at: datetime, *, force: bool) -> bool:
        """See `ports.AccountStore`."""
        return await self._change(accounts.remove_member, organization, account, at, force=force)

    async def create_token(self, token: Token, secret: str) -> Token:
        """See `ports.TokenStore`."""
        key, made = _key(secret), self._write(tokens.create, token, secret)
        made.add_done_callback(lambda _: self._forget_bearer(key))
        return await made

    def _forget_bearer(self, key: bytes) -> None:
        self._changes += 1
        self._bearers.pop(key, None)

    async def find_bearer(self, secret: str) -> tuple[Token, Caller] | None:
        """See `ports.TokenStore`."""
        key = _key(secret)
        found = self._bearers.get(key)
        if found is None:
            changes = self._changes
            found = await self._read(tokens.find_bearer, secret)
            if found is None:
                return None
            if changes == self._changes:
                if len(self._bearers) >= KEPT_BEARERS:
                    self._bearers.pop(next(iter(self._bearers)))
                self._bearers[key] = found
        self._note_use(found[0])
        return found

    def _note_use(self, token: Token) -> None:
        self._uses[token.id] = self._clock.now()
        if self._writing_uses is None:
            self._writing_uses = asyncio.get_running_loop().call_later(USES_WRITTEN_EVERY, self._write_uses)

    def _write_uses(self) -> None:
        uses, self._uses, self._writing_uses = self._uses, {}, None
        self._write(tokens.note_uses, uses).add_done_callback(_ignore_outcome)

    async def list_tokens(self, account: AccountId, member: AccountId | None = None) -> Sequence[Token]:
        """See `ports.TokenStore`."""
        return await self._read(tokens.of_account, account, member)

    async def get_token(self, token: TokenId) -> Token | None:
        """See `ports.TokenStore`."""
        return await self._read(tokens.get, token)

    async def token_names(self, wanted: Collection[TokenId]) -> Mapping[TokenId, str]:
        """See `ports.TokenStore`."""
        return await self._read(tokens.names, wanted)

    async def disable_token(self, token: TokenId, at: datetime) -> Token | None:
        """See `ports.TokenStore`."""
        return await self._change(tokens.disable, token, at)

    async def begin_act(self, act: Act) -> int:
        """See `ports.AuditStore`."""
        return await self._write(audit.begin, act)

    async def end_act(self, number: int, status: int, details: JsonObject) -> None:
        """See `ports.AuditStore`."""
        await self._write(audit.end, number, status, details)

    async def list_acts(self, account: AccountId | None, action: str | None, page: PageRequest) -> Page[Act]:
        """See `ports.AuditStore`."""
        return await self._read(audit.page, account, action, page)

    async def get_secret(self, name: str, make: Callable[[], str]) -> str:
        """See `ports.SecretStore`."""
        return await self._write(accounts.get_secret, name, make)


def _key(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _ignore_outcome(noted: "asyncio.Future[None]") -> None:
    """A use that could not be noted is no reason to fail a request."""
    with suppress(CogyardError):
        noted.result()
