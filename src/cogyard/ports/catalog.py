"""What the house needs of a store for models, collections and deployments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from cogyard.domain.catalog import Alias, Collection, Model, Version
from cogyard.domain.deployment import Deployment, Release
from cogyard.domain.meaning import Vector
from cogyard.domain.prediction import Prediction
from cogyard.domain.rollout import Answer, Standing
from cogyard.domain.values import AccountId, DeploymentId, ModelId, PredictionId, QueueId, VersionId
from cogyard.ports.paging import Page, PageRequest


class ModelOrder(StrEnum):
    """What models are listed by (`api-contract.md` §4.2)."""

    latest_version_created_at = "latest_version_created_at"
    model_created_at = "model_created_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionUsers:
    """Who still needs a version of a model."""

    other_accounts: bool
    trainings: bool
    unfinished: bool
    deployments: bool
    aliases: bool


class CatalogStore(Protocol):
    """Models and versions."""

    async def create_model(self, model: Model) -> Model:
        """Store a new model (its `id` is ignored). Raises `Conflict` when owner/name is taken, in any letter case."""
        ...

    async def get_model(self, owner: str, name: str) -> Model | None:
        """The model of that name, in any letter case, whoever may see it."""
        ...

    async def update_model(self, before: Model, after: Model) -> None:
        """Store what `after` has otherwise than `before`, but `id`, `run_count` and `latest_version`.

        What others changed meanwhile stays as they left it.
        """
        ...

    async def list_models(self, order: ModelOrder, page: PageRequest) -> Page[Model]:
        """Public models that have a version."""
        ...

    async def delete_model(self, model: ModelId) -> None:
        """Remove a model that has no versions."""
        ...

    async def search_models(self, question: str, limit: int) -> Sequence[tuple[Model, float]]:
        """Public models with a version that fit the question, the best first, with scores that only compare."""
        ...

    async def promote(self, model: ModelId, version: VersionId) -> None:
        """Make one of the model's versions the latest."""
        ...

    async def version_users(self, model: Model, version: VersionId) -> VersionUsers:
        """What stands against removing a version."""
        ...

    async def remove_version(self, model: Model, version: VersionId, at: datetime) -> bool:
        """Take a version and the predictions that ran it from a model; whether no model has it any more."""
        ...

    async def add_version(self, model: ModelId, version: Version) -> bool:
        """Add a version to a model and make it the latest; False when the model has it (it is the latest again)."""
        ...

    async def get_version(self, version: VersionId) -> Version | None:
        """A version by its id, whichever models have it."""
        ...

    async def get_model_version(self, model: ModelId, version: VersionId) -> Version | None:
        """A version of this model, by its id or by an alias of the model's."""
        ...

    async def list_versions(self, model: ModelId, page: PageRequest) -> Page[Version]:
        """The model's versions, newest first."""
        ...

    async def models_of_version(self, version: VersionId) -> Sequence[Model]:
        """The models that have this version by its id, the first to have it first, then those by an alias."""
        ...

    async def put_alias(self, model: ModelId, alias: Alias) -> None:
        """Let an id stand for one of the model's versions, whatever it stood for before."""
        ...

    async def remove_alias(self, model: ModelId, alias: VersionId) -> bool:
        """Forget one; False when the model has none of that id."""
        ...

    async def list_aliases(self, model: ModelId) -> Sequence[Alias]:
        """The model's aliases, newest first."""
        ...

    async def add_example(self, model: ModelId, prediction: PredictionId) -> None:
        """Keep a prediction as an example of a model, with its files for ever; the first one becomes the default."""
        ...

    async def list_examples(self, model: ModelId) -> Sequence[Prediction]:
        """The model's examples, the default one first."""
        ...


class VectorStore(Protocol):
    """Vectors of the models' texts, each made by one version of an embedding model."""

    async def models_without_vector(self, embedder: VersionId, limit: int) -> Sequence[tuple[ModelId, str]]:
        """Models that searches find and that have none, with the texts to embed."""
        ...

    async def save_vectors(self, embedder: VersionId, made: Sequence[tuple[ModelId, str, Vector]]) -> None:
        """Store vectors with the texts that they were made of; those of texts that changed meanwhile are dropped."""
        ...

    async def nearest_models(self, embedder: VersionId, vector: Vector, limit: int) -> Sequence[Model]:
        """Public models whose vectors are near a question's, the nearest first."""
        ...


class CollectionStore(Protocol):
    """Collections of models."""

    async def list_collections(self) -> Sequence[Collection]:
        """All of them, `official` first, then by name."""
        ...

    async def get_collection(self, slug: str) -> Collection | None:
        """One; `official` is always there."""
        ...

    async def collection_models(self, slug: str) -> Sequence[Model]:
        """Its public models with a version, in its order."""
        ...

    async def create_collection(self, collection: Collection) -> None:
        """Store a new one. Raises `Conflict` when its slug is taken."""
        ...

    async def save_collection(self, collection: Collection) -> None:
        """Store changed words."""
        ...

    async def delete_collection(self, slug: str) -> None:
        """Delete it; its models stay."""
        ...

    async def put_collection_model(self, slug: str, model: ModelId) -> None:
        """Add a model at the end; one that is in it stays where it is."""
        ...

    async def take_collection_model(self, slug: str, model: ModelId) -> bool:
        """Take a model out; False when it was not in it."""
        ...


class DeploymentStore(Protocol):
    """Deployments and their releases."""

    async def create_deployment(self, deployment: Deployment) -> Deployment:
        """Store a new one with its first release (its `id` is ignored). Raises `Conflict` when its name is taken."""
        ...

    async def get_deployment(self, owner: str, name: str) -> Deployment | None:
        """By name, in any letter case."""
        ...

    async def list_deployments(
        self, account: AccountId, page: PageRequest, models: frozenset[str] | None
    ) -> Page[Deployment]:
        """The account's, newest first."""
        ...

    async def add_release(self, deployment: DeploymentId, release: Release) -> bool:
        """Make it the current one; False, and nothing stored, when another release has its number.

        The former one goes on to serve where `domain.rollout.former_after` says so.
        """
        ...

    async def list_releases(self, deployment: DeploymentId, page: PageRequest) -> Page[Release]:
        """Newest first."""
        ...

    async def delete_deployment(self, deployment: DeploymentId, unused_since: datetime) -> bool:
        """Delete it with its releases; False, and nothing done, when it was used since a time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Predictions that wait in another queue than before."""

    queue: QueueId
    predictions: Sequence[PredictionId]


class RolloutStore(Protocol):
    """Deployments on their way from one release to the next."""

    async def rolling_deployments(self) -> Sequence[Deployment]:
        """Those whose current release does not serve yet."""
        ...

    async def finish_roll(self, deployment: DeploymentId, number: int) -> bool:
        """Let its release of that number serve; False when another one is current, or when it serves already."""
        ...

    async def standing(self, deployment: DeploymentId) -> Standing | None:
        """All that the answer to a failed setup depends on; None when it was deleted."""
        ...

    async def settle_failure(self, before: Deployment, queue: QueueId, answer: Answer) -> Moved | None:
        """Make the release that follows a failed setup, if one does, and move what waits in the failed `queue`.

        None, and nothing done, when the deployment's releases are not those of `before` any more, or a version is gone.
        """
        ...

    async def disabled_deployments(self) -> Sequence[str]:
        """`owner/name` of those that are disabled and have an unfinished prediction."""
        ...
