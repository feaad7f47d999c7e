"""Statements by which instances take what waits. Each function runs in the transaction that it is given."""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select, update

from cogyard.domain.batching import Batch, count_of
from cogyard.domain.prediction import Prediction
from cogyard.domain.turns import Turns
from cogyard.domain.values import AccountId, InstanceId, PredictionId, QueueId
from cogyard.store.predictions import IS_WAITING
from cogyard.store.rows import to_prediction
from cogyard.store.tables import predictions

_C = predictions.c
_IN_QUEUE = (_C.queue == bindparam("queue_is")) & IS_WAITING
# each account is one step in the index, however much it has queued
_FIRST_ACCOUNT = select(func.min(_C.account).label("account")).where(_IN_QUEUE).cte("waiting", recursive=True)
_NEXT_ACCOUNT = select(func.min(_C.account)).where(_IN_QUEUE, _C.account > _FIRST_ACCOUNT.c.account).scalar_subquery()
_ACCOUNTS = _FIRST_ACCOUNT.union_all(select(_NEXT_ACCOUNT).where(_FIRST_ACCOUNT.c.account.is_not(None)))
_WAITING_ACCOUNTS = select(_ACCOUNTS.c.account).where(_ACCOUNTS.c.account.is_not(None))
_OLDEST = select(func.min(_C.sequence)).where(_IN_QUEUE, _C.account == bindparam("account_is")).scalar_subquery()
_CLAIM = (
    update(predictions)
    .where(_C.sequence == _OLDEST)
    .values(claimed_by=bindparam("instance"), lease_until=bindparam("until"), epoch=_C.epoch + 1)
    .returning(*predictions.columns)
)
# within so many of an account's oldest: no index tells keys apart, and other keys may fill a queue
_AHEAD = (
    select(_C.sequence, _C.batch_key, _C.attempt)
    .where(_IN_QUEUE, _C.account == bindparam("account_is"))
    .order_by(_C.sequence)
    .limit(bindparam("look_at"))
    .subquery()
)
_ALIKE_AHEAD = select(_AHEAD.c.sequence).where(_AHEAD.c.batch_key == bindparam("key_is"), _AHEAD.c.attempt == 1)
_ALIKE = select(predictions).where(_C.sequence.in_(_ALIKE_AHEAD)).order_by(_C.sequence).limit(bindparam("most"))
_LOOKED_AT = 4
"""Rows that are looked at for each one that a batch may hold."""


def claim(
    connection: Connection, queue: QueueId, instance: InstanceId, lease: timedelta, at: datetime, turns: Turns
) -> Prediction | None:
    """Claim the oldest of the account whose turn it is. There is one writer, so nobody comes between."""
    accounts = connection.execute(_WAITING_ACCOUNTS, {"queue_is": queue}).scalars().all()
    if not accounts:
        turns.forget(queue)
        return None
    account = turns.next(queue, accounts)
    values = {"queue_is": queue, "account_is": account, "instance": instance, "until": at + lease}
    row = connection.execute(_CLAIM, values).mappings().one_or_none()
    return None if row is None else to_prediction(row)


def claim_alike(
    connection: Connection, first: Prediction, batch: Batch, lease: timedelta, at: datetime, turns: Turns
) -> Sequence[Prediction]:
    """Claim what may run together with `first`, one of each account in turn until the batch is full."""
    waiting = connection.execute(_WAITING_ACCOUNTS, {"queue_is": first.queue}).scalars().all()
    most, look_at = batch.max - 1, _LOOKED_AT * batch.max
    accounts = turns.order(first.queue, waiting)[:look_at]
    if not accounts:
        return []
    line: deque[tuple[AccountId, deque[Prediction]]] = deque()
    shared = {"queue_is": first.queue, "key_is": first.batch_key, "look_at": look_at // len(accounts), "most": most}
    for account in accounts:
        rows = connection.execute(_ALIKE, {**shared, "account_is": account}).mappings()
        line.append((account, deque(to_prediction(row) for row in rows)))
    chosen: list[Prediction] = []
    room = None if batch.max_items is None else batch.max_items - count_of(batch, first.input)
    while line and len(chosen) < most:
        account, left = line.popleft()
        if not left:
            continue
        if room is not None:
            room -= count_of(batch, left[0].input)
            if room < 0:
                break
        chosen.append(left.popleft())
        line.append((account, left))
    if chosen:
        taken = update(predictions).where(_C.sequence.in_([one.sequence for one in chosen]))
        values = {"claimed_by": first.claimed_by, "lease_until": at + lease, "epoch": _C.epoch + 1}
        connection.execute(taken.values(**values))
        turns.served(first.queue, list(dict.fromkeys(one.account for one in chosen)))
    return [replace(one, claimed_by=first.claimed_by, epoch=one.epoch + 1) for one in chosen]


def extend(
    connection: Connection, instance: InstanceId, held: Collection[PredictionId], lease: timedelta, at: datetime
) -> None:
    """Lengthen the instance's claims of these."""
    claims = update(predictions).where(_C.claimed_by == instance, _C.id.in_(held))
    connection.execute(claims.values(lease_until=at + lease))
