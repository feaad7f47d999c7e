"""Budgets: how much money or time an account or one of its tokens may use up in a day or a month."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from cogyard.domain.errors import BudgetUsedUp
from cogyard.domain.money import seconds, told
from cogyard.domain.usage import day_of, start_of
from cogyard.domain.values import NO_TOKEN, AccountId, TokenId


class BudgetKind(StrEnum):
    """What a budget is counted in."""

    money = "money"
    seconds = "seconds"


class Period(StrEnum):
    """After what a budget starts anew, in UTC."""

    day = "day"
    month = "month"

    def start(self, at: datetime) -> datetime:
        """When the period that holds `at` began."""
        midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight if self is Period.day else midnight.replace(day=1)

    def end(self, at: datetime) -> datetime:
        """When the period that holds `at` ends and the next one begins."""
        if self is Period.day:
            return start_of(day_of(at) + 1)
        first = self.start(at)
        return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit on what is used in a period; `limit` is in billionths of the yard's currency, or in microseconds."""

    id: int
    account: AccountId
    #: whose budget it is; `NO_TOKEN` for the whole account
    token: TokenId = NO_TOKEN
    kind: BudgetKind
    period: Period
    limit: int
    created_at: datetime

    def amount(self, value: int, currency: str) -> str:
        """An amount of it in words: `5.00 USD`, `90.5 seconds`."""
        return f"{told(value)} {currency}" if self.kind is BudgetKind.money else f"{seconds(value)} seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """How a budget stands: what was used in this period, and what unfinished predictions hold."""

    budget: Budget
    spent: int
    held: int
    ends_at: datetime

    @property
    def left(self) -> int:
        """What may still be used; never negative."""
        return max(self.budget.limit - self.spent - self.held, 0)

    def refusal(self, now: datetime, currency: str) -> BudgetUsedUp:
        """What a caller is told whose new prediction has no room in the budget."""
        budget = self.budget
        whose = "This account's" if budget.token == NO_TOKEN else "This token's"
        money, month = budget.kind is BudgetKind.money, budget.period is Period.month
        held = f" and {budget.amount(self.held, currency)} held for what is not finished" if self.held else ""
        return BudgetUsedUp(
            f"{whose} {'monthly' if month else 'daily'} budget of {budget.amount(budget.limit, currency)} is used up: "
            f"{budget.amount(self.spent, currency)} spent{held}. It starts anew at {self.ends_at:%Y-%m-%dT%H:%M:%SZ}.",
            f"{'Monthly' if month else 'Daily'} {'spend' if money else 'time'} limit reached",
            max(math.ceil((self.ends_at - now).total_seconds()), 1),
        )


class BudgetExceeded(Exception):
    """A new prediction has no room in a budget; `.spending` says how that stands."""

    def __init__(self, spending: Spending) -> None:
        super().__init__(f"budget {spending.budget.id} is used up")
        self.spending = spending
