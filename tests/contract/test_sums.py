"""Sums of usage on large yards and of large numbers."""

import asyncio
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection

from cogyard.domain.account import Account
from cogyard.domain.events import Metric, Started, Succeeded
from cogyard.domain.money import CENT
from cogyard.ports import UsageQuery, UsageSum
from cogyard.store import usage
from cogyard.store.sqlite import SqliteStore
from tests.contract.test_store import NOW, prediction, with_store
from tests.contract.test_usage import budget, run, total


def test_many_that_ask_for_sums_leave_readers_for_everybody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()

    def endless(_connection: Connection, _query: UsageQuery, _limit: int) -> list[UsageSum]:
        may_end.wait(20)
        return []

    async def scenario(store: SqliteStore, account: Account) -> None:
        new = await store.create_prediction(prediction(account))
        monkeypatch.setattr(usage, "sums", endless)
        asked = [asyncio.create_task(store.sum_usage(UsageQuery(by=(), first_day=0), 10)) for _ in range(10)]
        await asyncio.sleep(0)
        begun = time.monotonic()
        try:
            for _ in range(20):
                assert await store.get_prediction(new.id) is not None
            assert time.monotonic() - begun < 10
        finally:
            may_end.set()
        assert await asyncio.gather(*asked) == [[]] * 10

    with_store(tmp_path, scenario)


def test_sums_end_far_below_the_largest_number_of_a_database(tmp_path: Path) -> None:
    """Nonsense that a model counts must not make every later sum, and so every create under a budget, an error."""

    async def scenario(store: SqliteStore, account: Account) -> None:
        for _ in range(120):
            counted = Metric(name="image_count", value=10**9)
            costly = prediction(account, price=Decimal(1000), unit="image_count")
            await run(store, costly, Started(at=NOW), counted, Succeeded(at=NOW))
        found = await total(store)

        assert (found.count, found.cost, found.quantity) == (120, 10**17, 10**17)
        await store.put_budget(budget(account, CENT))
        [standing] = await store.list_budgets(account.id, NOW)
        assert standing.left == 0

    with_store(tmp_path, scenario)
