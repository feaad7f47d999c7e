"""Use cases of trainings: create, and make a version of what one gave. Reading them is reading predictions (§8.2)."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from cogyard.creation import Admission, NewPrediction, store_new
from cogyard.domain.account import Caller
from cogyard.domain.catalog import Model, Version, check_token, may_change, may_see, parse_model_name
from cogyard.domain.compatibility import breaking_changes
from cogyard.domain.errors import BreakingChange, CogyardError, InvalidRequest, InvalidVersion, NotFound
from cogyard.domain.events import Event, Failed, Output, Succeeded
from cogyard.domain.prediction import Prediction, PredictionKind
from cogyard.domain.queue import training_queue
from cogyard.domain.values import FileId, Json, PredictionId, VersionId
from cogyard.ports import AccountStore, Builder, Bus, CatalogStore, Clock, FileStore, PredictionStore
from cogyard.sealing import with_sealed
from cogyard.validation import Validators

NO_DESTINATION = "The specified training destination does not exist"

NO_WEIGHTS = (
    "The training gave no weights: train() has to return a Path, or a TrainingOutput whose field weights is a Path."
)


class Registry(PredictionStore, CatalogStore, AccountStore, FileStore, Protocol):
    """What these use cases need of the store."""


class Trainings:
    """The trainings of every account; each call says who asks."""

    def __init__(
        self,
        store: Registry,
        builder: Builder,
        bus: Bus,
        clock: Clock,
        new_id: Callable[[datetime], PredictionId],
        admission: Admission,
    ) -> None:
        self._admission = admission
        self._store = store
        self._builder = builder
        self._bus = bus
        self._clock = clock
        self._new_id = new_id
        self._prices = admission.prices
        self._vault = admission.vault
        self._validators = Validators()

    async def create(
        self,
        caller: Caller,
        model: tuple[str, str],
        version: VersionId,
        destination: str,
        wanted: NewPrediction,
    ) -> Prediction:
        """Store a training of a model's version, whose result goes to `destination` (`owner/name`, the caller's).

        Raises `NotFound` for the model, version or destination, `InvalidVersion` when it cannot be trained,
        `BreakingChange` when what it makes would break the callers of an official destination, `InvalidFields`,
        `Conflict`, `BudgetUsedUp`.
        """
        base, trained = await self._trainable(caller, model, version)
        goal = await self._destination(caller, destination)
        await self._check_compatible(goal, trained)
        validator = self._validators.of(trained, train=True)
        validator.check(wanted.input)
        now = self._clock.now()
        tariff = self._prices.of_seconds(base.hardware)
        new = Prediction(
            id=self._new_id(now),
            account=caller.id,
            kind=PredictionKind.training,
            model=base.full_name,
            version=trained.id,
            queue=training_queue(trained.id, base.id, base.secrets_mark),
            destination=goal.full_name,
            input=wanted.input,
            created_at=now,
            webhook=wanted.webhook,
            webhook_events_filter=wanted.webhook_events_filter,
            base_url=None if wanted.webhook is None else wanted.base_url,
            token=caller.token,
            hardware=tariff.hardware,
            price=tariff.price,
        )
        new = with_sealed(self._vault, new, validator.secret_inputs(wanted.input))
        return await store_new(self._store, self._bus, new, wanted.repetition, self._admission)

    async def graduate(self, training: Prediction) -> list[Event]:
        """What follows when a training's function has returned: its output becomes the new version, or it fails."""
        now = self._clock.now()
        weights = training.output_files.get("/weights") or training.output_files.get("")
        if weights is None:
            return [Failed(at=now, error=NO_WEIGHTS)]
        try:
            version = await self._new_version(training, weights)
        except CogyardError as fault:
            return [Failed(at=now, error=f"The trained weights could not become a version: {fault}")]
        told: dict[str, Json] = dict(training.output) if isinstance(training.output, dict) else {}
        told["version"] = f"{training.destination}:{version}"
        named = told.get("weights", training.output)
        told["weights"] = named
        files = {f"/0{pointer or '/weights'}": file for pointer, file in training.output_files.items()}
        return [Output(items=(told,), files=files), Succeeded(at=self._clock.now())]

    async def _trainable(self, caller: Caller, name: tuple[str, str], version: VersionId) -> tuple[Model, Version]:
        model = await self._store.get_model(*name)
        found = await self._store.get_model_version(model.id, version) if model is not None else None
        if model is None or found is None or not may_see(caller, model):
            raise NotFound
        check_token(caller, model.full_name)
        if not found.is_trainable:
            raise InvalidVersion(f"{model.full_name} cannot be trained: its cog.yaml names no train function.")
        return model, found

    async def _destination(self, caller: Caller, destination: str) -> Model:
        try:
            model = await self._store.get_model(*parse_model_name(destination))
        except InvalidRequest:
            raise NotFound(NO_DESTINATION) from None
        if model is None or not may_change(caller, model):
            raise NotFound(NO_DESTINATION)
        return model

    async def _check_compatible(self, goal: Model, base: Version) -> None:
        """A trained version has the schema of its base; as an official model's latest it must break no caller."""
        latest = goal.latest_version if goal.is_official else None
        before = await self._store.get_version(latest) if latest is not None else None
        changes = breaking_changes(before.openapi_schema, base.openapi_schema) if before is not None else []
        if changes:
            raise BreakingChange(changes)

    async def _new_version(self, training: Prediction, weights: FileId) -> VersionId:
        """Store the trained version and make it the destination's latest. Done twice, it is the same version."""
        base = await self._store.get_version(training.version)
        goal = await self._store.get_model(*parse_model_name(training.destination or ""))
        file = await self._store.get_file(weights)
        if base is None or goal is None or file is None:
            raise NotFound("the model, the version or the weights were deleted meanwhile")
        await self._check_compatible(goal, base)  # it may be official by now
        digest = hashlib.sha256(f"{base.id} {file.content.sha256}".encode()).hexdigest()
        trained = await self._builder.with_weights(base, VersionId(digest), weights, self._clock.now())
        await self._store.add_version(goal.id, trained)
        return trained.id
