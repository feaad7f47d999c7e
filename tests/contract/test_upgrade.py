"""A database that an earlier release left, killed with work unfinished, goes on in this one."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cogyard.clock import SystemClock
from cogyard.domain.account import Role, Scope
from cogyard.domain.budget import Budget, BudgetExceeded, BudgetKind, Period
from cogyard.domain.events import Interrupted, Started, Succeeded
from cogyard.domain.prediction import PredictionKind, Status, apply
from cogyard.domain.usage import Prices
from cogyard.domain.values import AccountId, DeploymentId, InstanceId, PredictionId, TokenId, VersionId
from cogyard.ids import new_prediction_id
from cogyard.ports import UsageQuery
from cogyard.store import open_store
from cogyard.store.sqlite import SqliteStore

DUMP = Path(__file__).parent / "schema_0004.sql"
CANARY = VersionId("cdd69c768b5f01f237e1c2115723b3fd3039fde225e115f59e4784a57688b3c5")
WAITING = PredictionId("ej21a9m3b9w7w0d22hkrn8n3k8")
CLOCK = SystemClock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "cogyard.db")) as old:
        old.executescript(DUMP.read_text())
    return tmp_path


def with_old(folder: Path, scenario: Callable[[SqliteStore], Awaitable[Any]]) -> None:
    async def run() -> None:
        store = await open_store(folder / "cogyard.db", CLOCK)
        try:
            await scenario(store)
        finally:
            await store.close()

    asyncio.run(run())


def test_accounts_and_tokens_keep_what_they_may_do(folder: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        admin = await store.get_account("cogyard")
        other = await store.get_account("acme")
        token = await store.get_token(TokenId(1))
        assert admin is not None
        assert other is not None
        assert token is not None
        assert (admin.role, other.role) == (Role.admin, Role.publisher)
        assert (token.account, token.name, token.disabled_at) == (admin.id, "bootstrap", None)
        assert (token.scopes, token.models, token.member, token.expires_at) == (frozenset(Scope), None, None, None)

    with_old(folder, scenario)


def test_the_catalog_is_there(folder: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        canary = await store.get_model("acme", "canary")
        deployment = await store.get_deployment("cogyard", "app")
        assert canary is not None
        assert deployment is not None
        assert (canary.latest_version, canary.run_count, canary.secrets_mark) == (CANARY, 10, None)
        assert (deployment.id, deployment.current.version) == (DeploymentId(1), CANARY)
        assert deployment.queue == f"deployment/1/{CANARY}"

    with_old(folder, scenario)


def test_what_was_unfinished_ends_and_usage_begins(folder: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        now = CLOCK.now()
        held = await store.claimed()
        assert [(one.sequence, one.status) for one in held] == [(number, Status.processing) for number in (6, 7, 8)]
        assert held[1].kind is PredictionKind.training
        for one in held:
            assert await store.record(one, apply(one, Interrupted(at=now, reason="the server ended")))
        for queue in await store.demand():
            for _ in range(queue.queued):
                claimed = await store.claim(queue.queue, InstanceId("i"), timedelta(seconds=15), now)
                assert claimed is not None
                done = apply(apply(claimed, Started(at=now)), Succeeded(at=now + timedelta(seconds=2)))
                assert await store.record(claimed, done)
        [only] = await store.sum_usage(UsageQuery(by=(), first_day=0), 10)
        assert (only.amounts.count, only.amounts.run_time, only.amounts.cost) == (6, 12_000_000, 0)
        assert await store.demand() == []

    with_old(folder, scenario)


def test_instances_of_a_release_that_did_not_meter_are_not_booked(folder: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        assert await store.close_meters(Prices()) == 0
        assert await store.sum_usage(UsageQuery(by=(), first_day=0), 10) == []

    with_old(folder, scenario)


def test_a_budget_counts_what_runs_from_before(folder: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        now, mine = CLOCK.now(), AccountId(1)
        kind, period = BudgetKind.seconds, Period.month
        budget = Budget(id=0, account=mine, kind=kind, period=period, limit=6_000_000, created_at=now)
        await store.put_budget(budget)
        [standing] = await store.list_budgets(mine, now)
        assert (standing.spent, standing.held, standing.left) == (0, 6_000_000, 0)
        waiting = await store.get_prediction(WAITING)
        assert waiting is not None
        with pytest.raises(BudgetExceeded):
            await store.create_prediction(replace(waiting, id=new_prediction_id(now), created_at=now))

    with_old(folder, scenario)
