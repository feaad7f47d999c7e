"""What the services ask of the database again and again is found by an index, however much there is."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, insert, select
from sqlalchemy.pool import NullPool

from cogyard.domain.batching import Batch
from cogyard.domain.budget import Budget, BudgetKind, Period
from cogyard.domain.prediction import Prediction
from cogyard.domain.turns import Turns
from cogyard.domain.usage import Prices, UsageBy
from cogyard.domain.values import AccountId, InstanceId, PredictionId, QueueId, TokenId, VersionId
from cogyard.ports import PageRequest, PredictionFilter, UsageQuery
from cogyard.store import (
    account_tables,
    accounts,
    budgets,
    claims,
    deliveries,
    instances,
    overview,
    predictions,
    rollout,
    usage,
)
from cogyard.store.migrate import migrate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = AccountId(1)
WHOLE = [f"SCAN {table}" for table in ("predictions", "deliveries", "instances", "usage", "budgets")]
HERE = PageRequest(limit=100, cursor=(5, 5))
BUDGET = Budget(
    id=1,
    account=ACCOUNT,
    token=TokenId(1),
    kind=BudgetKind.money,
    period=Period.month,
    limit=1,
    created_at=NOW,
)
OF_A_DEPLOYMENT = PredictionFilter(account=None, kind=None, deployment="a/b", is_unfinished=True)


def _claim_alike(on: Connection) -> None:
    """With somebody who waits, so that no question stays unasked; all is taken back."""
    account = {"kind": "user", "username": "acme", "key": "acme", "name": "acme", "created_at": NOW, "role": "admin"}
    on.execute(insert(account_tables.accounts), account)
    account_id = AccountId(on.execute(select(account_tables.accounts.c.id)).scalar_one())
    first, _second = [predictions.create(on, waiting(account_id, id_), None) for id_ in ("one", "two")]
    alike = claims.claim_alike(on, first, Batch(input="texts", max=8), timedelta(seconds=15), NOW, Turns())
    on.rollback()
    assert len(alike) == 2, "both are unclaimed here"


def waiting(account: AccountId, id_: str) -> Prediction:
    return Prediction(
        id=PredictionId(id_),
        account=account,
        model="acme/model",
        version=VersionId("v"),
        queue=QueueId("v"),
        input={},
        created_at=NOW,
        batch_key="key",
    )


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    path = Path(tmp_path_factory.mktemp("store")) / "cogyard.db"
    migrate(path)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as opened:
        yield opened


@pytest.mark.parametrize(
    "ask",
    [
        lambda on: deliveries.due(on, NOW, 500, ()),
        lambda on: deliveries.next_due(on, NOW),
        lambda on: deliveries.page(on, ACCOUNT, None, HERE, None),
        lambda on: deliveries.page(on, ACCOUNT, PredictionId("p"), HERE, frozenset({"acme/model"})),
        lambda on: predictions.claimed(on, None, NOW),
        lambda on: predictions.claimed(on, InstanceId("i"), None),
        lambda on: predictions.waiting(on, QueueId("q"), 10),
        lambda on: budgets.stand(on, BUDGET, NOW),
        lambda on: budgets.put(on, BUDGET),
        lambda on: usage.meter(on, NOW, Prices(), timedelta(seconds=10)),
        lambda on: usage.sums(on, UsageQuery(by=(UsageBy.model,), first_day=0, account=ACCOUNT), 10),
        lambda on: claims.claim(on, QueueId("q"), InstanceId("i"), timedelta(seconds=15), NOW, Turns()),
        _claim_alike,
        predictions.demand,
        lambda on: instances.arrivals(on, 7, 100),
        lambda on: instances.events(on, InstanceId("i")),
        lambda on: instances.forget(on, NOW),
        lambda on: instances.page(on, None, HERE),
        lambda on: instances.page(on, [QueueId("q"), QueueId("r")], HERE),
        lambda on: overview.queue_users(on, [QueueId("v"), QueueId("deployment/1/v"), QueueId("model/1.m/v")]),
        overview.instance_queues,
        lambda on: overview.last_events(on, [InstanceId("i"), InstanceId("j")]),
        lambda on: overview.running(on, [PredictionId("p"), PredictionId("q")]),
        lambda on: overview.waiting_of(on, ACCOUNT, frozenset({"acme/model"}), [QueueId("q")], 100),
        accounts.busy_without_right,
        predictions.told,
        lambda on: predictions.overdue(on, NOW),
        predictions.next_deadline,
        rollout.rolling,
        rollout.disabled_names,
        lambda on: predictions.forget(on, NOW - timedelta(hours=1), 200),
        lambda on: predictions.page(on, PredictionFilter(account=ACCOUNT), HERE),
        lambda on: predictions.page(on, OF_A_DEPLOYMENT, HERE),
        lambda on: predictions.page(on, PredictionFilter(account=ACCOUNT, created_after=NOW), HERE),
        lambda on: predictions.page(on, PredictionFilter(account=ACCOUNT, source="web", created_before=NOW), HERE),
    ],
)
def test_nothing_walks_a_whole_table(connection: Connection, ask: Callable[[Connection], Any]) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_1: object, _2: object, statement: str, values: Any, *_more: object) -> None:
        asked.append((statement, values))

    event.listen(connection, "before_cursor_execute", note)
    ask(connection)
    event.remove(connection, "before_cursor_execute", note)
    plans = [
        step[3] for said, values in asked for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {said}", values)
    ]

    assert plans
    assert [step for step in plans if step in WHOLE] == []
