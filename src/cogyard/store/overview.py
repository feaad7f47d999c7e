"""Questions about instances and queues for those who look at them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, bindparam, func, select

from cogyard.domain.catalog import Model
from cogyard.domain.instance import InstanceEvent, InstanceState
from cogyard.domain.queue import deployment_of, model_of, version_of
from cogyard.domain.values import AccountId, InstanceId, PredictionId, QueueId, VersionId
from cogyard.ports import QueueUsers, Running, Waiting
from cogyard.store import deployments as deployment_statements
from cogyard.store.instance_tables import instance_events, instances
from cogyard.store.predictions import IS_WAITING
from cogyard.store.rows import to_model
from cogyard.store.tables import deployments, model_versions, models, predictions

_E, _P = instance_events.c, predictions.c
_MODELS = select(models, model_versions.c.version).join(model_versions, model_versions.c.model == models.c.id)
_WAITING = (
    select(_P.id, _P.created_at)
    .where(_P.queue == bindparam("queue_is"), _P.account == bindparam("account_is"), IS_WAITING)
    .order_by(_P.sequence)
)


def queue_users(connection: Connection, queues: Collection[QueueId]) -> Mapping[QueueId, QueueUsers]:
    """The models and deployments that run something in these queues."""
    numbers = {queue: number for queue in queues if (number := deployment_of(queue)) is not None}
    of_models = [queue for queue in queues if queue not in numbers]
    by_version = _models(connection, {version_of(queue) for queue in of_models})
    found = deployment_statements.several(connection, deployments.c.id.in_(set(numbers.values()))) if numbers else []
    by_number = {one.id: one for one in found}
    users = {queue: QueueUsers(deployment=by_number.get(number)) for queue, number in numbers.items()}
    for queue in of_models:
        only = model_of(queue)
        having = by_version.get(version_of(queue), ())
        users[queue] = QueueUsers(models=[model for model in having if only in (None, model.id)])
    return users


def _models(connection: Connection, wanted: Collection[VersionId]) -> Mapping[VersionId, Sequence[Model]]:
    found: dict[VersionId, list[Model]] = defaultdict(list)
    if wanted:
        having = _MODELS.where(model_versions.c.version.in_(wanted)).order_by(models.c.id)
        for row in connection.execute(having).mappings():
            found[VersionId(row["version"])].append(to_model(row))
    return found


def instance_queues(connection: Connection) -> Sequence[QueueId]:
    """Those of all instances that are remembered."""
    return [QueueId(queue) for queue in connection.execute(select(instances.c.queue).distinct()).scalars()]


def last_events(connection: Connection, wanted: Collection[InstanceId]) -> Mapping[InstanceId, InstanceEvent]:
    """The latest step of each life."""
    newest = select(func.max(_E.number)).where(_E.instance.in_(wanted)).group_by(_E.instance)
    return {
        InstanceId(row.instance): InstanceEvent(
            instance=InstanceId(row.instance), at=row.at, state=InstanceState(row.state), reason=row.reason
        )
        for row in connection.execute(select(instance_events).where(_E.number.in_(newest)))
    }


def running(connection: Connection, wanted: Collection[PredictionId]) -> Sequence[Running]:
    """A few columns of these predictions."""
    found = select(_P.id, _P.account, _P.model, _P.started_at).where(_P.id.in_(wanted))
    return [
        Running(PredictionId(row.id), AccountId(row.account), row.model, row.started_at)
        for row in connection.execute(found)
    ]


def waiting_of(
    connection: Connection,
    account: AccountId,
    named: frozenset[str] | None,
    queues: Collection[QueueId],
    limit: int,
) -> Mapping[QueueId, Sequence[Waiting]]:
    """What the account has waiting in each queue, oldest first."""
    wanted = _WAITING.limit(limit)
    if named is not None:
        wanted = wanted.where(func.lower(_P.model).in_(named))
    found: dict[QueueId, Sequence[Waiting]] = {}
    for queue in queues:
        rows = connection.execute(wanted, {"queue_is": queue, "account_is": account}).all()
        if rows:
            found[queue] = [Waiting(PredictionId(row.id), row.created_at) for row in rows]
    return found
