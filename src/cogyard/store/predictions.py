"""Statements of predictions and of the queue that they are. Each function runs in the transaction that it is given."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from cogyard.domain.events import CancelRequested
from cogyard.domain.prediction import Prediction, apply
from cogyard.domain.schedule import Demand
from cogyard.domain.values import InstanceId, PredictionId, VersionId
from cogyard.ports import Page, PageRequest, PredictionFilter
from cogyard.store.rows import Values, from_prediction, to_prediction
from cogyard.store.tables import chunks, models, predictions

_C = predictions.c
_INSERT = insert(predictions).returning(_C.sequence)
_COUNT_RUN = update(models).where(models.c.key == bindparam("model_key")).values(run_count=models.c.run_count + 1)
_BY_ID = select(predictions).where(_C.id == bindparam("prediction_id"))
_CHUNKS = (
    select(chunks.c.kind, chunks.c.data, chunks.c.files)
    .where(chunks.c.prediction == bindparam("sequence_is"))
    .order_by(chunks.c.position)
)
_IS_WAITING = (_C.status == "starting") & _C.claimed_by.is_(None)
_OLDEST = select(func.min(_C.sequence)).where(_C.version == bindparam("version_is"), _IS_WAITING).scalar_subquery()
_CLAIM = (
    update(predictions)
    .where(_C.sequence == _OLDEST)
    .values(claimed_by=bindparam("instance"), lease_until=bindparam("until"), epoch=_C.epoch + 1)
    .returning(*predictions.columns)
)
_DEMAND = (
    select(_C.version, func.count().label("queued"), func.min(_C.created_at).label("since"))
    .where(_IS_WAITING)
    .group_by(_C.version)
)
_FORGET_CHUNKS = delete(chunks).where(chunks.c.prediction == bindparam("sequence_is"))
_INSERT_CHUNK = insert(chunks)


def create(connection: Connection, prediction: Prediction) -> int:
    """Store a new prediction and count a run of its model; returns its sequence."""
    sequence: int = connection.execute(_INSERT, from_prediction(prediction)).scalar_one()
    connection.execute(_COUNT_RUN, {"model_key": prediction.model.lower()})
    return sequence


def get(connection: Connection, prediction: PredictionId) -> Prediction | None:
    """A prediction with what it has said so far."""
    row = connection.execute(_BY_ID, {"prediction_id": prediction}).mappings().one_or_none()
    return None if row is None else _whole(connection, row)


def page(connection: Connection, wanted: PredictionFilter, request: PageRequest) -> Page[Prediction]:
    """Newest first."""
    conditions: list[ColumnElement[bool]] = [_C.account == wanted.account]
    if wanted.created_after is not None:
        conditions.append(_C.created_at >= wanted.created_after)
    if wanted.created_before is not None:
        conditions.append(_C.created_at < wanted.created_before)
    if wanted.source is not None:
        conditions.append(_C.source == wanted.source)
    rows, neighbours = cut(connection, select(predictions).where(*conditions), _C.sequence, request)
    return Page([_whole(connection, row) for row in rows], *neighbours)


def cut(
    connection: Connection, statement: Select[Any], key: ColumnElement[int], request: PageRequest
) -> tuple[list[RowMapping], tuple[int | None, int | None]]:
    """The rows of one page of `statement` ordered by `key` downwards, and the keys of the next and previous page."""
    if request.cursor is not None:
        statement = statement.where(key > request.cursor if request.reverse else key < request.cursor)
    ordered = statement.order_by(key.asc() if request.reverse else key.desc()).limit(request.limit + 1)
    rows = list(connection.execute(ordered.add_columns(key.label("page_key"))).mappings())
    more = len(rows) > request.limit
    rows = rows[: request.limit]
    if request.reverse:
        rows.reverse()
    has_next = more if not request.reverse else request.cursor is not None
    has_previous = more if request.reverse else request.cursor is not None
    keys = [row["page_key"] for row in rows]
    plain = [_without_key(row) for row in rows]
    return plain, (keys[-1] if keys and has_next else None, keys[0] if keys and has_previous else None)


def _without_key(row: RowMapping) -> Any:  # noqa: ANN401 - a mapping, as the row conversions want it
    return {name: row[name] for name in row if name != "page_key"}


def request_cancel(connection: Connection, prediction: PredictionId, at: datetime) -> Prediction | None:
    """Apply `CancelRequested` and store what comes of it."""
    before = get(connection, prediction)
    if before is None:
        return None
    after = apply(before, CancelRequested(at=at))
    if after is not before:
        record(connection, before, after)
    return after


def demand(connection: Connection) -> Sequence[Demand]:
    """What waits, by version."""
    return [Demand(version=row.version, queued=row.queued, since=row.since) for row in connection.execute(_DEMAND)]


def claim(
    connection: Connection, version: VersionId, instance: InstanceId, lease: timedelta, at: datetime
) -> Prediction | None:
    """Claim the oldest that waits. The subquery and the update are one statement in the one writer: no race."""
    values = {"version_is": version, "instance": instance, "until": at + lease}
    row = connection.execute(_CLAIM, values).mappings().one_or_none()
    return None if row is None else to_prediction(row)


def extend(connection: Connection, instance: InstanceId, lease: timedelta, at: datetime) -> None:
    """Lengthen every claim of the instance."""
    connection.execute(update(predictions).where(_C.claimed_by == instance).values(lease_until=at + lease))


def record(connection: Connection, before: Prediction, after: Prediction) -> bool:
    """Store a step, unless the prediction has ended or was claimed anew since `before` was read."""
    is_whole = after.claimed_by is None  # chunks are for the time of a claim only
    changed = _row_changes(before, after, whole=is_whole)
    step = update(predictions).where(
        _C.sequence == before.sequence, _C.epoch == before.epoch, _C.completed_at.is_(None)
    )
    if connection.execute(step.values(**changed)).rowcount != 1:
        return False
    if is_whole:
        connection.execute(_FORGET_CHUNKS, {"sequence_is": before.sequence})
    else:
        _append_chunks(connection, before, after)
    return True


def _row_changes(before: Prediction, after: Prediction, *, whole: bool) -> Values:
    """The columns to set; with `whole` also what chunks held until now."""
    names = ["status", "started_at", "completed_at", "error", "metrics", "attempt", "claimed_by"]
    values: Values = {name: getattr(after, name) for name in names}
    values["status"] = after.status.value
    if after.cancel_requested_at is not None:
        values["cancel_requested_at"] = after.cancel_requested_at
    if after.claimed_by is None:
        values["lease_until"] = None
    if whole:
        values["logs"] = after.logs
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
    rows = connection.execute(select(predictions).where(*conditions).order_by(_C.sequence)).mappings()
    return [_whole(connection, row) for row in list(rows)]


def waiting(connection: Connection, version: VersionId) -> Sequence[Prediction]:
    """What waits for an instance of the version, oldest first."""
    found = select(predictions).where(_C.version == version, _IS_WAITING).order_by(_C.sequence)
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
