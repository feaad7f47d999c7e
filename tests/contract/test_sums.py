"""Sums of usage take long on a large yard, and everybody else reads meanwhile."""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Connection

from cogyard.domain.account import Account
from cogyard.ports import UsageQuery, UsageSum
from cogyard.store import usage
from cogyard.store.sqlite import SqliteStore
from tests.contract.test_store import prediction, with_store


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
