"""Use cases of collections: anyone reads them, admins curate them (`api-contract.md` §3.3)."""

from collections.abc import Sequence
from typing import Protocol

from cogyard.domain.account import Account
from cogyard.domain.catalog import OFFICIAL, Collection, Model
from cogyard.domain.errors import Forbidden, InvalidRequest, NotFound
from cogyard.ports import CatalogStore, CollectionStore


class Registry(CollectionStore, CatalogStore, Protocol):
    """What these use cases need of the store."""


class Collections:
    """The collections of this server."""

    def __init__(self, store: Registry) -> None:
        self._store = store

    async def list(self) -> Sequence[Collection]:
        """All of them, `official` first, then by name."""
        return await self._store.list_collections()

    async def get(self, slug: str) -> Collection:
        """One. Raises `NotFound`."""
        found = await self._store.get_collection(slug)
        if found is None:
            raise NotFound
        return found

    async def models(self, slug: str) -> Sequence[Model]:
        """The public models of one, in its order."""
        return await self._store.collection_models(slug)

    async def create(self, caller: Account, collection: Collection) -> Collection:
        """Store a new one. Raises `Forbidden`, `Conflict`."""
        _check_admin(caller)
        await self._store.create_collection(collection)
        return collection

    async def update(self, caller: Account, collection: Collection) -> Collection:
        """Change its words. Raises `Forbidden`, `NotFound`."""
        _check_admin(caller)
        await self.get(collection.slug)
        await self._store.save_collection(collection)
        return collection

    async def delete(self, caller: Account, slug: str) -> None:
        """Delete it; its models stay. Raises `Forbidden`, `NotFound`, `InvalidRequest` for `official`."""
        _check_admin(caller)
        await self.get(slug)
        if slug == OFFICIAL.slug:
            raise InvalidRequest(f"The collection {slug} is always there.")
        await self._store.delete_collection(slug)

    async def put_model(self, caller: Account, slug: str, owner: str, name: str) -> None:
        """Add a model at the end. Raises `Forbidden`, `NotFound`, `InvalidRequest` for `official`."""
        model = await self._named(caller, slug, owner, name)
        await self._store.put_collection_model(slug, model.id)

    async def take_model(self, caller: Account, slug: str, owner: str, name: str) -> None:
        """Take a model out. Raises `Forbidden`, `NotFound`, `InvalidRequest` for `official`."""
        model = await self._named(caller, slug, owner, name)
        if not await self._store.take_collection_model(slug, model.id):
            raise NotFound

    async def _named(self, caller: Account, slug: str, owner: str, name: str) -> Model:
        _check_admin(caller)
        await self.get(slug)
        model = await self._store.get_model(owner, name)
        if model is None:
            raise NotFound
        if slug == OFFICIAL.slug:
            raise InvalidRequest(f"The collection {slug} holds the official models; make {owner}/{name} official.")
        return model


def _check_admin(caller: Account) -> None:
    if not caller.is_admin:
        raise Forbidden("Only admins may curate collections.")
