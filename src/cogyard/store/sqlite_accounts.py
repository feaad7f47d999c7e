"""Accounts, tokens and the server's own secrets on SQLite."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

from cogyard.domain.catalog import Account, AccountKind, Token
from cogyard.domain.errors import CogyardError
from cogyard.domain.values import AccountId, TokenId
from cogyard.ports import Clock
from cogyard.store import accounts
from cogyard.store.sqlite_core import SqliteCore

USE_NOTED_EVERY = timedelta(minutes=1)
"""How exact a token's `last_used_at` is; exacter would cost a write for each request."""

KEPT_TOKENS = 10_000


class SqliteAccounts(SqliteCore):
    """Implements `ports.AccountStore` and `ports.SecretStore`; what each method does stands there."""

    def __init__(self, path: Path, clock: Clock, lock: TextIO) -> None:
        super().__init__(path, clock, lock)
        self._tokens: dict[str, tuple[Token, Account]] = {}
        self._uses: dict[TokenId, datetime] = {}

    async def create_account(
        self, username: str, kind: AccountKind, name: str, at: datetime, *, is_admin: bool
    ) -> Account:
        """See `ports.AccountStore`."""
        values = accounts.account_values(username, kind, name, at, is_admin=is_admin)
        return await self._write(accounts.create_account, values)

    async def get_account(self, username: str) -> Account | None:
        """See `ports.AccountStore`."""
        return await self._read(accounts.get_account, username)

    async def get_account_by_id(self, account: AccountId) -> Account:
        """See `ports.AccountStore`."""
        return await self._read(accounts.get_account_by_id, account)

    async def create_token(self, account: AccountId, name: str, secret: str, at: datetime) -> Token:
        """See `ports.AccountStore`."""
        values = {
            "account": account,
            "name": name,
            "prefix": secret[: accounts.PREFIX_CHARACTERS],
            "hash": _hash(secret),
            "created_at": at,
        }
        self._tokens.pop(_hash(secret), None)
        return await self._write(accounts.create_token, values)

    async def find_token(self, secret: str) -> tuple[Token, Account] | None:
        """See `ports.AccountStore`."""
        key = _hash(secret)
        found = self._tokens.get(key)
        if found is None:
            found = await self._read(accounts.find_token, key)
            if found is None:
                return None
            if len(self._tokens) >= KEPT_TOKENS:
                self._tokens.pop(next(iter(self._tokens)))
            self._tokens[key] = found
        self._note_use(found[0])
        return found

    def _note_use(self, token: Token) -> None:
        now = self._clock.now()
        if now - self._uses.get(token.id, token.created_at) < USE_NOTED_EVERY and token.id in self._uses:
            return
        self._uses[token.id] = now
        self._write(accounts.note_use, token.id, now).add_done_callback(_ignore_outcome)

    async def list_tokens(self, account: AccountId) -> Sequence[Token]:
        """See `ports.AccountStore`."""
        return await self._read(accounts.list_tokens, account)

    async def disable_token(self, account: AccountId, token: TokenId, at: datetime) -> Token | None:
        """See `ports.AccountStore`."""
        disabled = await self._write(accounts.disable_token, account, token, at)
        self._tokens = {key: found for key, found in self._tokens.items() if found[0].id != token}
        return disabled

    async def get_secret(self, name: str, make: Callable[[], str]) -> str:
        """See `ports.SecretStore`."""
        return await self._write(accounts.get_secret, name, make)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _ignore_outcome(noted: "asyncio.Future[None]") -> None:
    """A use that could not be noted is no reason to fail a request."""
    with suppress(CogyardError):
        noted.result()
