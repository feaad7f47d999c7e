"""Use cases of looking: which instances run and have run, what waits and why, what the machine has; and stopping one.

Admins see everything. Others see the instances and queues of models that they may see and of deployments that they may
use, what instances printed where they may change these, and of predictions their own alone. A token for named models
sees these only. An instance that several models share stands under the one whose settings hold: the official one, else
the oldest, of those that the caller may see.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from cogyard.domain.account import Caller
from cogyard.domain.catalog import Model, is_for, may_change, may_see
from cogyard.domain.deployment import Deployment, may_use
from cogyard.domain.errors import Conflict, Forbidden, NotFound
from cogyard.domain.hardware import Gpu, Hardware, Machine
from cogyard.domain.instance import Instance, InstanceEvent, InstanceState
from cogyard.domain.queue import version_of
from cogyard.domain.schedule import Demand
from cogyard.domain.usage import Prices
from cogyard.domain.values import InstanceId, PredictionId, QueueId, VersionId
from cogyard.hardware import HardwareKinds
from cogyard.ports import (
    ClaimStore,
    Figures,
    InstanceStore,
    OverviewStore,
    Page,
    PageRequest,
    Placement,
    QueueUsers,
    Running,
    Waiting,
)

PAGE_SIZE = 100
"""Instances on a page."""

MOST_WAITING = 100
"""Predictions of the caller's that are named in one queue."""

ON_REQUEST = "stopped on request"
"""Why an instance ended; who asked is in the audit log, not in what everybody may read."""


class Registry(OverviewStore, InstanceStore, ClaimStore, Protocol):
    """What these use cases need of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the instances of a queue run, as one caller may know it; neither model nor deployment when it is gone."""

    #: `owner/name`
    model: str | None = None
    deployment: str | None = None
    #: None when it is not told
    version: VersionId | None
    #: the caller may read what instances printed
    is_own: bool = False
    #: the caller may stop instances
    may_stop: bool = False
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An instance as one caller may know it. `memory` in bytes, None when it is over."""

    instance: Instance
    subject: Subject
    since: datetime
    memory: int | None
    #: what it runs now, of the caller's
    predictions: Sequence[PredictionId]


@dataclass(frozen=True, slots=True)
class Life:
    """An instance with the steps of its life; its setup's logs where the caller may read them."""

    shown: Shown
    events: Sequence[InstanceEvent]
    setup_logs: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A queue: how many wait and since when, why, how many instances there are, and which ones of the caller's wait."""

    subject: Subject
    queue: QueueId
    queued: int
    oldest: datetime | None
    reason: str | None
    instances: Mapping[InstanceState, int]
    waiting: Sequence[Waiting]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineUse:
    """The machine and how much of it is in use; `memory_reserved` in bytes, `prices` of a second by SKU."""

    machine: Machine
    instances: int
    memory_reserved: int
    gpus: Sequence[tuple[Gpu, Sequence[InstanceId]]]
    kinds: Sequence[Hardware]
    prices: Mapping[str, Decimal]


