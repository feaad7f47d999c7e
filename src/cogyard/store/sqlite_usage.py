"""Usage and budgets on SQLite."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

from cogyard.domain.budget import Budget, Spending
from cogyard.domain.usage import Prices
from cogyard.domain.values import AccountId
from cogyard.ports import Clock, UsageQuery, UsageSum
from cogyard.store import budgets, usage
from cogyard.store.sqlite_core import SqliteCore


class SqliteUsage(SqliteCore):
    """Implements `ports.UsageStore`, `MeterStore`, `BudgetStore`."""

    def __init__(self, path: Path, clock: Clock, lock: TextIO) -> None:
        super().__init__(path, clock, lock)
        #: a large yard's sums take a second: one reader is enough for them, the others are everybody's
        self._summing = asyncio.Lock()

    async def sum_usage(self, query: UsageQuery, limit: int) -> Sequence[UsageSum]:
        """See `ports.UsageStore`."""
        async with self._summing:
            return await self._read(usage.sums, query, limit)

    async def meter_instances(self, at: datetime, prices: Prices, passed: timedelta) -> int:
        """See `ports.MeterStore`."""
        return await self._write(usage.meter, at, prices, passed)

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
