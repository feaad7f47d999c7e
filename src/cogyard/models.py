"""Use cases of models and versions: create, get, list, push, examples."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from cogyard.domain.catalog import Account, AccountKind, Model, Version, Visibility, may_see
from cogyard.domain.errors import Conflict, Forbidden, InvalidResource, NotFound
from cogyard.domain.prediction import Prediction, Status
from cogyard.domain.values import JsonObject, ModelId, PredictionId, VersionId
from cogyard.ports import (
    AccountStore,
    Builder,
    BuildLine,
    Built,
    CatalogStore,
    Clock,
    Page,
    PageRequest,
    PredictionStore,
)

PAGE_SIZE = 25
"""Models and versions on a page (`api-contract.md` §1.7)."""

HARDWARE = (("cpu", "CPU"),)
"""What `POST /models` accepts, as sku and name; the scheduler's issue makes it real."""


class Catalog(CatalogStore, AccountStore, PredictionStore, Protocol):
    """What these use cases need of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewModel:
    """What a caller says of a new model, already checked for form."""

    owner: str
    name: str
    visibility: Visibility
    hardware: str
    description: str | None = None
    github_url: str | None = None
    paper_url: str | None = None
    license_url: str | None = None
    cover_image_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What a push made: `created` is False when the model had this version already."""

    model: Model
    version: Version
    created: bool
    examples: Sequence[JsonObject]


