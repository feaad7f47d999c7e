"""Statements of usage: what ends is added to the sums, and the sums are read."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal_column, select, text, update

from cogyard.domain.instance import InstanceState
from cogyard.domain.money import cost_of
from cogyard.domain.prediction import Prediction
from cogyard.domain.queue import deployment_of, model_of, version_of
from cogyard.domain.usage import Amounts, Prices, UsageKind, by_day, charge, day_of
from cogyard.domain.values import NO_TOKEN
from cogyard.ports import UsageQuery, UsageSum
from cogyard.store.instance_tables import instances
from cogyard.store.rows import Values
from cogyard.store.tables import IS_CURRENT, deployments, model_versions, models, releases
from cogyard.store.usage_tables import usage

_C = usage.c
_KEY = ("account", "day", "token", "model", "deployment", "kind", "hardware", "unit")
_SUMS = ("count", "run_time", "uptime", "quantity", "cost")
_MOST = 10**17
"""No sum of a day grows beyond this (100 million of the currency): whole numbers of databases end near 90 times it."""


def _no_more(sum_of: str) -> str:
    return f"CASE WHEN {sum_of} > {_MOST} THEN {_MOST} ELSE {sum_of} END"


_ADD = text(
    f"INSERT INTO usage ({', '.join((*_KEY, *_SUMS))}) VALUES ({', '.join(f':{name}' for name in (*_KEY, *_SUMS))}) "
    f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET "
    + ", ".join(f"{name} = {_no_more(f'usage.{name} + excluded.{name}')}" for name in _SUMS)
)
_OVER = [state.value for state in InstanceState if state.is_over]


def note_end(connection: Connection, prediction: Prediction) -> None:
    """Add a prediction that has just ended to the sums of the day of its end."""
    if prediction.completed_at is None:
        return
    amounts = charge(prediction)
    values = {
        "account": prediction.account,
        "day": day_of(prediction.completed_at),
        "token": prediction.token,
        "model": prediction.model,
        "deployment": prediction.deployment or "",
        "kind": prediction.kind.value,
        "hardware": prediction.hardware,
        "unit": prediction.unit,
        "count": amounts.count,
        "run_time": amounts.run_time,
        "uptime": 0,
        "quantity": amounts.quantity,
        "cost": amounts.cost,
    }
    connection.execute(_ADD, values)


def sums(connection: Connection, query: UsageQuery, limit: int) -> Sequence[UsageSum]:
    """Sums by what the query says, and by unit; in that order."""
    keys = [_C[by.value] for by in query.by]
    conditions: list[ColumnElement[bool]] = [_C.day >= query.first_day]
    if query.end_day is not None:
        conditions.append(_C.day < query.end_day)
    if query.account is not None:
        conditions.append(_C.account == query.account)
    if query.models is not None:
        conditions.append(func.lower(_C.model).in_(sorted(query.models)))
    totals = [func.sum(_C[name]).label(f"{name}_sum") for name in _SUMS]
    found = select(*keys, _C.unit, *totals).where(*conditions).group_by(*keys, _C.unit).order_by(*keys, _C.unit)
    width = len(keys)
    return [
        UsageSum(
            key=tuple(row[:width]),
            unit=row[width],
            amounts=Amounts(
                count=row.count_sum,
                run_time=row.run_time_sum,
                uptime=row.uptime_sum,
                quantity=row.quantity_sum,
                cost=row.cost_sum,
            ),
        )
        for row in connection.execute(found.limit(limit))
    ]


# --- instances ----------------------------------------------------------------------------------------------------

_I = instances.c
# a constant in the text: SQLite takes an index of some rows only where it sees that they are meant
_UNMETERED = select(instances).where(_I.is_metered == literal_column("0")).order_by(_I.created_at)
_DEPLOYED = select(
    deployments.c.account, deployments.c.owner, deployments.c.name, releases.c.model, releases.c.hardware
).join(releases, IS_CURRENT)
_FIRST_MODEL = (
    select(models.c.account, models.c.owner, models.c.name, models.c.hardware)
    .join(model_versions, model_versions.c.model == models.c.id)
    .order_by(model_versions.c.number)
    .limit(1)
)


def meter(connection: Connection, at: datetime, prices: Prices, passed: timedelta) -> int:
    """Book the uptime of instances up to a time or up to their end, no more than has passed since the last round."""
    return _book(connection, prices, lambda row: (row.ended_at or at, row.state in _OVER), passed)


def close_meters(connection: Connection, prices: Prices) -> int:
    """Book what an earlier server left up to its last sign of life, and close the meters."""
    return _book(connection, prices, lambda row: (row.ended_at or _last_sign(row), True))


def _last_sign(row: Row[Any]) -> datetime:
    """When the instance was certainly there: nobody is charged for the time in which the server was down."""
    signs: list[datetime | None] = [row.created_at, row.ready_at, row.idle_since, row.metered_until]
    return max(at for at in signs if at is not None)


def _book(
    connection: Connection,
    prices: Prices,
    until: Callable[[Row[Any]], tuple[datetime, bool]],
    passed: timedelta | None = None,
) -> int:
    rows = connection.execute(_UNMETERED).all()
    for row in rows:
        end, is_last = until(row)
        start = row.metered_until or row.created_at
        if end > start:  # else the clock was set back: what was booked stays booked, and is not booked again
            # a clock that was set forward in between is no uptime
            since = start if passed is None else max(start, end - passed)
            _add_uptime(connection, row, since, end, prices)
        values: Values = {"metered_until": max(start, end), "is_metered": is_last}
        connection.execute(update(instances).where(_I.id == row.id).values(**values))
    return len(rows)


def _add_uptime(connection: Connection, row: Row[Any], start: datetime, end: datetime, prices: Prices) -> None:
    queue = row.queue
    deployment = deployment_of(queue)
    payers: Select[Any] = _FIRST_MODEL.where(model_versions.c.version == version_of(queue))
    if (alone := model_of(queue)) is not None:
        payers = payers.where(models.c.id == alone)
    if deployment is not None:
        payers = _DEPLOYED.where(deployments.c.id == deployment)
    payer = connection.execute(payers).one_or_none()
    if payer is None:  # it was deleted meanwhile: there is nobody to book it to
        return
    name = f"{payer.owner}/{payer.name}"
    hardware = row.share["hardware"] if row.share else payer.hardware  # while a release rolls there are two
    price = prices.of_hardware(hardware)
    for day, uptime in by_day(start, end):
        values = {
            "account": payer.account,
            "day": day,
            "token": NO_TOKEN,
            "model": name if deployment is None else payer.model,
            "deployment": "" if deployment is None else name,
            "kind": UsageKind.instance.value,
            "hardware": hardware,
            "unit": "",
            "count": 0,
            "run_time": 0,
            "uptime": uptime,
            "quantity": 0,
            # instances that everybody shares cost nothing: what runs on them is charged
            "cost": 0 if deployment is None else cost_of(price, uptime),
        }
        connection.execute(_ADD, values)
