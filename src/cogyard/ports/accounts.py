"""What the house needs of a store for accounts, members, tokens and the log of what was done."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cogyard.domain.account import Account, AccountKind, Caller, Member, Role, Token
from cogyard.domain.audit import Act
from cogyard.domain.values import AccountId, JsonObject, TokenId
from cogyard.ports.paging import Page, PageRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """What stands against deleting an account: names of its models and deployments."""

    models: Sequence[str]
    deployments: Sequence[str]


class AccountStore(Protocol):
    """Accounts and members of organizations."""

    async def create_account(self, username: str, kind: AccountKind, name: str, at: datetime, role: Role) -> Account:
        """A new account. Raises `Conflict` when the username is taken (letter case does not tell names apart)."""
        ...

    async def get_account(self, username: str) -> Account | None:
        """The account of that name, in any letter case, unless it was deleted."""
        ...

    async def get_account_by_id(self, account: AccountId) -> Account:
        """The account of that number, also a deleted one."""
        ...

    async def usernames(self, wanted: Collection[AccountId]) -> Mapping[AccountId, str]:
        """The usernames of accounts, also of deleted ones."""
        ...

    async def list_accounts(self, kind: AccountKind, page: PageRequest, *, member: AccountId | None) -> Page[Account]:
        """Accounts of a kind, the oldest first; with `member` the organizations that she belongs to."""
        ...

    async def busy_without_right(self) -> Sequence[Account]:
        """Accounts that are disabled or deleted, and have predictions that have not ended."""
        ...

    async def update_account(self, before: Account, after: Account) -> Account:
        """Store what `after` has otherwise than `before` of name, role, `disabled_at` and `deleted_at`.

        Raises `Conflict` when the yard would be left without an active admin.
        """
        ...

    async def delete_account(self, account: AccountId, at: datetime) -> Holdings | None:
        """Delete an account with its tokens, memberships and uploads; what stands against it, where something does.

        Raises `Conflict` when the yard would be left without an active admin.
        """
        ...

    async def list_members(self, organization: AccountId) -> Sequence[Member]:
        """An organization's members, by name."""
        ...

    async def get_member(self, organization: AccountId, account: AccountId) -> Member | None:
        """One of them."""
        ...

    async def put_member(
        self, organization: AccountId, account: AccountId, role: Role, at: datetime, *, force: bool
    ) -> None:
        """Add a member, or change her role.

        Raises `Conflict` when no admin would be left among the members, unless forced.
        """
        ...

    async def remove_member(self, organization: AccountId, account: AccountId, at: datetime, *, force: bool) -> bool:
        """Remove one and disable the tokens that she held; False when she was none.

        Raises `Conflict` when no admin would be left among the members, unless forced.
        """
        ...


class TokenStore(Protocol):
    """Tokens, and who bears them."""

    async def create_token(self, token: Token, secret: str) -> Token:
        """Record a token (its `id` is ignored) by the hash of its secret.

        One that the account has already is enabled and becomes as `token` says. Raises `Conflict` when the secret is
        another account's.
        """
        ...

    async def find_bearer(self, secret: str) -> tuple[Token, Caller] | None:
        """Who bears this secret; None when it is unknown or disabled, or its account is, or its holder has left."""
        ...

    async def list_tokens(self, account: AccountId, member: AccountId | None = None) -> Sequence[Token]:
        """The account's tokens, newest first, disabled ones too; with `member` those that she holds."""
        ...

    async def get_token(self, token: TokenId) -> Token | None:
        """One."""
        ...

    async def token_names(self, wanted: Collection[TokenId]) -> Mapping[TokenId, str]:
        """The names of those of several that there are."""
        ...

    async def disable_token(self, token: TokenId, at: datetime) -> Token | None:
        """Disable one for ever; the time of an earlier disabling stays. None when there is none."""
        ...


class AuditStore(Protocol):
    """The log of administrative acts, to which one can only add."""

    async def begin_act(self, act: Act) -> int:
        """Write down what is about to be done; returns its number."""
        ...

    async def end_act(self, number: int, status: int, details: JsonObject) -> None:
        """Write down what came of it, once."""
        ...

    async def list_acts(self, account: AccountId | None, action: str | None, page: PageRequest) -> Page[Act]:
        """Acts, newest first: everybody's, or those of one account; of every kind, or of one operation."""
        ...