class Models:
    """The models of every owner; each call says who asks."""

    def __init__(self, store: Catalog, builder: Builder, clock: Clock) -> None:
        self._store = store
        self._builder = builder
        self._clock = clock

    async def create(self, caller: Account, wanted: NewModel) -> Model:
        """A new model without versions. Raises `Forbidden`, `Conflict`, `InvalidResource`."""
        if wanted.owner.lower() != caller.username.lower():
            raise Forbidden(f"You may not create models for {wanted.owner}; use your own account, {caller.username}.")
        skus = sorted(sku for sku, _ in HARDWARE)
        if wanted.hardware not in skus:
            options = ", ".join(skus)
            raise InvalidResource(
                "hardware", f"{wanted.hardware} is not a valid hardware SKU. Your options are: {options}."
            )
        return await self._store.create_model(
            Model(
                id=ModelId(0),
                account=caller.id,
                owner=caller.username,
                name=wanted.name,
                created_at=self._clock.now(),
                visibility=wanted.visibility,
                hardware=wanted.hardware,
                description=wanted.description,
                github_url=wanted.github_url,
                paper_url=wanted.paper_url,
                license_url=wanted.license_url,
                cover_image_url=wanted.cover_image_url,
            )
        )

    async def get(self, caller: Account, owner: str, name: str) -> Model:
        """A model that the caller may see. Raises `NotFound`."""
        model = await self._store.get_model(owner, name)
        if model is None or not may_see(caller, model):
            raise NotFound
        return model

    async def list(self, caller: Account, page: PageRequest) -> Page[Model]:
        """Public models that have a version, the one with the newest version first."""
        return await self._store.list_models(caller.id, page)

    async def versions(self, caller: Account, owner: str, name: str, page: PageRequest) -> Page[Version]:
        """A model's versions, newest first. Raises `NotFound`."""
        return await self._store.list_versions((await self.get(caller, owner, name)).id, page)

    async def version(self, caller: Account, owner: str, name: str, version: VersionId) -> Version:
        """One version of a model. Raises `NotFound`."""
        found = await self._store.get_model_version((await self.get(caller, owner, name)).id, version)
        if found is None:
            raise NotFound
        return found

    async def latest(self, model: Model) -> Version | None:
        """The version that stands for the model, if it has one."""
        if model.latest_version is None:
            return None
        return await self._store.get_model_version(model.id, model.latest_version)

    async def default_example(self, model: Model) -> Prediction | None:
        """The prediction that shows what the model does, if it has one."""
        return None if model.default_example is None else await self._store.get_prediction(model.default_example)

    async def examples(self, caller: Account, owner: str, name: str) -> Sequence[Prediction]:
        """A model's examples, the default one first. Raises `NotFound`."""
        return await self._store.list_examples((await self.get(caller, owner, name)).id)

    async def add_example(self, caller: Account, owner: str, name: str, prediction: PredictionId) -> Prediction:
        """Keep a finished prediction of this model as an example; the first becomes the default one.

        Raises `NotFound`, `Forbidden`, `Conflict` when it did not succeed or is of another model.
        """
        model = await self.get(caller, owner, name)
        _check_owner(caller, model)
        found = await self._store.get_prediction(prediction)
        if found is None or found.account != caller.id:
            raise NotFound
        if found.status is not Status.succeeded:
            raise Conflict(f"Only a prediction that succeeded can be an example; this one is {found.status}.")
        if found.model.lower() != model.full_name.lower():
            raise Conflict(f"This is a prediction of {found.model}, not of {model.full_name}.")
        await self._store.add_example(model.id, prediction)
        return found

    async def may_push(self, caller: Account, owner: str) -> None:
        """Raises `Forbidden` when the caller may not push models of this owner; admins may for all."""
        if not caller.is_admin and owner.lower() != caller.username.lower():
            raise Forbidden(f"You may not push models of {owner}; use your own account, {caller.username}.")

    async def push(
        self,
        caller: Account,
        owner: str,
        name: str,
        archive: Path,
        report: Callable[[BuildLine], Awaitable[None]],
    ) -> Pushed:
        """Build a packed folder and add it to the model as its latest version; model and owner are made when needed.

        Raises `Forbidden`, `BuildFailed`, `StorageFull`; then neither model nor owner is made.
        """
        await self.may_push(caller, owner)
        built = await self._builder.build(archive, report)
        version = Version(
            id=built.version,
            created_at=self._clock.now(),
            cog_version=built.cog_version,
            openapi_schema=built.openapi_schema,
            config=built.config,
            source_digest=built.source_digest,
            environment_digest=built.environment_digest,
        )
        model = await self._model_for(caller, owner, name, built)
        created = await self._store.add_version(model.id, version)
        pushed = await self.get(caller, owner, name)
        version = await self.latest(pushed) or version
        examples = built.metadata.get("examples")
        return Pushed(
            model=pushed,
            version=version,
            created=created,
            examples=[entry for entry in examples if isinstance(entry, dict)] if isinstance(examples, list) else [],
        )

    async def _model_for(self, caller: Account, owner: str, name: str, built: Built) -> Model:
        described = {
            field: value
            for field in ("description", "github_url", "paper_url", "license_url", "cover_image_url")
            if isinstance(value := built.metadata.get(field), str)
        }
        if built.readme is not None:
            described["readme"] = built.readme
        model = await self._store.get_model(owner, name)
        if model is not None:
            await self._store.update_model(replace(model, **described))  # type: ignore[arg-type]
            return model
        account = await self._owner(caller, owner)
        new = Model(id=ModelId(0), account=account.id, owner=account.username, name=name, created_at=self._clock.now())
        try:
            return await self._store.create_model(replace(new, **described))  # type: ignore[arg-type]
        except Conflict:  # another push was quicker
            return await self.get(caller, owner, name)

    async def _owner(self, caller: Account, owner: str) -> Account:
        account = await self._store.get_account(owner)
        if account is not None:
            return account
        now = self._clock.now()
        try:
            return await self._store.create_account(owner, AccountKind.organization, owner, now, is_admin=False)
        except Conflict:  # another push was quicker
            return await self._store.get_account(owner) or caller


def _check_owner(caller: Account, model: Model) -> None:
    if not caller.is_admin and model.account != caller.id:
        raise Forbidden(f"{model.full_name} belongs to {model.owner}.")
