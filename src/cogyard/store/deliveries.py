"""Statements of webhook deliveries. Each function runs in the transaction that it is given."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from cogyard.domain.prediction import Prediction
from cogyard.domain.values import AccountId, DeliveryId, PredictionId
from cogyard.domain.webhook import Delivery, DeliveryState, WebhookEvent
from cogyard.ids import new_delivery_id
from cogyard.ports import Page, PageRequest
from cogyard.store.paging import cut
from cogyard.store.rows import from_delivery, to_delivery
from cogyard.store.tables import deliveries, predictions

_C = deliveries.c


def owe(connection: Connection, prediction: Prediction, events: Sequence[WebhookEvent], at: datetime | None) -> None:
    """Note what must be told; a prediction's start once, whatever number of times it started."""
    for event in events:
        if at is None or prediction.webhook is None:
            continue
        mine = (_C.prediction == prediction.id) & (_C.event == event.value)
        if event is WebhookEvent.start and connection.execute(select(_C.number).where(mine)).first():
            continue
        owed = Delivery(
            id=new_delivery_id(),
            prediction=prediction.id,
            account=prediction.account,
            event=event,
            url=prediction.webhook,
            created_at=at,
            next_attempt_at=at,
        )
        connection.execute(insert(deliveries), from_delivery(owed))


def save(connection: Connection, delivery: Delivery) -> None:
    """Insert or replace; what was told is not kept where the prediction's data is not."""
    values = from_delivery(delivery)
    if delivery.state is not DeliveryState.pending and not _has_data(connection, delivery.prediction):
        values["body"] = None
    if connection.execute(update(deliveries).where(_C.id == delivery.id).values(**values)).rowcount == 0:
        connection.execute(insert(deliveries), values)


def due(connection: Connection, at: datetime, limit: int, without: Collection[DeliveryId]) -> Sequence[Delivery]:
    """Deliveries whose next attempt had come, those first that wait longest."""
    order = (_C.next_attempt_at, _C.number)  # the index's; by number alone SQLite would walk the whole ledger
    named = select(_C.id).where(_C.next_attempt_at <= at).order_by(*order).limit(limit + len(without))
    wanted = [one for one in connection.execute(named).scalars() if one not in without][:limit]
    rows = connection.execute(select(deliveries).where(_C.id.in_(wanted)).order_by(*order)).mappings()
    return [to_delivery(row) for row in rows]


def next_due(connection: Connection, after: datetime) -> datetime | None:
    """When the next attempt after a time is to be made."""
    found: datetime | None = connection.execute(
        select(func.min(_C.next_attempt_at)).where(_C.next_attempt_at > after)
    ).scalar_one()
    return found


def get(connection: Connection, account: AccountId, delivery: DeliveryId) -> Delivery | None:
    """One of the account's."""
    row = connection.execute(select(deliveries).where(_C.id == delivery, _C.account == account)).mappings()
    found = row.one_or_none()
    return None if found is None else to_delivery(found)


def page(
    connection: Connection,
    account: AccountId,
    prediction: PredictionId | None,
    request: PageRequest,
    models: frozenset[str] | None,
) -> Page[Delivery]:
    """The account's, newest first."""
    wanted = select(deliveries).where(_C.account == account)
    if prediction is not None:
        wanted = wanted.where(_C.prediction == prediction)
    if models is not None:
        of_models = select(predictions.c.id).where(func.lower(predictions.c.model).in_(models))
        wanted = wanted.where(_C.prediction.in_(of_models.where(predictions.c.id == _C.prediction)))
    rows, neighbours = cut(connection, wanted, (_C.number,), request)
    return Page([to_delivery(row) for row in rows], *neighbours)


def forget_bodies(connection: Connection, gone: Sequence[PredictionId] | Select[Any]) -> None:
    """Forget what was told of predictions whose data is removed; what is still to be told is kept until then."""
    over = _C.state != DeliveryState.pending.value
    connection.execute(update(deliveries).where(_C.prediction.in_(gone), over).values(body=None))


def _has_data(connection: Connection, prediction: PredictionId) -> bool:
    kept = select(predictions.c.sequence).where(predictions.c.id == prediction, ~predictions.c.data_removed)
    return connection.execute(kept).first() is not None


def forget(connection: Connection, before: datetime) -> None:
    """Forget deliveries that ended and were owed before a time."""
    over = _C.state != DeliveryState.pending.value
    connection.execute(delete(deliveries).where(over, _C.created_at < before))