class Overview:
    """What runs and what waits; each call says who looks."""

    def __init__(
        self,
        store: Registry,
        placement: Placement,
        kinds: HardwareKinds,
        prices: Prices,
        reason: Callable[[QueueId], str | None],
    ) -> None:
        """`reason` says why predictions of a queue wait."""
        self._store = store
        self._placement = placement
        self._kinds = kinds
        self._prices = prices
        self._reason = reason

    async def live(self, caller: Caller) -> Sequence[Shown]:
        """The instances that are not over and that the caller may see, newest first."""
        return await self._shown(caller, sorted(self._placement.instances(), key=_age))

    async def every(self, caller: Caller, page: PageRequest) -> Page[Shown]:
        """The same with those that are over, as long as they are remembered."""
        queues: Sequence[QueueId] | None = None
        if not _sees_all(caller):
            queues = list(await self._subjects(caller, await self._store.instance_queues()))
        found = await self._store.list_instances(queues, page)
        live = {one.id: one for one in self._placement.instances()}
        shown = await self._shown(caller, [live.get(one.id, one) for one in found.items])
        return Page(shown, found.next, found.previous)

    async def get(self, caller: Caller, instance: InstanceId) -> Life:
        """One of them with its life. Raises `NotFound`."""
        shown = await self._one(caller, instance)
        events = await self._store.instance_events(instance)
        return Life(shown, events, shown.instance.setup_logs if shown.subject.is_own else None)

    async def stop(self, caller: Caller, instance: InstanceId) -> Shown:
        """Let it end what it runs and stop it. Raises `NotFound`, `Forbidden`, `Conflict` when it is over."""
        shown = await self._one(caller, instance)
        if not shown.subject.may_stop:
            name = shown.subject.deployment or shown.subject.model
            raise Forbidden(f"Only those who may change {name} may stop its instances.")
        if shown.instance.state.is_over:
            raise Conflict(f"The instance is over: {shown.instance.reason or shown.instance.state}.")
        await self._placement.stop(instance, ON_REQUEST)
        return await self._one(caller, instance)

    async def queue(self, caller: Caller) -> Sequence[Row]:
        """Each queue in which somebody waits or that has an instance; those that wait longest first."""
        demand = {one.queue: one for one in await self._store.demand()}
        counts: dict[QueueId, Counter[InstanceState]] = {}
        for one in self._placement.instances():
            counts.setdefault(one.queue, Counter())[one.state] += 1
        subjects = await self._subjects(caller, {*demand, *counts})
        asked = [queue for queue in subjects if queue in demand]
        waiting = await self._store.waiting_of(caller.id, caller.models, asked, MOST_WAITING)
        rows = [
            self._row(subject, queue, demand.get(queue), counts.get(queue, Counter()), waiting.get(queue, ()))
            for queue, subject in subjects.items()
        ]
        return sorted(rows, key=lambda row: (row.oldest is None, row.oldest, row.queue))

    async def machine(self, caller: Caller) -> MachineUse:
        """What the machine has and how much of it is in use; instances that the caller may not see are not named."""
        machine, instances = self._kinds.machine, self._placement.instances()
        subjects = await self._subjects(caller, {one.queue for one in instances})
        seen = [one for one in instances if one.queue in subjects]
        return MachineUse(
            machine=machine,
            instances=len(instances),
            memory_reserved=sum(one.share.memory for one in instances),
            gpus=[(gpu, [one.id for one in seen if gpu.index in one.share.gpus]) for gpu in machine.gpus],
            kinds=self._kinds.kinds,
            prices=self._prices.hardware,
        )

    # --- who sees what --------------------------------------------------------------------------------------------

    async def _subjects(self, caller: Caller, queues: Collection[QueueId]) -> dict[QueueId, Subject]:
        """Those of the queues that the caller may see."""
        users = await self._store.queue_users(queues)
        found = {queue: _subject(caller, queue, used) for queue, used in users.items()}
        return {queue: subject for queue, subject in found.items() if subject is not None}

    async def _one(self, caller: Caller, instance: InstanceId) -> Shown:
        live = next((one for one in self._placement.instances() if one.id == instance), None)
        found = live or await self._store.get_instance(instance)
        shown = [] if found is None else await self._shown(caller, [found])
        if not shown:
            raise NotFound
        return shown[0]

    async def _shown(self, caller: Caller, instances: Sequence[Instance]) -> list[Shown]:
        subjects = await self._subjects(caller, {one.queue for one in instances})
        seen = [one for one in instances if one.queue in subjects]
        figures = self._placement.figures()
        held = {prediction for one in seen if one.id in figures for prediction in figures[one.id].predictions}
        running = {one.id: one for one in await self._store.running(held)}
        events = await self._store.last_events([one.id for one in seen if one.state is InstanceState.stopping])
        shown = []
        for one in seen:
            now = None if one.state.is_over else figures.get(one.id)
            mine = [running[id_] for id_ in ([] if now is None else now.predictions) if id_ in running]
            shown.append(
                Shown(
                    instance=one,
                    subject=subjects[one.queue],
                    since=_since(one, mine, events.get(one.id)),
                    memory=_memory(one, now),
                    predictions=[run.id for run in mine if _is_own(caller, run)],
                )
            )
        return shown

    def _row(
        self,
        subject: Subject,
        queue: QueueId,
        demand: Demand | None,
        counts: Mapping[InstanceState, int],
        waiting: Sequence[Waiting],
    ) -> Row:
        return Row(
            subject=subject,
            queue=queue,
            queued=0 if demand is None else demand.queued,
            oldest=None if demand is None else demand.since,
            reason=None if demand is None else self._reason(queue),
            instances=counts,
            waiting=waiting,
        )


def _sees_all(caller: Caller) -> bool:
    return caller.is_admin and caller.models is None


def _is_own(caller: Caller, run: Running) -> bool:
    return (caller.is_admin or run.account == caller.id) and caller.is_for(run.model)


def _subject(caller: Caller, queue: QueueId, users: QueueUsers) -> Subject | None:
    """What the queue runs, as the caller may know it; None where she may not know of it."""
    version = version_of(queue)
    if users.deployment is not None and may_use(caller, users.deployment):
        return _of_deployment(users.deployment, version)
    seen = [model for model in users.models if may_see(caller, model) and is_for(caller, model.full_name)]
    if seen:
        return _of_models(caller, seen, version)
    is_gone = users.deployment is None and not users.models
    if is_gone and _sees_all(caller):
        return Subject(version=version, is_own=True, may_stop=True)
    return None


def _of_deployment(deployment: Deployment, version: VersionId) -> Subject:
    release = deployment.serving if deployment.serving.version == version else deployment.current
    return Subject(
        deployment=deployment.full_name, version=version, is_own=True, may_stop=True, priority=release.priority
    )


def _of_models(caller: Caller, models: Sequence[Model], version: VersionId) -> Subject:
    first = min(models, key=lambda model: (not (model.is_official and model.latest_version == version), model.id))
    is_told = not first.is_official or may_change(caller, first)
    return Subject(
        model=first.full_name,
        version=version if is_told else None,
        is_own=any(may_change(caller, model) for model in models),
        may_stop=may_change(caller, first),
    )


# --- what is seen ---------------------------------------------------------------------------------------------------


def _age(one: Instance) -> tuple[float, str]:
    return -one.created_at.timestamp(), one.id


def _since(one: Instance, running: Sequence[Running], last: InstanceEvent | None) -> datetime:
    """When it came into its state; one that is active since it began the oldest of what it runs."""
    if one.ended_at is not None:
        return one.ended_at
    if one.idle_since is not None:
        return one.idle_since
    if one.state is InstanceState.active and (began := [run.started_at for run in running if run.started_at]):
        return min(began)
    if last is not None and last.state is one.state:
        return last.at
    return one.ready_at or one.created_at


def _memory(one: Instance, now: Figures | None) -> int | None:
    return None if one.state.is_over else 0 if now is None else now.memory
