"""Use cases of secrets: what a model's or a deployment's processes find in their environment."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from cogyard.domain.account import Caller
from cogyard.domain.catalog import may_change, may_see
from cogyard.domain.deployment import may_use
from cogyard.domain.errors import Forbidden, NotFound
from cogyard.domain.secret import Holder, HolderKind, Secret, check_secret
from cogyard.domain.values import QueueId
from cogyard.ports import Bus, CatalogStore, Clock, DeploymentStore, SealedStore, Vault


class Registry(SealedStore, CatalogStore, DeploymentStore, Protocol):
    """What these use cases need of the store."""


class Secrets:
    """The secrets of every model and deployment; each call says who asks, but `open_for`, which is for instances."""

    def __init__(self, store: Registry, vault: Vault, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._bus = bus
        self._clock = clock

    async def list(self, caller: Caller, kind: HolderKind, owner: str, name: str) -> Sequence[Secret]:
        """The secrets of a model or deployment that the caller may change, by name. Raises `NotFound`, `Forbidden`."""
        return await self._store.list_secrets(await self.holder(caller, kind, owner, name))

    async def put(self, caller: Caller, holder: Holder, secret: str, value: str) -> Secret:
        """Set one; what is created from now on runs with it. Raises `InvalidResource`, `KeyUnusable`."""
        check_secret(secret, value)
        sealed = await asyncio.to_thread(self._vault.seal, value, holder.context(secret))
        made = await self._store.put_secret(holder, secret, sealed, caller.id, self._clock.now())
        self._bus.publish(("queue", "secrets"))
        return made

    async def remove(self, caller: Caller, kind: HolderKind, owner: str, name: str, secret: str) -> None:
        """Forget one; what is created from now on runs without it. Raises `NotFound`, `Forbidden`."""
        holder = await self.holder(caller, kind, owner, name)
        if not await self._store.remove_secret(holder, secret):
            raise NotFound
        self._bus.publish(("queue", "secrets"))

    async def holder(self, caller: Caller, kind: HolderKind, owner: str, name: str) -> Holder:
        """The model or deployment of that name, when the caller may change it. Raises `NotFound`, `Forbidden`."""
        if kind is HolderKind.deployment:
            deployment = await self._store.get_deployment(owner, name)
            if deployment is None or not may_use(caller, deployment):
                raise NotFound
            return Holder(kind, deployment.id)
        model = await self._store.get_model(owner, name)
        if model is None or not may_see(caller, model):
            raise NotFound
        if not may_change(caller, model):
            raise Forbidden(f"{model.full_name} belongs to {model.owner}.")
        return Holder(kind, model.id)

    async def open_for(self, queue: QueueId) -> Mapping[str, str]:
        """What instances of the queue find in their environment. Raises `KeyUnusable`."""
        found = await self._store.secrets_of_queue(queue)

        def unsealed() -> dict[str, str]:
            return {name: self._vault.open(sealed, holder.context(name)) for name, (holder, sealed) in found.items()}

        return await asyncio.to_thread(unsealed) if found else {}
