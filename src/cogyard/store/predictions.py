"""Statements of predictions and of the queue that they are. Each function runs in the transaction that it is given."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Update,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    type_coerce,
    update,
)

from cogyard.domain.errors import Conflict, QueueFull, Unauthenticated
from cogyard.domain.events import CancelRequested, DeadlinePassed
from cogyard.domain.prediction import Prediction, apply, forget_data
from cogyard.domain.schedule import Demand
from cogyard.domain.values import AccountId, InstanceId, PredictionId, QueueId
from cogyard.domain.webhook import durable_events
from cogyard.ports import Once, Page, PageRequest, PredictionFilter
from cogyard.store import budgets, deliveries, deployments, usage
from cogyard.store.account_tables import IS_OUT, accounts
from cogyard.store.paging import cut
from cogyard.store.rows import Values, from_prediction, to_prediction
from cogyard.store.tables import chunks, creations, examples, files, models, predictions

_C = predictions.c
_INSERT = insert(predictions).returning(_C.sequence)
_COUNT_RUN = update(models).where(models.c.key == bindparam("model_key")).values(run_count=models.c.run_count + 1)
_IS_OUT_NOW = select(accounts.c.id).where(accounts.c.id == bindparam("account_is"), IS_OUT)
_BY_ID = select(predictions).where(_C.id == bindparam("prediction_id"))
_CHUNKS = (
    select(chunks.c.kind, chunks.c.data, chunks.c.files)
    .where(chunks.c.prediction == bindparam("sequence_is"))
    .order_by(chunks.c.position)
)
_BY_TIME = (type_coerce(_C.created_at, BigInteger), _C.sequence)
# constants in the text, not parameters: SQLite takes an index of some rows only where it sees that they are meant
IS_WAITING = (_C.status == literal_column("'starting'")) & _C.claimed_by.is_(None)
_IS_FROM_WEB = _C.source == literal_column("'web'")
_HAS_DATA = (_C.data_removed == literal_column("0")) & _C.completed_at.is_not(None)
# the index alone tells how many and who is first; only the first one's row is read, however many wait
_WAITING = (
    select(_C.queue, func.count().label("queued"), func.min(_C.sequence).label("first"))
    .where(IS_WAITING)
    .group_by(_C.queue)
    .subquery()
)
_DEMAND = select(_WAITING.c.queue, _WAITING.c.queued, _C.created_at.label("since")).join(
    _WAITING, _C.sequence == _WAITING.c.first
)
_LAST_ALLOWED: Select[Any] = (
    select(_C.sequence).where(_C.queue == bindparam("queue_is"), IS_WAITING).limit(1).offset(bindparam("limit_is"))
)
_FORGET_CHUNKS = delete(chunks).where(chunks.c.prediction == bindparam("sequence_is"))
_INSERT_CHUNK = insert(chunks)


def create(
    connection: Connection, prediction: Prediction, once: Once | None, queue_limit: int | None = None
) -> Prediction:
    """Store a new prediction, or find the one that the same request made before.

    Raises `Conflict`, `BudgetExceeded`, `QueueFull`; `Unauthenticated`, `Disabled`, `NotFound` when its account or
    deployment was disabled, or its deployment deleted, since it was asked.
    """
    if connection.execute(_IS_OUT_NOW, {"account_is": prediction.account}).scalar_one_or_none() is not None:
        raise Unauthenticated(f"The account that asked for {prediction.id} is disabled.")
    made = None if once is None else _made_before(connection, prediction.account, once)
    if made is not None:
        return made
    deployments.admit(connection, prediction)
    if queue_limit is not None and _is_full(connection, prediction.queue, queue_limit):
        where = prediction.deployment or prediction.model
        raise QueueFull(f"{queue_limit} predictions wait for {where} already, the most that may. Try again later.")
    if held := budgets.admit(connection, prediction):
        prediction = replace(prediction, **held)
    sequence: int = connection.execute(_INSERT, from_prediction(prediction)).scalar_one()
    connection.execute(_COUNT_RUN, {"model_key": prediction.model.lower()})
    if once is not None:
        _note_creation(connection, prediction, once)
    return replace(prediction, sequence=sequence)


def _is_full(connection: Connection, queue: QueueId, limit: int) -> bool:
    """Whether so many wait in it. A walk along an index, as long as the queue: nothing while it is short."""
    return connection.execute(_LAST_ALLOWED, {"queue_is": queue, "limit_is": limit - 1}).first() is not None


def _made_before(connection: Connection, account: AccountId, once: Once) -> Prediction | None:
    mine = (creations.c.account == account) & (creations.c.key == once.key)
    row = connection.execute(select(creations).where(mine, creations.c.created_at >= once.since)).one_or_none()
    if row is None:
        return None
    if row.fingerprint != once.fingerprint:
        raise Conflict("This Idempotency-Key was used for another request; make a new one for each request.")
    return get(connection, row.prediction) if once.is_repeat else None


def _note_creation(connection: Connection, prediction: Prediction, once: Once) -> None:
    mine = (creations.c.account == prediction.account) & (creations.c.key == once.key)
    connection.execute(delete(creations).where(mine))
    values: Values = {
        "account": prediction.account,
        "key": once.key,
        "fingerprint": once.fingerprint,
        "prediction": prediction.id,
        "created_at": prediction.created_at,
    }
    connection.execute(insert(creations), values)


def get(connection: Connection, prediction: PredictionId) -> Prediction | None:
    """A prediction with what it has said so far."""
    row = connection.execute(_BY_ID, {"prediction_id": prediction}).mappings().one_or_none()
    return None if row is None else _whole(connection, row)


def get_several(connection: Connection, wanted: Sequence[PredictionId]) -> dict[PredictionId, Prediction]:
    """Those of several that there are."""
    rows = connection.execute(select(predictions).where(_C.id.in_(wanted))).mappings().all()
    return {PredictionId(row["id"]): _whole(connection, row) for row in rows}


def page(connection: Connection, wanted: PredictionFilter, request: PageRequest) -> Page[Prediction]:
    """Newest first."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.account is not None:
        conditions.append(_C.account == wanted.account)
    if wanted.kind is not None:
        conditions.append(_C.kind == wanted.kind.value)
    if wanted.created_after is not None:
        conditions.append(_C.created_at >= wanted.created_after)
    if wanted.created_before is not None:
        conditions.append(_C.created_at < wanted.created_before)
    if wanted.source is not None:
        conditions.append(_IS_FROM_WEB if wanted.source == "web" else _C.source == wanted.source)
    if wanted.deployment is not None:
        conditions.append(_C.deployment == wanted.deployment)
    if wanted.models is not None:
        conditions.append(func.lower(_C.model).in_(wanted.models))
    if wanted.is_unfinished:
        conditions.append(_C.completed_at.is_(None))
    rows, neighbours = cut(connection, select(predictions).where(*conditions), _BY_TIME, request)
    return Page([_whole(connection, row) for row in rows], *neighbours)


