"""Use cases of deployments: create, change, delete, releases, rollback (`api-contract.md` §6)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from cogyard.domain.account import Caller
from cogyard.domain.catalog import check_token, may_see, parse_model_name
from cogyard.domain.deployment import Deployment, Release, may_use
from cogyard.domain.errors import InvalidRequest, InvalidResource, NotFound
from cogyard.domain.values import DeploymentId, VersionId
from cogyard.endings import cancel_all
from cogyard.hardware import HardwareKinds
from cogyard.ports import (
    Bus,
    CatalogStore,
    Clock,
    DeploymentStore,
    Page,
    PageRequest,
    PredictionFilter,
    PredictionStore,
)

PAGE_SIZE = 25

MOST_PRIORITY = 100
"""A release's priority is between this and its negative."""

UNUSED_FOR = timedelta(minutes=15)
"""How long nobody may have used a deployment that is deleted (§6.2)."""


class Registry(DeploymentStore, CatalogStore, PredictionStore, Protocol):
    """What these use cases need of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceLimits:
    """The ranges of `min_instances` and `max_instances`."""

    min_instances: int
    max_instances: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseChange:
    """What a caller wants to change; None leaves it as it is."""

    model: str | None = None
    version: str | None = None
    hardware: str | None = None
    min_instances: int | None = None
    max_instances: int | None = None
    priority: int | None = None


class Deployments:
    """The deployments of every account; each call says who asks."""

    def __init__(
        self,
        store: Registry,
        bus: Bus,
        clock: Clock,
        limits: InstanceLimits,
        has_instances: Callable[[DeploymentId], bool],
        kinds: HardwareKinds,
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._has_instances = has_instances
        self._kinds = kinds

    async def create(self, caller: Caller, name: str, wanted: ReleaseChange) -> Deployment:
        """A new deployment of the caller's with its first release. Raises `InvalidResource`, `Conflict`."""
        now = self._clock.now()
        empty = Release(
            number=1,
            model=wanted.model or "",
            version=VersionId(""),
            hardware="cpu",
            min_instances=0,
            max_instances=1,
            created_at=now,
            created_by=caller,
        )
        release = await self._changed(caller, empty, wanted)
        created = await self._store.create_deployment(
            Deployment(
                id=DeploymentId(0),
                account=caller.id,
                owner=caller.username,
                name=name,
                created_at=now,
                current=release,
            )
        )
        self._bus.publish(("queue", created.queue))
        return created

    async def get(self, caller: Caller, owner: str, name: str) -> Deployment:
        """One of the caller's. Raises `NotFound`."""
        found = await self._store.get_deployment(owner, name)
        if found is None or not may_use(caller, found):
            raise NotFound
        return found

    async def list(self, caller: Caller, page: PageRequest) -> Page[Deployment]:
        """The caller's, newest first."""
        return await self._store.list_deployments(caller.id, page, caller.models)

    async def update(self, caller: Caller, owner: str, name: str, wanted: ReleaseChange) -> Deployment:
        """Release it with changes; what changes nothing makes no release. Raises `NotFound`, `InvalidResource`."""
        deployment = await self.get(caller, owner, name)
        while True:
            current = deployment.current
            changed = await self._changed(caller, current, wanted)
            if changed.is_same(current):
                return deployment
            at, number = self._clock.now(), current.number + 1
            new = replace(changed, number=number, created_at=at, created_by=caller, note=None)
            is_released = await self._store.add_release(deployment.id, new)
            deployment = await self.get(caller, owner, name)
            if is_released:
                released = replace(deployment, current=new)  # whatever came after it
                await self._released(released)
                return released
            # another change was quicker; this one comes on top

    async def roll_back(self, caller: Caller, owner: str, name: str, number: int) -> Deployment:
        """Release it anew as an earlier release had it. Raises `NotFound`, `InvalidResource`."""
        deployment = await self.get(caller, owner, name)
        page = PageRequest(limit=1, cursor=(number + 1,))
        found = (await self._store.list_releases(deployment.id, page)).items
        if not found or found[0].number != number:
            raise NotFound(f"{deployment.full_name} has no release {number}.")
        old = found[0]
        return await self.update(
            caller,
            owner,
            name,
            ReleaseChange(
                model=old.model,
                version=old.version,
                hardware=old.hardware,
                min_instances=old.min_instances,
                max_instances=old.max_instances,
                priority=old.priority,
            ),
        )

    async def releases(self, caller: Caller, owner: str, name: str, page: PageRequest) -> Page[Release]:
        """Its releases, newest first. Raises `NotFound`."""
        return await self._store.list_releases((await self.get(caller, owner, name)).id, page)

    async def delete(self, caller: Caller, owner: str, name: str) -> None:
        """Delete one that is offline and that nobody has used lately. Raises `NotFound`, `InvalidRequest`."""
        deployment = await self.get(caller, owner, name)
        if deployment.current.min_instances > 0 or self._has_instances(deployment.id):
            raise InvalidRequest(
                f"{deployment.full_name} is not offline: set min_instances and max_instances to 0 and wait until its "
                "instances have stopped."
            )
        if not await self._store.delete_deployment(deployment.id, self._clock.now() - UNUSED_FOR):
            raise InvalidRequest(
                f"{deployment.full_name} was used less than {UNUSED_FOR.seconds // 60} minutes ago; try again later."
            )

    async def _changed(self, caller: Caller, release: Release, wanted: ReleaseChange) -> Release:
        """The release with the changes. Raises `InvalidResource` naming the field at fault."""
        name = release.model if wanted.model is None else wanted.model
        changed = replace(
            release,
            model=name,
            version=release.version if wanted.version is None else await self._version(caller, name, wanted.version),
            hardware=release.hardware if wanted.hardware is None else wanted.hardware,
            min_instances=release.min_instances if wanted.min_instances is None else wanted.min_instances,
            max_instances=release.max_instances if wanted.max_instances is None else wanted.max_instances,
            priority=release.priority if wanted.priority is None else wanted.priority,
        )
        self._kinds.check(changed.hardware)
        for field, value, most in (
            ("min_instances", changed.min_instances, self._limits.min_instances),
            ("max_instances", changed.max_instances, self._limits.max_instances),
        ):
            if not 0 <= value <= most:
                raise InvalidResource(field, f"must be between 0 and {most}")
        if not -MOST_PRIORITY <= changed.priority <= MOST_PRIORITY:
            raise InvalidResource("priority", f"must be between -{MOST_PRIORITY} and {MOST_PRIORITY}")
        if changed.max_instances < changed.min_instances:
            raise InvalidResource("max_instances", "must be greater than or equal to min_instances")
        needs = (changed.hardware, changed.min_instances)
        if needs != (release.hardware, release.min_instances) and changed.min_instances > 0:
            reason = self._kinds.misfit(*needs)
            if reason is not None:
                raise InvalidResource("min_instances", reason)
        return changed

    async def _version(self, caller: Caller, name: str, version: str) -> VersionId:
        try:
            model = await self._store.get_model(*parse_model_name(name))
        except InvalidRequest as error:
            raise InvalidResource("model", str(error)) from None
        if model is None or not may_see(caller, model):
            raise InvalidResource("model", f"there is no model {name}")
        check_token(caller, model.full_name)
        found = await self._store.get_model_version(model.id, VersionId(version))
        if found is None:
            raise InvalidResource("version", f"{model.full_name} has no version {version[:80]!r}")
        return found.id

    async def _released(self, deployment: Deployment) -> None:
        """Tell the scheduler; what runs on a deployment that is now disabled is canceled (§6.3)."""
        self._bus.publish(("queue", deployment.next_queue))
        if deployment.current.is_disabled:
            # admins may use the deployments of others, so whoever made them
            wanted = PredictionFilter(account=None, kind=None, deployment=deployment.full_name, is_unfinished=True)
            await cancel_all(self._store, self._bus, self._clock, wanted)
