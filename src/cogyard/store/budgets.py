"""Statements of budgets. There is one writer, so of two predictions that want the last cent one comes first."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import (
    Connection,
    Float,
    RowMapping,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)

from cogyard.domain.budget import Budget, BudgetExceeded, BudgetKind, Period, Spending
from cogyard.domain.money import CENT, MICRO
from cogyard.domain.prediction import Prediction
from cogyard.domain.usage import day_of
from cogyard.domain.values import NO_TOKEN, AccountId, TokenId
from cogyard.store.rows import Values
from cogyard.store.tables import predictions
from cogyard.store.usage_tables import budgets, usage

_B, _U, _P = budgets.c, usage.c, predictions.c
_CONCERNED = select(budgets).where(
    _B.account == bindparam("account_is"), _B.token.in_([literal_column("0"), bindparam("token_is")])
)
# the constant is in the text: SQLite takes an index of some rows only where it sees that they are meant
_IS_UNFINISHED = _P.held_cost.is_not(None) & _P.completed_at.is_(None)
_COLUMN = {BudgetKind.money: _U.cost, BudgetKind.seconds: _U.run_time}
_HELD = {BudgetKind.money: _P.held_cost, BudgetKind.seconds: _P.held_time}

LEAST_HELD = {BudgetKind.money: CENT, BudgetKind.seconds: MICRO}
"""What an unfinished prediction holds back at least: a cent, a second."""
# what costs nothing holds no money
_LEAST_COST = case((cast(_P.price, Float) > 0, CENT), else_=0)


def admit(connection: Connection, prediction: Prediction) -> Values:
    """What budgets hold back for a new prediction, as columns; `{}` where it is under no budget.

    Raises `BudgetExceeded` when one of them is used up. What is held counts as used: the last cent is spent once.
    """
    if prediction.account not in _limited(connection):
        return {}
    concerned = {"account_is": prediction.account, "token_is": prediction.token}
    found = [_budget(row) for row in connection.execute(_CONCERNED, concerned).mappings()]
    if not found:
        return {}
    for budget in found:
        spending = stand(connection, budget, prediction.created_at)
        if spending.left == 0:
            raise BudgetExceeded(spending)
    return _expected(connection, prediction)


def _limited(connection: Connection) -> set[int]:
    """Accounts that may have budgets, as the writer's connection remembers them: most creates ask for no more.

    It is the only one that sets budgets. Accounts stay when their budgets are deleted or were never committed.
    """
    known: set[int] | None = connection.info.get("limited")
    if known is None:
        known = connection.info["limited"] = set(connection.execute(select(_B.account)).scalars())
    return known


def _expected(connection: Connection, prediction: Prediction) -> Values:
    """What the account's predictions of the model took on average this month."""
    row = connection.execute(
        select(func.sum(_U.count), func.sum(_U.cost), func.sum(_U.run_time)).where(
            _U.account == prediction.account,
            _U.day >= day_of(Period.month.start(prediction.created_at)),
            _U.model == prediction.model,
            _U.kind == prediction.kind.value,
        )
    ).one()
    count, cost, run_time = row[0] or 0, row[1] or 0, row[2] or 0
    return {
        # what costs nothing holds no money
        "held_cost": max(cost // count if count else 0, CENT) if prediction.price else 0,
        "held_time": max(run_time // count if count else 0, MICRO),
    }


def stand(connection: Connection, budget: Budget, at: datetime) -> Spending:
    """How a budget stands in the period that holds `at`.

    What was booked after that period counts too: only a clock that was ahead can have done so, and setting it right
    gives nobody her money back.
    """
    start = day_of(budget.period.start(at))
    spent = select(func.sum(_COLUMN[budget.kind])).where(_U.account == budget.account, _U.day >= start)
    held = select(func.sum(_HELD[budget.kind])).where(_P.account == budget.account, _IS_UNFINISHED)
    if budget.token != NO_TOKEN:
        spent, held = spent.where(_U.token == budget.token), held.where(_P.token == budget.token)
    return Spending(
        budget=budget,
        spent=connection.execute(spent).scalar_one() or 0,
        held=connection.execute(held).scalar_one() or 0,
        ends_at=budget.period.end(at),
    )


def used_up(connection: Connection, at: datetime) -> frozenset[AccountId]:
    """Accounts that have no money left."""
    wanted = select(budgets).where(_B.token == NO_TOKEN, _B.kind == BudgetKind.money.value)
    found = [_budget(row) for row in connection.execute(wanted).mappings().all()]
    return frozenset(one.account for one in found if stand(connection, one, at).left == 0)


def listed(connection: Connection, account: AccountId | None, at: datetime) -> Sequence[Spending]:
    """As they stand, those of the whole account first."""
    wanted = select(budgets).order_by(_B.account, _B.token, _B.kind, _B.period)
    if account is not None:
        wanted = wanted.where(_B.account == account)
    return [stand(connection, _budget(row), at) for row in connection.execute(wanted).mappings().all()]


def get(connection: Connection, budget: int) -> Budget | None:
    """One."""
    row = connection.execute(select(budgets).where(_B.id == budget)).mappings().one_or_none()
    return None if row is None else _budget(row)


def put(connection: Connection, budget: Budget) -> Budget:
    """Insert or replace; what runs already holds the least from now on."""
    which = {
        "account": budget.account,
        "token": budget.token,
        "kind": budget.kind.value,
        "period": budget.period.value,
    }
    same = [_B[name] == value for name, value in which.items()]
    changed = update(budgets).where(*same).values(amount=budget.limit).returning(*budgets.columns)
    row = connection.execute(changed).mappings().one_or_none()
    if row is None:
        values = {**which, "amount": budget.limit, "created_at": budget.created_at}
        row = connection.execute(insert(budgets).returning(*budgets.columns), values).mappings().one()
    _limited(connection).add(budget.account)
    _hold_unfinished(connection, budget.account)
    return _budget(row)


def _hold_unfinished(connection: Connection, account: AccountId) -> None:
    """Predictions that were made under no budget hold the least; two statements, each by its own index."""
    mine = (_P.account == account) & _P.held_cost.is_(None)
    is_waiting = (_P.status == literal_column("'starting'")) & _P.claimed_by.is_(None)
    for unfinished in (is_waiting, _P.claimed_by.is_not(None)):
        held = update(predictions).where(mine, unfinished)
        connection.execute(held.values(held_cost=_LEAST_COST, held_time=MICRO))


def remove(connection: Connection, budget: int) -> None:
    """Delete one."""
    connection.execute(delete(budgets).where(_B.id == budget))


def _budget(row: RowMapping) -> Budget:
    return Budget(
        id=row["id"],
        account=AccountId(row["account"]),
        token=TokenId(row["token"]),
        kind=BudgetKind(row["kind"]),
        period=Period(row["period"]),
        limit=row["amount"],
        created_at=row["created_at"],
    )