def wish_end(
    connection: Connection, prediction: PredictionId, wish: CancelRequested | DeadlinePassed
) -> Prediction | None:
    """Apply a wish that it end, and store what comes of it."""
    before = get(connection, prediction)
    if before is None:
        return None
    after = apply(before, wish)
    if after is not before:
        record(connection, before, after)
    return after


def demand(connection: Connection) -> Sequence[Demand]:
    """What waits, by queue."""
    return [Demand(queue=row.queue, queued=row.queued, since=row.since) for row in connection.execute(_DEMAND)]


def record(connection: Connection, before: Prediction, after: Prediction) -> bool:
    """Store a step, unless the prediction has ended, was given back or was claimed anew since `before` was read."""
    is_whole = after.claimed_by is None  # chunks are for the time of a claim only
    changed = _row_changes(before, after, whole=is_whole)
    which = {"sequence_is": before.sequence, "epoch_is": before.epoch, "claimed_by_is": before.claimed_by}
    values = {f"new_{name}": value for name, value in changed.items()}
    if connection.execute(_step(tuple(changed)), {**which, **values}).rowcount != 1:
        return False
    if after.completed_at is not None:
        usage.note_end(connection, after)
    if after.webhook is not None:
        deliveries.owe(connection, after, durable_events(before, after), after.completed_at or after.started_at)
    if is_whole:
        connection.execute(_FORGET_CHUNKS, {"sequence_is": before.sequence})
    else:
        _append_chunks(connection, before, after)
    return True


@cache
def _step(names: tuple[str, ...]) -> Update:
    """The statement that sets these columns of a prediction, made once: making it takes longer than running it."""
    step = update(predictions).where(
        _C.sequence == bindparam("sequence_is"),
        _C.epoch == bindparam("epoch_is"),
        _C.claimed_by.is_not_distinct_from(bindparam("claimed_by_is")),
        _C.completed_at.is_(None),
    )
    return step.values({name: bindparam(f"new_{name}") for name in names})


def _row_changes(before: Prediction, after: Prediction, *, whole: bool) -> Values:
    """The columns to set; with `whole` also what chunks held until now."""
    names = ["status", "started_at", "completed_at", "error", "metrics", "attempt", "claimed_by"]
    values: Values = {name: getattr(after, name) for name in names}
    values["status"] = after.status.value
    if after.completed_at is not None:
        values["cost"] = after.cost
    if after.cancel_requested_at is not None:
        values["cancel_requested_at"] = after.cancel_requested_at
    if after.claimed_by is None:
        values["lease_until"] = None
    if whole:
        values["logs"] = after.logs
    if after.timing != before.timing:
        values["timing"] = after.timing
    if after.input is not before.input:
        values["input"] = after.input
    if whole or (not after.is_stream and after.output is not before.output):
        values["output"] = after.output
        values["output_files"] = dict(after.output_files) or None
    return values


