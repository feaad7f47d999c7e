"""Use cases of usage: sums of what an account, or the whole yard, has used, and the figures of one prediction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Protocol

from cogyard.domain.account import Caller
from cogyard.domain.budget import Period
from cogyard.domain.errors import InvalidRequest, NotFound
from cogyard.domain.prediction import Prediction
from cogyard.domain.usage import Amounts, Prices, UsageBy, charge, day_of
from cogyard.domain.values import AccountId, PredictionId, TokenId
from cogyard.ports import AccountStore, Clock, PredictionStore, TokenStore, UsageQuery, UsageStore, UsageSum
from cogyard.viewing import account_in_view

MOST_SUMS = 20_000
"""Rows of one answer."""


class Registry(UsageStore, AccountStore, TokenStore, PredictionStore, Protocol):
    """What these use cases need of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a caller asks for: days from `first` on and before `end`; by default from the first of this month on."""

    by: Sequence[UsageBy]
    first: date | None = None
    end: date | None = None
    #: username; by default the caller's own account, for an admin of the yard everybody's
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A sum with the units that it counts, in millionths; `key` is in the order of what was asked for."""

    key: tuple[str | int, ...]
    amounts: Amounts
    units: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Sums, the sum of them, and the names of the accounts and tokens in them."""

    wanted: Wanted
    first: date
    currency: str
    rows: Sequence[Row]
    total: Row
    accounts: Mapping[AccountId, str]
    tokens: Mapping[TokenId, str]


class Usage:
    """The usage of every account; each call says who asks."""

    def __init__(self, store: Registry, clock: Clock, prices: Prices) -> None:
        self._store = store
        self._clock = clock
        self.prices = prices

    async def report(self, caller: Caller, wanted: Wanted) -> Report:
        """Sums of the caller's usage, for an admin of the yard everybody's.

        A token for named models sees these only. Raises `NotFound` for an account that the caller may not look at,
        `InvalidRequest` for more than `MOST_SUMS` rows.
        """
        first = wanted.first or Period.month.start(self._clock.now()).date()
        query = UsageQuery(
            by=wanted.by,
            first_day=_number(first),
            end_day=None if wanted.end is None else _number(wanted.end),
            account=await account_in_view(self._store, caller, wanted.account),
            models=caller.models,
        )
        found = await self._store.sum_usage(query, MOST_SUMS + 1)
        if len(found) > MOST_SUMS:
            raise InvalidRequest(
                f"by: that makes more than {MOST_SUMS:,} rows. Name fewer in by, or fewer days with from and to."
            )
        rows = _folded(found)
        return Report(
            wanted=wanted,
            first=first,
            currency=self.prices.currency,
            rows=rows,
            total=_total(rows),
            accounts=await self._store.usernames(
                [AccountId(one) for one in _numbers(wanted.by, UsageBy.account, rows)]
            ),
            tokens=await self._store.token_names([TokenId(one) for one in _numbers(wanted.by, UsageBy.token, rows)]),
        )

    async def of_prediction(self, caller: Caller, prediction: PredictionId) -> tuple[Prediction, Amounts]:
        """One of the caller's predictions or trainings, and what it used; nothing before its end. Raises `NotFound`."""
        found = await self._store.get_prediction(prediction)
        if found is None or found.account != caller.id or not caller.is_for(found.model):
            raise NotFound
        return found, charge(found)


def _numbers(by: Sequence[UsageBy], what: UsageBy, rows: Sequence[Row]) -> list[int]:
    """The distinct numbers in the rows' keys at the place of `what`."""
    if what not in by:
        return []
    place = list(by).index(what)
    return sorted({int(row.key[place]) for row in rows})


def _folded(sums: Sequence[UsageSum]) -> list[Row]:
    """One row for each key; units are counted apart, since images and tokens have no sum."""
    rows: dict[tuple[str | int, ...], Row] = {}
    for one in sums:
        units = {one.unit: one.amounts.quantity} if one.unit else {}
        before = rows.get(one.key)
        if before is None:
            rows[one.key] = Row(one.key, one.amounts, units)
        else:
            rows[one.key] = Row(one.key, before.amounts + one.amounts, {**before.units, **units})
    return list(rows.values())


def _total(rows: Sequence[Row]) -> Row:
    units: dict[str, int] = {}
    for row in rows:
        for unit, quantity in row.units.items():
            units[unit] = units.get(unit, 0) + quantity
    every = [row.amounts for row in rows]
    amounts = Amounts(
        count=sum(one.count for one in every),
        run_time=sum(one.run_time for one in every),
        uptime=sum(one.uptime for one in every),
        quantity=sum(one.quantity for one in every),
        cost=sum(one.cost for one in every),
    )
    return Row((), amounts, units)


def _number(day: date) -> int:
    return day_of(datetime(day.year, day.month, day.day, tzinfo=UTC))
