"""What official models and deployments want to have running, and what is known of queues that somebody waits in."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, or_, select, tuple_

from cogyard.domain.catalog import BuildConfig, Visibility
from cogyard.domain.queue import (
    deployment_of,
    deployment_queue,
    is_shared,
    is_training,
    mark_of,
    model_of,
    model_queue,
    version_of,
)
from cogyard.domain.schedule import Target
from cogyard.domain.values import DeploymentId, QueueId, VersionId
from cogyard.store import budgets
from cogyard.store.account_tables import IS_OUT, accounts
from cogyard.store.tables import deployments, model_versions, models, releases, versions

_M, _D, _R = models.c, deployments.c, releases.c
_MODELS = (
    select(_M.id, _M.owner, _M.name, _M.visibility, _M.hardware, _M.settings, _M.secrets_mark, _M.is_official)
    .add_columns(_M.latest_version, model_versions.c.version)
    .join(model_versions, model_versions.c.model == _M.id)
)
_RELEASES = (
    select(_D.id, _D.account, _D.owner, _D.name, _D.secrets_mark, _D.current_release, _D.serving_release)
    .add_columns(_R.number, _R.version, _R.hardware, _R.min_instances, _R.max_instances, _R.priority)
    .add_columns(IS_OUT.label("is_out"))
    .join(releases, _R.deployment == _D.id)
    .join(accounts, accounts.c.id == _D.account)
)
_IS_IN_USE = or_(_R.number == _D.current_release, _R.number == _D.serving_release)


def listed(
    connection: Connection, asked: Collection[QueueId], official_instances: int, at: datetime
) -> Sequence[Target]:
    """Targets of official models, deployments, and of those asked queues whose version there still is."""
    found = {
        **_of_models(connection, [queue for queue in asked if deployment_of(queue) is None]),
        **_official(connection, official_instances),
        **_of_deployments(connection, [queue for queue in asked if deployment_of(queue) is not None], at),
    }
    return list(found.values())


def _official(connection: Connection, least: int) -> dict[QueueId, Target]:
    wanted = _MODELS.where(_M.is_official, model_versions.c.version == _M.latest_version)
    rows = list(connection.execute(wanted).mappings())
    configs = _configs(connection, {row["version"] for row in rows})
    found: dict[QueueId, Target] = {}
    for row in rows:
        queue = model_queue(row["version"], row["id"], row["secrets_mark"])
        config = configs.get(row["version"])
        if config is not None and queue not in found:
            found[queue] = _of_model(queue, row, config, least)
    return found


def _of_models(connection: Connection, queues: Sequence[QueueId]) -> dict[QueueId, Target]:
    """Of queues that belong to a version or a model: the official one decides how they are kept, else the oldest."""
    if not queues:
        return {}
    wanted = {version_of(queue) for queue in queues}
    rows = connection.execute(_MODELS.where(model_versions.c.version.in_(wanted)).order_by(_M.id)).mappings().all()
    configs = _configs(connection, wanted)
    found: dict[QueueId, Target] = {}
    for queue in queues:
        version, only = version_of(queue), model_of(queue)
        users = [row for row in rows if row["version"] == version and only in (None, row["id"])]
        config = configs.get(version)
        if not users or config is None:
            continue
        first = min(users, key=lambda row: (not row["is_official"] or row["latest_version"] != version, row["id"]))
        found[queue] = _of_model(queue, first, config, 0)
    return found


def _of_model(queue: QueueId, row: RowMapping, config: BuildConfig, least: int) -> Target:
    most = row["settings"].get("max_instances") if row["settings"] else None
    is_serving = is_shared(queue) or (not is_training(queue) and mark_of(queue) == row["secrets_mark"])
    return Target(
        queue=queue,
        hardware=row["hardware"],
        min_instances=least,
        max_instances=most if isinstance(most, int) else None,
        slots=1 if is_training(queue) else config.concurrency,
        wants_gpu=config.gpu,
        is_current=is_serving,
        settings=row["settings"] or {},
        name=f"{row['owner']}/{row['name']}",
        is_public=row["visibility"] == Visibility.public.value,
    )


def _of_deployments(connection: Connection, asked: Sequence[QueueId], at: datetime) -> dict[QueueId, Target]:
    """Of the releases in use, and of former ones in whose queues somebody still waits or something still runs."""
    pairs = {(deployment_of(queue), version_of(queue)) for queue in asked}
    condition = or_(_IS_IN_USE, tuple_(_D.id, _R.version).in_(pairs)) if pairs else _IS_IN_USE
    rows = list(connection.execute(_RELEASES.where(condition).order_by(_R.number)).mappings())
    configs = _configs(connection, {row["version"] for row in rows})
    broke = budgets.used_up(connection, at)
    found: dict[QueueId, Target] = {}
    for row in rows:
        config = configs.get(row["version"])
        if config is None:
            continue
        is_in_use = row["number"] in (row["current_release"], row["serving_release"])
        is_rolling = row["serving_release"] is not None and row["number"] == row["current_release"]
        may_keep = is_in_use and not row["is_out"] and row["account"] not in broke
        least = max(row["min_instances"], int(is_rolling)) if may_keep else 0
        for queue in _queues(row, asked, is_in_use=is_in_use):
            found[queue] = Target(
                queue=queue,
                hardware=row["hardware"],
                min_instances=least,
                # what waits for a former release, or was created before it was disabled, still runs
                max_instances=row["max_instances"] if is_in_use else max(row["max_instances"], 1),
                priority=row["priority"],
                slots=config.concurrency,
                wants_gpu=config.gpu,
                is_current=is_in_use and queue == deployment_queue(row["id"], row["version"], row["secrets_mark"]),
                name=f"{row['owner']}/{row['name']}",
            )
    return found


def _queues(row: RowMapping, asked: Iterable[QueueId], *, is_in_use: bool) -> list[QueueId]:
    """The release's queue as it is now, and those of it with former secrets that are asked for."""
    now = deployment_queue(DeploymentId(row["id"]), VersionId(row["version"]), row["secrets_mark"])
    same = [queue for queue in asked if (deployment_of(queue), version_of(queue)) == (row["id"], row["version"])]
    return list(dict.fromkeys([*([now] if is_in_use else []), *same]))


def _configs(connection: Connection, wanted: Collection[VersionId]) -> dict[VersionId, BuildConfig]:
    found: Any = connection.execute(select(versions.c.id, versions.c.config).where(versions.c.id.in_(wanted)))
    return {VersionId(row.id): BuildConfig(**row.config) for row in found}
