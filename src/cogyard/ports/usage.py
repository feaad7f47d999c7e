"""What the house needs of a store for sums of usage, the uptime of instances, and budgets."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from cogyard.domain.budget import Budget, Spending
from cogyard.domain.usage import Amounts, Prices, UsageBy
from cogyard.domain.values import AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuery:
    """Which usage is summed, and what the sums are told apart by. Days are counted from 1970, in UTC."""

    by: Sequence[UsageBy]
    first_day: int
    #: the day after the last one; None for no end
    end_day: int | None = None
    #: None for everybody's
    account: AccountId | None = None
    #: `owner/name` in lower case of the only models that count; None for any
    models: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class UsageSum:
    """A sum: the values that tell it from others, in the order of the query's `by`, and the units that it counts.

    Accounts and tokens are their numbers here.
    """

    key: tuple[str | int, ...]
    unit: str
    amounts: Amounts


class UsageStore(Protocol):
    """The sums of usage. Whatever ends a prediction adds it to them in the same transaction."""

    async def sum_usage(self, query: UsageQuery, limit: int) -> Sequence[UsageSum]:
        """Sums by the query's `by`, and by unit; in that order, at most `limit` of them."""
        ...


class MeterStore(Protocol):
    """The uptime of instances, booked in steps."""

    async def meter_instances(self, at: datetime, prices: Prices, passed: timedelta) -> int:
        """Book the uptime of instances up to `at`, or up to their end, that is not booked yet; how many there were.

        Each moment of an instance is booked once, whatever the clock does; `passed` is the most that can have passed
        since the last round.
        """
        ...

    async def close_meters(self, prices: Prices) -> int:
        """The same for what an earlier server left, up to its last sign of life; then nothing more of it is booked."""
        ...


class BudgetStore(Protocol):
    """Budgets. `create_prediction` keeps them."""

    async def list_budgets(self, account: AccountId | None, at: datetime) -> Sequence[Spending]:
        """The budgets of an account or of everybody, as they stand in the period that holds `at`."""
        ...

    async def get_budget(self, budget: int) -> Budget | None:
        """One."""
        ...

    async def put_budget(self, budget: Budget) -> Budget:
        """Store a budget (its `id` is ignored) in place of the one of the same account, token, kind and period."""
        ...

    async def delete_budget(self, budget: int) -> None:
        """Delete one."""
        ...
