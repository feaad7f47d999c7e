"""Use cases of budgets: look at them, set and delete them. The store keeps them, in the transaction of a create."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cogyard.domain.account import Account, AccountKind, Caller, Scope
from cogyard.domain.budget import Budget, BudgetKind, Period, Spending
from cogyard.domain.errors import Forbidden, InvalidResource, NotFound
from cogyard.domain.values import NO_TOKEN, AccountId, TokenId
from cogyard.ports import AccountStore, BudgetStore, Clock, TokenStore


class Registry(BudgetStore, AccountStore, TokenStore, Protocol):
    """What these use cases need of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBudget:
    """What a caller wants: `limit` is in billionths of the currency, or in microseconds."""

    #: username; the caller's own account by default
    account: str | None = None
    token: TokenId = NO_TOKEN
    kind: BudgetKind
    period: Period
    limit: int


class Budgets:
    """The budgets of every account; each call says who asks."""

    def __init__(self, store: Registry, clock: Clock, currency: str) -> None:
        self._store = store
        self._clock = clock
        self.currency = currency

    async def list(self, caller: Caller, account: str | None) -> Sequence[Spending]:
        """The budgets of the caller's account, or of one that she administers, as they stand now.

        An admin of the yard who names no account sees everybody's. Raises `NotFound`.
        """
        wanted = None if account is None and caller.is_admin else (await self._account(caller, account)).id
        return await self._store.list_budgets(wanted, self._clock.now())

    async def put(self, caller: Caller, wanted: NewBudget) -> Spending:
        """Set a budget; one of the same account, token, kind and period is replaced.

        Raises `NotFound` for an account that is not the caller's, `Forbidden` for a limit that is not hers to set,
        `InvalidResource` for a token that is not the account's.
        """
        account = await self._account(caller, wanted.account)
        self._check_may_set(caller, wanted.token)
        if wanted.token != NO_TOKEN:
            token = await self._store.get_token(wanted.token)
            if token is None or token.account != account.id:
                raise InvalidResource("token", f"{account.username} has no token with this id")
        now = self._clock.now()
        made = await self._store.put_budget(
            Budget(
                id=0,
                account=account.id,
                token=wanted.token,
                kind=wanted.kind,
                period=wanted.period,
                limit=wanted.limit,
                created_at=now,
            )
        )
        found = [one for one in await self._store.list_budgets(account.id, now) if one.budget.id == made.id]
        return found[0] if found else Spending(budget=made, spent=0, held=0, ends_at=made.period.end(now))

    async def delete(self, caller: Caller, budget: int) -> Budget:
        """Delete a budget that the caller may set; returns it. Raises `NotFound`, `Forbidden`."""
        found = await self._store.get_budget(budget)
        if found is None:
            raise NotFound
        owner = await self._store.get_account_by_id(found.account)
        await self._account(caller, owner.username)
        self._check_may_set(caller, found.token)
        await self._store.delete_budget(budget)
        return found

    async def names(self, spendings: Sequence[Spending]) -> tuple[Mapping[AccountId, str], Mapping[TokenId, str]]:
        """The usernames of the accounts and the names of the tokens whose budgets these are."""
        accounts = {one.budget.account for one in spendings}
        tokens = {one.budget.token for one in spendings if one.budget.token != NO_TOKEN}
        return await self._store.usernames(accounts), await self._store.token_names(tokens)

    async def _account(self, caller: Caller, username: str | None) -> Account:
        """The caller's own account, or another one that she administers. Raises `NotFound`."""
        if username is None or username.lower() == caller.username.lower():
            return caller
        found = await self._store.get_account(username)
        if found is None:
            raise NotFound
        if caller.is_admin:
            return found
        member = await self._store.get_member(found.id, caller.id)
        if found.kind is not AccountKind.organization or member is None or Scope.admin not in member.role.scopes:
            raise NotFound
        return found

    def _check_may_set(self, caller: Caller, token: TokenId) -> None:
        """Nobody lifts her own limit."""
        if caller.is_admin:
            return
        if token == NO_TOKEN:
            raise Forbidden("Only admins of this yard set the budgets of whole accounts.")
        if token == caller.token:
            raise Forbidden("A token cannot change its own budget; use another one.")
