"""Accounts, who may act for them, and with what right.

What a caller may do is the intersection of four things: what the yard lets the account do (its role), what the
organization lets the member do (the role of the membership), what the token was made for (its scopes and models), and
whether all of them are still valid. `Caller` holds the outcome; nothing else decides.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from cogyard.domain.values import AccountId, TokenId


class AccountKind(StrEnum):
    """The wire's words (`api-contract.md` §3.1)."""

    user = "user"
    organization = "organization"


class Scope(StrEnum):
    """What a token may be used for. None of them holds another."""

    #: look at things
    read = "read"
    #: make predictions, and the files that go into them
    run = "run"
    #: push, train and change models, deployments and secrets
    write = "write"
    #: manage the account: its tokens and members; with the role `admin`, the whole yard
    admin = "admin"


class Role(StrEnum):
    """What an account may do on this yard, or a member for an organization; each one holds the ones before it."""

    viewer = "viewer"
    runner = "runner"
    publisher = "publisher"
    admin = "admin"

    @property
    def scopes(self) -> frozenset[Scope]:
        """The most that it allows."""
        return frozenset(list(Scope)[: list(Role).index(self) + 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who owns models and predictions: a user, or an organization for which its members act."""

    id: AccountId
    kind: AccountKind
    username: str
    name: str
    created_at: datetime
    github_url: str | None = None
    avatar_url: str | None = None
    role: Role = Role.publisher
    #: since when its tokens are refused
    disabled_at: datetime | None = None
    #: since when it is gone; its name stays taken, so that nobody inherits its history
    deleted_at: datetime | None = None

    @property
    def is_admin(self) -> bool:
        """Whether it may administer the yard."""
        return self.role is Role.admin

    @property
    def is_active(self) -> bool:
        """Whether its tokens work."""
        return self.disabled_at is None and self.deleted_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A user who acts for an organization."""

    organization: AccountId
    account: AccountId
    username: str
    role: Role
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An API token's record. The secret itself is never kept, only its SHA-256."""

    id: TokenId
    account: AccountId
    name: str
    #: first characters of the secret, enough to find and to recognise it
    prefix: str
    created_at: datetime
    scopes: frozenset[Scope] = frozenset(Scope)
    #: `owner/name` in lower case of the only models that it is for; None for any
    models: frozenset[str] | None = None
    #: who holds it, of an organization's token that a member made for herself
    member: AccountId | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    disabled_at: datetime | None = None

    def is_expired(self, now: datetime) -> bool:
        """Whether its time has come."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller(Account):
    """An account as one token of it may act."""

    token: TokenId
    token_name: str
    scopes: frozenset[Scope]
    models: frozenset[str] | None = None
    #: who holds the token, of an organization's token that a member made for herself
    member: AccountId | None = None
    expires_at: datetime | None = None

    @property
    def is_admin(self) -> bool:
        """Whether it may administer the yard with this token."""
        return self.role is Role.admin and Scope.admin in self.scopes

    def is_for(self, model: str) -> bool:
        """Whether the token is for the model `owner/name`, in any letter case."""
        return self.models is None or model.lower() in self.models


def scopes_of(token: Token, account: Account, member: Member | None) -> frozenset[Scope]:
    """What a token allows now: its own scopes, within what its account and the member who holds it may do.

    Every account administers itself, whatever its role on the yard; a token that a member holds allows nothing once
    that member has left.
    """
    allowed = token.scopes & (account.role.scopes | {Scope.admin})
    if token.member is None:
        return allowed
    return allowed & member.role.scopes if member is not None else frozenset()


def caller_of(token: Token, account: Account, member: Member | None) -> Caller:
    """The account as the token may act for it."""
    told = {field.name: getattr(account, field.name) for field in fields(Account)}
    return Caller(
        **told,
        token=token.id,
        token_name=token.name,
        scopes=scopes_of(token, account, member),
        models=token.models,
        member=token.member,
        expires_at=token.expires_at,
    )


def in_order(scopes: Iterable[Scope]) -> list[Scope]:
    """Scopes as they are shown: the weakest first."""
    wanted = set(scopes)
    return [scope for scope in Scope if scope in wanted]
