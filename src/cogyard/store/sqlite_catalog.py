"""Models, versions, collections and deployments on SQLite."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TextIO

from cogyard.domain.catalog import Alias, Collection, Model, Version
from cogyard.domain.deployment import Deployment, Release
from cogyard.domain.meaning import Vector
from cogyard.domain.prediction import Prediction
from cogyard.domain.rollout import Answer, Standing
from cogyard.domain.values import AccountId, DeploymentId, ModelId, PredictionId, QueueId, VersionId
from cogyard.ports import Clock, ModelOrder, Moved, Page, PageRequest, VersionUsers
from cogyard.store import aliases, catalog, collections, deployments, rollout, search, vectors
from cogyard.store.sqlite_core import SqliteCore


class SqliteCatalog(SqliteCore):
    """Implements `ports.CatalogStore`, `VectorStore`, `CollectionStore`, `DeploymentStore`, `RolloutStore`."""

    def __init__(self, path: Path, clock: Clock, lock: TextIO) -> None:
        super().__init__(path, clock, lock)
        #: versions never change; one that leaves its model for good is forgotten here too
        self._versions: dict[VersionId, Version] = {}
        self._members: dict[tuple[ModelId, VersionId], Version] = {}

    async def create_model(self, model: Model) -> Model:
        """See `ports.CatalogStore`."""
        return await self._write(catalog.create_model, model)

    async def get_model(self, owner: str, name: str) -> Model | None:
        """See `ports.CatalogStore`."""
        return await self._read(catalog.get_model, owner, name)

    async def update_model(self, before: Model, after: Model) -> None:
        """See `ports.CatalogStore`."""
        await self._write(catalog.update_model, before, after)

    async def list_models(self, order: ModelOrder, page: PageRequest) -> Page[Model]:
        """See `ports.CatalogStore`."""
        return await self._read(catalog.list_models, order, page)

    async def delete_model(self, model: ModelId) -> None:
        """See `ports.CatalogStore`."""
        await self._write(catalog.delete_model, model)

    async def search_models(self, question: str, limit: int) -> Sequence[tuple[Model, float]]:
        """See `ports.CatalogStore`."""
        return await self._read(search.search_models, question, limit)

    async def models_without_vector(self, embedder: VersionId, limit: int) -> Sequence[tuple[ModelId, str]]:
        """See `ports.VectorStore`."""
        return await self._read(vectors.missing, embedder, limit)

    async def save_vectors(self, embedder: VersionId, made: Sequence[tuple[ModelId, str, Vector]]) -> None:
        """See `ports.VectorStore`."""
        await self._write(vectors.save, embedder, made)

    async def nearest_models(self, embedder: VersionId, vector: Vector, limit: int) -> Sequence[Model]:
        """See `ports.VectorStore`."""
        return await self._read(vectors.nearest, embedder, vector, limit)

    async def add_version(self, model: ModelId, version: Version) -> bool:
        """See `ports.CatalogStore`."""
        return await self._write(catalog.add_version, model, version)

    async def get_version(self, version: VersionId) -> Version | None:
        """See `ports.CatalogStore`."""
        found = self._versions.get(version)
        if found is None:
            found = await self._read(catalog.get_version, version)
            if found is not None:
                self._versions[version] = found
        return found

    async def get_model_version(self, model: ModelId, version: VersionId) -> Version | None:
        """See `ports.CatalogStore`."""
        found = self._members.get((model, version))
        if found is None:
            found = await self._read(catalog.get_model_version, model, version)
            if found is not None and found.id == version:  # what an alias stands for can change
                self._members[model, version] = found
        return found

    async def list_versions(self, model: ModelId, page: PageRequest) -> Page[Version]:
        """See `ports.CatalogStore`."""
        return await self._read(catalog.list_versions, model, page)

    async def models_of_version(self, version: VersionId) -> Sequence[Model]:
        """See `ports.CatalogStore`."""
        return await self._read(catalog.models_of_version, version)

    async def put_alias(self, model: ModelId, alias: Alias) -> None:
        """See `ports.CatalogStore`."""
        await self._write(aliases.put, model, alias)

    async def remove_alias(self, model: ModelId, alias: VersionId) -> bool:
        """See `ports.CatalogStore`."""
        return await self._write(aliases.remove, model, alias)

    async def list_aliases(self, model: ModelId) -> Sequence[Alias]:
        """See `ports.CatalogStore`."""
        return await self._read(aliases.of_model, model)

    async def promote(self, model: ModelId, version: VersionId) -> None:
        """See `ports.CatalogStore`."""
        await self._write(catalog.promote, model, version)

    async def version_users(self, model: Model, version: VersionId) -> VersionUsers:
        """See `ports.CatalogStore`."""
        return await self._read(catalog.version_users, model, version)

    async def remove_version(self, model: Model, version: VersionId, at: datetime) -> bool:
        """See `ports.CatalogStore`."""
        is_gone = await self._write(catalog.remove_version, model, version, at)
        self._members.pop((model.id, version), None)
        if is_gone:
            self._versions.pop(version, None)
        return is_gone

    async def add_example(self, model: ModelId, prediction: PredictionId) -> None:
        """See `ports.CatalogStore`."""
        await self._write(catalog.add_example, model, prediction)

    async def list_examples(self, model: ModelId) -> Sequence[Prediction]:
        """See `ports.CatalogStore`."""
        return await self._read(catalog.list_examples, model)

    async def list_collections(self) -> Sequence[Collection]:
        """See `ports.CollectionStore`."""
        return await self._read(collections.every)

    async def get_collection(self, slug: str) -> Collection | None:
        """See `ports.CollectionStore`."""
        return await self._read(collections.get, slug)

    async def collection_models(self, slug: str) -> Sequence[Model]:
        """See `ports.CollectionStore`."""
        return await self._read(collections.models_of, slug)

    async def create_collection(self, collection: Collection) -> None:
        """See `ports.CollectionStore`."""
        await self._write(collections.create, collection)

    async def save_collection(self, collection: Collection) -> None:
        """See `ports.CollectionStore`."""
        await self._write(collections.save, collection)

    async def delete_collection(self, slug: str) -> None:
        """See `ports.CollectionStore`."""
        await self._write(collections.remove, slug)

    async def put_collection_model(self, slug: str, model: ModelId) -> None:
        """See `ports.CollectionStore`."""
        await self._write(collections.put_model, slug, model)

    async def take_collection_model(self, slug: str, model: ModelId) -> bool:
        """See `ports.CollectionStore`."""
        return await self._write(collections.take_model, slug, model)

    async def create_deployment(self, deployment: Deployment) -> Deployment:
        """See `ports.DeploymentStore`."""
        return await self._write(deployments.create, deployment)

    async def get_deployment(self, owner: str, name: str) -> Deployment | None:
        """See `ports.DeploymentStore`."""
        return await self._read(deployments.get, owner, name)

    async def list_deployments(
        self, account: AccountId, page: PageRequest, models: frozenset[str] | None
    ) -> Page[Deployment]:
        """See `ports.DeploymentStore`."""
        return await self._read(deployments.page, account, page, models)

    async def add_release(self, deployment: DeploymentId, release: Release) -> bool:
        """See `ports.DeploymentStore`."""
        return await self._write(rollout.release, deployment, release)

    async def list_releases(self, deployment: DeploymentId, page: PageRequest) -> Page[Release]:
        """See `ports.DeploymentStore`."""
        return await self._read(deployments.releases_of, deployment, page)

    async def delete_deployment(self, deployment: DeploymentId, unused_since: datetime) -> bool:
        """See `ports.DeploymentStore`."""
        return await self._write(deployments.remove, deployment, unused_since)

    async def rolling_deployments(self) -> Sequence[Deployment]:
        """See `ports.RolloutStore`."""
        return await self._read(rollout.rolling)

    async def finish_roll(self, deployment: DeploymentId, number: int) -> bool:
        """See `ports.RolloutStore`."""
        return await self._write(rollout.finish, deployment, number)

    async def standing(self, deployment: DeploymentId) -> Standing | None:
        """See `ports.RolloutStore`."""
        return await self._read(rollout.standing, deployment)

    async def settle_failure(self, before: Deployment, queue: QueueId, answer: Answer) -> Moved | None:
        """See `ports.RolloutStore`."""
        return await self._write(rollout.settle, before, queue, answer)

    async def disabled_deployments(self) -> Sequence[str]:
        """See `ports.RolloutStore`."""
        return await self._read(rollout.disabled_names)
