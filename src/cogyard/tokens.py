"""Use cases of tokens: who is calling, and making, listing and disabling tokens."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cogyard.domain.account import Account, AccountKind, Caller, Scope, Token, caller_of, in_order
from cogyard.domain.errors import Conflict, Forbidden, InvalidResource, NotFound, Unauthenticated
from cogyard.domain.values import NO_TOKEN, AccountId, TokenId
from cogyard.ports import AccountStore, Clock, TokenStore

MAX_NAME = 100

MISSING_TOKEN = "You did not pass an authentication token"
BAD_TOKEN = "You did not pass a valid authentication token"


class Registry(AccountStore, TokenStore, Protocol):
    """What these use cases need of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """What a caller wants of a token. None means: as much as the caller may give, but for the scope `admin`."""

    name: str
    #: username of the account that it acts for; the caller's own by default
    account: str | None = None
    scopes: frozenset[Scope] | None = None
    models: frozenset[str] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """For which account a caller acts, as which of its members, and with what at most."""

    account: Account
    member: AccountId | None
    scopes: frozenset[Scope]
    #: sees and disables the tokens of other members too
    is_manager: bool


class Tokens:
    """The tokens of every account; each call says who asks."""

    def __init__(self, store: Registry, clock: Clock, new_secret: Callable[[], str]) -> None:
        self._store = store
        self._clock = clock
        self._new_secret = new_secret

    async def authenticate(self, headers: Sequence[str]) -> Caller:
        """Who bears the token of the `Authorization` headers of a request (`api-contract.md` §1.1).

        Raises `Unauthenticated` with the contract's sentence: there is no header, there are several (RFC 9110 §5.3),
        the token is unknown, disabled or expired.
        """
        if not headers or not headers[0]:
            raise Unauthenticated(MISSING_TOKEN)
        scheme, _, secret = headers[0].partition(" ")
        if scheme.lower() not in ("bearer", "token") or not (secret := secret.strip()):
            raise Unauthenticated(MISSING_TOKEN)
        if len(headers) > 1 and any(other != headers[0] for other in headers):
            raise Unauthenticated(BAD_TOKEN)
        found = await self._store.find_bearer(secret)
        if found is None:
            raise Unauthenticated(BAD_TOKEN)
        token, caller = found
        if token.expires_at is not None and token.is_expired(self._clock.now()):
            # written down, so that a clock that is set back does not bring it back
            await self._store.disable_token(token.id, token.expires_at)
            raise Unauthenticated(BAD_TOKEN)
        return caller

    async def check_same(self, headers: Sequence[str], caller: Caller) -> None:
        """Raise `Unauthenticated` or `Conflict` where the headers stand for less or more than they did before."""
        now = await self.authenticate(headers)
        if (now.scopes, now.role, now.models) != (caller.scopes, caller.role, caller.models):
            raise Conflict("What your token may do has changed since this request began; send it again.")

    async def create(self, caller: Caller, wanted: NewToken) -> tuple[Token, str]:
        """A new token and its secret, which is told only now.

        Nobody can give more than she has: raises `InvalidResource` for scopes, models or a lifetime beyond the
        caller's own, `NotFound` for an account that is not the caller's.
        """
        name = wanted.name.strip()
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
            raise InvalidResource("name", f"must have 1 to {MAX_NAME} printable characters")
        side = await self._side(caller, wanted.account)
        scopes = side.scopes - {Scope.admin} if wanted.scopes is None else wanted.scopes
        if not scopes or not scopes <= side.scopes:
            most = ", ".join(in_order(side.scopes)) or "none"
            raise InvalidResource("scopes", f"choose some of those that you may give for this account: {most}")
        if wanted.models is not None and (Scope.admin in scopes or not wanted.models):
            raise InvalidResource("models", "must name some models; and a token for named models cannot be an admin's")
        token = Token(
            id=TokenId(0),
            account=side.account.id,
            name=name,
            prefix="",
            created_at=self._clock.now(),
            scopes=scopes,
            models=wanted.models,
            member=side.member,
            expires_at=self._expiry(caller, wanted.expires_at),
        )
        secret = self._new_secret()
        return await self._store.create_token(token, secret), secret

    async def list(self, caller: Caller, account: str | None) -> Sequence[Token]:
        """Tokens of the caller's account, or of another one that she acts for, newest first. Raises `NotFound`."""
        side = await self._side(caller, account)
        return await self._store.list_tokens(side.account.id, None if side.is_manager else side.member)

    async def disable(self, caller: Caller, token: TokenId) -> Token:
        """Disable a token of the caller's, or of an account that she manages. Raises `NotFound`."""
        found = await self._store.get_token(token)
        if found is None or not await self._may_disable(caller, found):
            raise NotFound
        return await self._store.disable_token(token, self._clock.now()) or found

    async def names(self, found: Sequence[Token]) -> Mapping[AccountId, str]:
        """The usernames of those who hold or own tokens."""
        wanted = {token.account for token in found} | {token.member for token in found if token.member is not None}
        return await self._store.usernames(wanted)

    async def _may_disable(self, caller: Caller, token: Token) -> bool:
        if caller.is_admin or token.account == caller.id or token.member == caller.id:
            return True
        member = await self._store.get_member(token.account, caller.id)
        return member is not None and Scope.admin in member.role.scopes

    async def _side(self, caller: Caller, username: str | None) -> _Side:
        if username is None or username.lower() == caller.username.lower():
            return _Side(account=caller, member=caller.member, scopes=caller.scopes, is_manager=True)
        account = await self._store.get_account(username)
        if account is None:
            raise NotFound
        if caller.is_admin:
            return _Side(account=account, member=None, scopes=_most(account), is_manager=True)
        member = await self._store.get_member(account.id, caller.id)
        if member is None or account.kind is not AccountKind.organization:
            raise NotFound
        scopes = _most(account) & member.role.scopes
        is_manager = Scope.admin in scopes
        if caller.scopes != _most(caller):
            scopes &= caller.scopes  # her role on the yard is no limit for what she does for others, a weak token is
        return _Side(account=account, member=caller.id, scopes=scopes, is_manager=is_manager)

    def _expiry(self, caller: Caller, wanted: datetime | None) -> datetime | None:
        if wanted is not None and wanted <= self._clock.now():
            raise InvalidResource("expires_at", "must be a time to come")
        last = caller.expires_at
        if last is not None and wanted is not None and wanted > last:
            raise InvalidResource("expires_at", "must not be later than the end of the token that you make it with")
        return wanted or last


def _most(account: Account) -> frozenset[Scope]:
    """The most that a token of an account itself may allow."""
    return account.role.scopes | {Scope.admin}


def require(caller: Caller, scope: Scope) -> None:
    """Raise `Forbidden`, saying what is missing, when the caller's token does not have the scope."""
    if scope not in caller.scopes:
        has = ", ".join(in_order(caller.scopes)) or "none"
        raise Forbidden(
            f"This needs a token with the scope {scope}; yours has {has}. "
            "Make another token, or ask an admin for a role that allows it."
        )


def as_caller(account: Account) -> Caller:
    """The server's own calls for an account that bears no token."""
    token = Token(id=NO_TOKEN, account=account.id, name="", prefix="", created_at=account.created_at)
    return caller_of(token, account, None)