def _append_chunks(connection: Connection, before: Prediction, after: Prediction) -> None:
    rows: list[Values] = []
    if after.is_stream and isinstance(after.output, list):
        start = len(before.output) if isinstance(before.output, list) else 0
        files = {key: file for key, file in after.output_files.items() if key not in before.output_files}
        if len(after.output) > start:
            rows.append({"kind": "output", "position": start, "data": after.output[start:], "files": files or None})
    if len(after.logs) > len(before.logs):
        text = after.logs[len(before.logs) :]
        rows.append({"kind": "log", "position": len(before.logs), "data": text, "files": None})
    if rows:
        connection.execute(_INSERT_CHUNK, [{**row, "prediction": before.sequence} for row in rows])


def claimed(connection: Connection, instance: InstanceId | None, expired_at: datetime | None) -> Sequence[Prediction]:
    """Claimed predictions, oldest first."""
    conditions: list[ColumnElement[bool]] = [_C.claimed_by.is_not(None)]
    if instance is not None:
        conditions.append(_C.claimed_by == instance)
    if expired_at is not None:
        conditions.append(_C.lease_until < expired_at)
    rows = list(connection.execute(select(predictions).where(*conditions)).mappings())
    # sorted here: asked for this order, SQLite would walk the whole table instead of the index of what is claimed
    return [_whole(connection, row) for row in sorted(rows, key=lambda row: int(row["sequence"]))]


def waiting(connection: Connection, queue: QueueId, limit: int | None) -> Sequence[Prediction]:
    """What waits for an instance of the queue, oldest first."""
    found = select(predictions).where(_C.queue == queue, IS_WAITING).order_by(_C.sequence).limit(limit)
    return [to_prediction(row) for row in connection.execute(found).mappings()]


def _whole(connection: Connection, row: RowMapping) -> Prediction:
    """The row's prediction with what its chunks hold."""
    prediction = to_prediction(row)
    if prediction.status.is_terminal or prediction.claimed_by is None:
        return prediction
    output: list[Any] = []
    files = dict(prediction.output_files)
    logs = [prediction.logs]
    for chunk in connection.execute(_CHUNKS, {"sequence_is": prediction.sequence}):
        if chunk.kind == "log":
            logs.append(chunk.data)
        else:
            output.extend(chunk.data)
            files.update(chunk.files or {})
    if len(logs) == 1 and not output:
        return prediction
    return replace(prediction, output=output or prediction.output, output_files=files, logs="".join(logs))


# --- what services look for ---------------------------------------------------------------------------------------


def overdue(connection: Connection, at: datetime) -> Sequence[PredictionId]:
    """Unfinished predictions whose deadline had come."""
    due = select(_C.id).where(_C.deadline.is_not(None), _C.completed_at.is_(None), _C.deadline <= at)
    return list(connection.execute(due.where(_C.cancel_requested_at.is_(None))).scalars())


def next_deadline(connection: Connection) -> datetime | None:
    """The earliest deadline of an unfinished prediction."""
    pending = (_C.deadline.is_not(None), _C.completed_at.is_(None), _C.cancel_requested_at.is_(None))
    found: datetime | None = connection.execute(select(func.min(_C.deadline)).where(*pending)).scalar_one()
    return found


def told(connection: Connection) -> Sequence[Prediction]:
    """Unfinished predictions with a webhook."""
    wanted = select(predictions).where(_C.webhook.is_not(None), _C.completed_at.is_(None)).order_by(_C.sequence)
    return [to_prediction(row) for row in connection.execute(wanted).mappings()]


def forget(connection: Connection, before: datetime, limit: int) -> Sequence[PredictionId]:
    """Remove the data of predictions that ended before a time and are nobody's example; their files expire now."""
    kept = select(examples.c.prediction)
    due = (
        select(predictions)
        .where(
            _HAS_DATA,
            _C.completed_at < before,
            _C.kind == literal_column("'prediction'"),
            _C.source == "api",
            _C.id.not_in(kept),
        )
        .order_by(_C.completed_at)
        .limit(limit)
    )
    forgotten = [forget_data(to_prediction(row)) for row in connection.execute(due).mappings()]
    for prediction in forgotten:
        emptied: Values = {
            "input": prediction.input,
            "output": prediction.output,
            "output_files": None,
            "logs": prediction.logs,
            "data_removed": True,
        }
        connection.execute(update(predictions).where(_C.sequence == prediction.sequence).values(**emptied))
        expired = update(files).where(files.c.prediction == prediction.id).values(expires_at=before)
        connection.execute(expired)
    gone = [prediction.id for prediction in forgotten]
    deliveries.forget_bodies(connection, gone)
    return gone


def forget_creations(connection: Connection, before: datetime) -> None:
    """Forget which requests made predictions before a time."""
    connection.execute(delete(creations).where(creations.c.created_at < before))
