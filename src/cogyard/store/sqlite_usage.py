"""Usage and budgets on SQLite."""

from collections.abc import Sequence
from datetime import datetime

from cogyard.domain.budget import Budget, Spending
from cogyard.domain.usage import Prices
from cogyard.domain.values import AccountId
from cogyard.ports import UsageQuery, UsageSum
from cogyard.store import budgets, usage
from cogyard.store.sqlite_core import SqliteCore


class SqliteUsage(SqliteCore):
    """Implements `ports.UsageStore`, `MeterStore`, `BudgetStore`."""

    async def sum_usage(self, query: UsageQuery, limit: int) -> Sequence[UsageSum]:
        """See `ports.UsageStore`."""
        return await self._read(usage.sums, query, limit)

    async def meter_instances(self, at: datetime, prices: Prices) -> int:
        """See `ports.MeterStore`."""
        return await self._write(usage.meter, at, prices)

    async def close_meters(self, prices: Prices) -> int:
        """See `ports.MeterStore`."""
        return await self._write(usage.close_meters, prices)

    async def list_budgets(self, account: AccountId | None, at: datetime) -> Sequence[Spending]:
        """See `ports.BudgetStore`."""
        return await self._read(budgets.listed, account, at)

    async def get_budget(self, budget: int) -> Budget | None:
        """See `ports.BudgetStore`."""
        return await self._read(budgets.get, budget)

    async def put_budget(self, budget: Budget) -> Budget:
        """See `ports.BudgetStore`."""
        return await self._write(budgets.put, budget)

    async def delete_budget(self, budget: int) -> None:
        """See `ports.BudgetStore`."""
        await self._write(budgets.remove, budget)
