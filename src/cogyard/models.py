"""Use cases of models and versions: create, get, list, push, examples."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from cogyard.domain.account import Account, AccountKind, Role
from cogyard.domain.catalog import (
    VERSION_ID,
    Alias,
    Model,
    Price,
    Version,
    Visibility,
    check_token,
    may_change,
    may_see,
)
from cogyard.domain.compatibility import breaking_changes
from cogyard.domain.errors import BreakingChange, Conflict, Forbidden, InvalidRequest, InvalidResource, NotFound
from cogyard.domain.meaning import fuse
from cogyard.domain.prediction import Prediction, Status
from cogyard.domain.usage import Prices
from cogyard.domain.values import JsonObject, ModelId, PredictionId, VersionId
from cogyard.hardware import HardwareKinds
from cogyard.ports import (
    AccountStore,
    Builder,
    BuildLine,
    Built,
    Bus,
    CatalogStore,
    Clock,
    Embedder,
    ModelOrder,
    Packed,
    Page,
    PageRequest,
    PredictionStore,
    VectorStore,
)

PAGE_SIZE = 25
"""Models and versions on a page (`api-contract.md` §1.7)."""


class Catalog(CatalogStore, VectorStore, AccountStore, PredictionStore, Protocol):
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


ModelChange = Mapping[str, str | None]
"""New values of the fields in `CHANGEABLE`."""

CHANGEABLE = ("description", "readme", "github_url", "paper_url", "weights_url", "license_url")
"""What `PATCH` may change (§4.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What a push made: `created` is False when the model had this version already."""

    model: Model
    version: Version
    created: bool
    examples: Sequence[JsonObject]


class Models:
    """The models of every owner; each call says who asks."""

    def __init__(
        self,
        store: Catalog,
        builder: Builder,
        bus: Bus,
        clock: Clock,
        prices: Prices,
        kinds: HardwareKinds,
        embedder: Embedder | None = None,
    ) -> None:
        """With an `embedder`, models are found by meaning too."""
        self._prices, self._kinds = prices, kinds
        self._store = store
        self._embedder = embedder
        self._builder = builder
        self._bus = bus
        self._clock = clock

    async def create(self, caller: Account, wanted: NewModel) -> Model:
        """A new model without versions. Raises `Forbidden`, `Conflict`, `InvalidResource`."""
        if wanted.owner.lower() != caller.username.lower():
            raise Forbidden(f"You may not create models for {wanted.owner}; use your own account, {caller.username}.")
        check_token(caller, f"{wanted.owner}/{wanted.name}")
        self._kinds.check(wanted.hardware)
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

    async def list(self, order: ModelOrder, page: PageRequest) -> Page[Model]:
        """Public models that have a version."""
        return await self._store.list_models(order, page)

    async def search(self, question: str, limit: int) -> Sequence[tuple[Model, float]]:
        """Public models that fit a question, the best first, with their scores."""
        by_words = await self._store.search_models(question, limit)
        made = None if self._embedder is None else await self._embedder.embed_question(question)
        if made is None:
            return by_words
        by_meaning = await self._store.nearest_models(*made, limit)
        known = {model.id: model for model in (*by_meaning, *(model for model, _ in by_words))}
        ranked = fuse([[model.id for model, _ in by_words], [model.id for model in by_meaning]], limit)
        return [(known[model], score) for model, score in ranked]

    async def versions(
        self, caller: Account, owner: str, name: str, page: PageRequest, *, is_curator: bool = False
    ) -> Page[Version]:
        """A model's versions, newest first.

        Raises `NotFound`, also for an official model (§4.8), unless one who may change it asks as its curator.
        """
        model = await self.get(caller, owner, name)
        if model.is_official and not (is_curator and may_change(caller, model)):
            raise NotFound
        return await self._store.list_versions(model.id, page)

    async def update(self, caller: Account, owner: str, name: str, changes: ModelChange) -> Model:
        """Change what is told of a model. Raises `NotFound`, `Forbidden`."""
        model = await self._own(caller, owner, name)
        await self._store.update_model(model, replace(model, **changes))  # type: ignore[arg-type]
        return await self.get(caller, owner, name)

    async def delete(self, caller: Account, owner: str, name: str) -> None:
        """Delete a private model without versions (§4.4). Raises `NotFound`, `Forbidden`, `InvalidRequest`."""
        model = await self._own(caller, owner, name)
        if model.visibility is not Visibility.private:
            raise InvalidRequest(f"{model.full_name} is public; only private models can be deleted.")
        if model.latest_version is not None:
            raise InvalidRequest(f"{model.full_name} has versions; delete them first.")
        await self._store.delete_model(model.id)

    async def delete_version(self, caller: Account, owner: str, name: str, version: VersionId) -> None:
        """Delete a version with its predictions (§4.7). Raises `NotFound`, `Forbidden`, `InvalidRequest`."""
        model = await self._own(caller, owner, name)
        found = await self.version(caller, owner, name, version)
        if model.visibility is not Visibility.private:
            raise InvalidRequest(f"{model.full_name} is public; only versions of private models can be deleted.")
        users = await self._store.version_users(model, found.id)
        for is_used, why in (
            (users.other_accounts, "other accounts have predictions of it"),
            (users.trainings, "it is the base of a training"),
            (users.deployments, "a deployment uses it"),
            (users.aliases, "an alias stands for it"),
            (users.unfinished, "predictions of it have not ended yet"),
        ):
            if is_used:
                raise InvalidRequest(f"The version cannot be deleted: {why}.")
        if await self._store.remove_version(model, found.id, self._clock.now()):
            await self._builder.discard(found.id)

    async def promote(self, caller: Account, owner: str, name: str, version: VersionId, *, force: bool) -> Model:
        """Make a version the model's latest. Raises `NotFound`, `Forbidden`, `BreakingChange` unless forced."""
        model = await self._own(caller, owner, name)
        found = await self.version(caller, owner, name, version)
        await self._check_compatible(model, found.openapi_schema, force=force)
        await self._store.promote(model.id, found.id)
        return await self.get(caller, owner, name)

    async def aliases(self, caller: Account, owner: str, name: str) -> Sequence[Alias]:
        """The ids that stand for versions of a model, newest first. Raises `NotFound`."""
        return await self._store.list_aliases((await self.get(caller, owner, name)).id)

    async def put_alias(
        self, caller: Account, owner: str, name: str, alias: VersionId, version: VersionId | None
    ) -> Alias:
        """Let an id from elsewhere stand for a version, by default the latest.

        Raises `NotFound`, `Forbidden`, `InvalidResource`.
        """
        model = await self._own(caller, owner, name)
        wanted = version or model.latest_version
        found = await self._store.get_model_version(model.id, wanted) if wanted else None
        if found is None:
            raise InvalidResource("version", f"{model.full_name} has no such version")
        if not VERSION_ID.fullmatch(alias):
            raise InvalidResource("id", "must be a version's id, 64 hex digits in lower case")
        if await self._is_seen(caller, alias):
            raise InvalidResource("id", "is the id of a version of this server")
        made = Alias(id=alias, version=found.id, created_at=self._clock.now())
        await self._store.put_alias(model.id, made)
        return made

    async def _is_seen(self, caller: Account, version: VersionId) -> bool:
        """Whether the caller may know of a version with this id; an id of others' private models tells nothing."""
        for model in await self._store.models_of_version(version):
            found = await self._store.get_model_version(model.id, version) if may_see(caller, model) else None
            if found is not None and found.id == version:
                return True
        return False

    async def remove_alias(self, caller: Account, owner: str, name: str, alias: VersionId) -> None:
        """Let an id stand for nothing again. Raises `NotFound`, `Forbidden`."""
        model = await self._own(caller, owner, name)
        if not await self._store.remove_alias(model.id, alias):
            raise NotFound

    def price(self, given: JsonObject) -> Price:
        """A price as a caller writes it."""
        return self._prices.parse(given)

    async def set_official(
        self, caller: Account, owner: str, name: str, *, is_official: bool, price: Price | None
    ) -> tuple[Model, Model]:
        """Make a model official, or an ordinary one again; returns it as it was and as it is.

        Raises `NotFound`, `Forbidden`, `InvalidRequest`, `InvalidResource` for a price that cannot be charged.
        """
        if not caller.is_admin:
            raise Forbidden("Only admins may say which models are official.")
        if price is not None:
            self._prices.check(price)
        model = await self.get(caller, owner, name)
        if is_official and model.latest_version is None:
            raise InvalidRequest(f"{model.full_name} has no version yet, so it cannot be official.")
        changed = replace(model, is_official=is_official, price=price or model.price)
        await self._store.update_model(model, changed)
        self._bus.publish(("queue", "official"))
        return model, await self.get(caller, owner, name)

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

    async def default_examples(self, models: Sequence[Model]) -> Mapping[PredictionId, Prediction]:
        """The predictions that show what models do, by id."""
        return await self._store.get_predictions([one.default_example for one in models if one.default_example])

    async def examples(self, caller: Account, owner: str, name: str) -> Sequence[Prediction]:
        """A model's examples, the default one first. Raises `NotFound`."""
        return await self._store.list_examples((await self.get(caller, owner, name)).id)

    async def add_example(self, caller: Account, owner: str, name: str, prediction: PredictionId) -> Prediction:
        """Keep a finished prediction of this model as an example; the first becomes the default one.

        Raises `NotFound`, `Forbidden`, `Conflict` when it did not succeed or is of another model.
        """
        model = await self._own(caller, owner, name)
        found = await self._store.get_prediction(prediction)
        if found is None or found.account != caller.id:
            raise NotFound
        if found.status is not Status.succeeded:
            raise Conflict(f"Only a prediction that succeeded can be an example; this one is {found.status}.")
        if found.model.lower() != model.full_name.lower():
            raise Conflict(f"This is a prediction of {found.model}, not of {model.full_name}.")
        await self._store.add_example(model.id, prediction)
        return found

    async def may_push(self, caller: Account, owner: str, name: str) -> None:
        """Raises `Forbidden` when the caller may not push this model; admins may push for every owner."""
        if not caller.is_admin and owner.lower() != caller.username.lower():
            raise Forbidden(f"You may not push models of {owner}; use your own account, {caller.username}.")
        check_token(caller, f"{owner}/{name}")

    async def push(
        self,
        caller: Account,
        owner: str,
        name: str,
        packed: Packed,
        report: Callable[[BuildLine], Awaitable[None]],
        *,
        force: bool = False,
        check: Callable[[], Awaitable[None]],
    ) -> Pushed:
        """Build a packed folder and add it to the model as its latest version; model and owner are made when needed.

        Raises what `check` raises once it is built, `Forbidden`, `BuildFailed`, `StorageFull`; then neither is made.
        Raises `BreakingChange` for an official model whose callers it would break, unless forced; then it stays.
        """
        await self.may_push(caller, owner, name)
        built = await self._builder.build(packed, report)
        await check()
        before = await self._store.get_model(owner, name)
        if before is not None:
            try:
                await self._check_compatible(before, built.openapi_schema, force=force)
            except BreakingChange:
                if await self._store.get_version(built.version) is None:
                    await self._builder.discard(built.version)
                raise
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
        kept = await self._store.get_model_version(model.id, version.id)  # not the latest: pushes can meet
        examples = built.metadata.get("examples")
        return Pushed(
            model=pushed,
            version=kept or version,
            created=created,
            examples=[entry for entry in examples if isinstance(entry, dict)] if isinstance(examples, list) else [],
        )

    async def _own(self, caller: Account, owner: str, name: str) -> Model:
        """A model that the caller may change. Raises `NotFound`, `Forbidden`."""
        model = await self.get(caller, owner, name)
        if not may_change(caller, model):
            raise Forbidden(f"{model.full_name} belongs to {model.owner}.")
        return model

    async def _check_compatible(self, model: Model, schema: JsonObject, *, force: bool) -> None:
        latest = await self.latest(model) if model.is_official and not force else None
        changes = breaking_changes(latest.openapi_schema, schema) if latest is not None else []
        if changes:
            raise BreakingChange(changes)

    async def _model_for(self, caller: Account, owner: str, name: str, built: Built) -> Model:
        texts = {
            field: value
            for field in ("description", "github_url", "paper_url", "license_url", "cover_image_url")
            if isinstance(value := built.metadata.get(field), str)
        }
        described: dict[str, object] = dict(texts)
        if built.readme is not None:
            described["readme"] = built.readme
        if isinstance(tags := built.metadata.get("tags"), list):
            described["tags"] = tuple(str(tag) for tag in tags)
        if isinstance(price := built.metadata.get("price"), dict):
            described["price"] = self.price(price)
        model = await self._store.get_model(owner, name)
        if model is not None:
            await self._store.update_model(model, replace(model, **described))  # type: ignore[arg-type]
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
            return await self._store.create_account(owner, AccountKind.organization, owner, now, Role.publisher)
        except Conflict:  # another push was quicker
            return await self._store.get_account(owner) or caller
