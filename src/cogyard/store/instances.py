"""Statements of instances and of the steps of their lives."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, Connection, delete, insert, select, type_coerce, update

from cogyard.domain.instance import Instance, InstanceEvent, InstanceState
from cogyard.domain.values import InstanceId, QueueId
from cogyard.ports import Arrival, Page, PageRequest
from cogyard.store.instance_tables import instance_events, instances
from cogyard.store.paging import cut
from cogyard.store.rows import from_instance, to_instance
from cogyard.store.tables import predictions

_C, _E, _P = instances.c, instance_events.c, predictions.c
_OVER = [state.value for state in InstanceState if state.is_over]
# unique: one after the other is started, each with a question to the store between
_BY_TIME = (type_coerce(_C.created_at, BigInteger),)


def save(connection: Connection, instance: Instance, at: datetime) -> None:
    """Insert or replace; a state that it was not in before is a step of its life."""
    values = from_instance(instance)
    before = connection.execute(select(_C.state).where(_C.id == instance.id)).scalar_one_or_none()
    if before is None:
        connection.execute(insert(instances), values)
    else:
        connection.execute(update(instances).where(_C.id == instance.id).values(**values))
    if before != instance.state.value:
        step = {"instance": instance.id, "at": at, "state": instance.state.value, "reason": instance.reason}
        connection.execute(insert(instance_events), step)


def unfinished(connection: Connection) -> Sequence[Instance]:
    """Those that are not over, oldest first."""
    wanted = select(instances).where(_C.state.not_in(_OVER)).order_by(_C.created_at)
    return [to_instance(row) for row in connection.execute(wanted).mappings()]


def get(connection: Connection, instance: InstanceId) -> Instance | None:
    """One of them, over or not."""
    row = connection.execute(select(instances).where(_C.id == instance)).mappings().one_or_none()
    return None if row is None else to_instance(row)


def page(connection: Connection, queues: Sequence[QueueId] | None, request: PageRequest) -> Page[Instance]:
    """Of these queues, or of all, newest first."""
    wanted = select(instances)
    if queues is not None:
        wanted = wanted.where(_C.queue.in_(queues))
    rows, neighbours = cut(connection, wanted, _BY_TIME, request)
    return Page([to_instance(row) for row in rows], *neighbours)


def events(connection: Connection, instance: InstanceId) -> Sequence[InstanceEvent]:
    """The steps of its life, in their order."""
    wanted = select(instance_events).where(_E.instance == instance).order_by(_E.number)
    return [
        InstanceEvent(instance=instance, at=row.at, state=InstanceState(row.state), reason=row.reason)
        for row in connection.execute(wanted)
    ]


def arrivals(connection: Connection, after: int | None, limit: int) -> Sequence[Arrival]:
    """What came after a prediction's number, or last, oldest first."""
    wanted = select(_P.sequence, _P.queue, _P.created_at).limit(limit)
    if after is None:
        rows = reversed(connection.execute(wanted.order_by(_P.sequence.desc())).all())
    else:
        rows = iter(connection.execute(wanted.where(_P.sequence > after).order_by(_P.sequence)).all())
    return [Arrival(row.sequence, QueueId(row.queue), row.created_at) for row in rows]


def forget(connection: Connection, before: datetime) -> None:
    """Forget those whose uptime is booked and that were over before a time, with the steps of their lives."""
    old = select(_C.id).where(_C.ended_at < before, _C.is_metered)
    connection.execute(delete(instance_events).where(_E.instance.in_(old)))
    connection.execute(delete(instances).where(_C.ended_at < before, _C.is_metered))
