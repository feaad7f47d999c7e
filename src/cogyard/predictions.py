"""Use cases of predictions: create (by version, on a model, on a deployment), get, list, cancel, wait, follow."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from cogyard.creation import Admission, NewPrediction, store_new
from cogyard.domain.account import Caller
from cogyard.domain.batching import key_of
from cogyard.domain.catalog import Model, Reference, Version, check_token, may_see, parse_reference
from cogyard.domain.deployment import disabled, may_use
from cogyard.domain.errors import InvalidVersion, NotFound
from cogyard.domain.events import CancelRequested
from cogyard.domain.prediction import Prediction, PredictionKind
from cogyard.domain.queue import model_queue
from cogyard.domain.usage import Tariff
from cogyard.domain.values import JsonObject, PredictionId, QueueId, VersionId
from cogyard.ports import (
    Bus,
    CatalogStore,
    Clock,
    DeploymentStore,
    Listener,
    Page,
    PageRequest,
    PredictionFilter,
    PredictionStore,
)
from cogyard.sealing import with_sealed
from cogyard.validation import InputValidator, Validators

PAGE_SIZE = 100
"""Predictions on a page (`api-contract.md` §1.7)."""

WEB_LISTED = timedelta(days=14)

SAFETY_POLL = 1.0
"""Seconds after which a waiter looks at the store without a notice, since notices may be lost."""

CANCEL_WAIT = 1.0
"""Seconds that a cancel's answer waits for the model to obey, so that most callers see `canceled` at once."""


class Registry(PredictionStore, CatalogStore, DeploymentStore, Protocol):
    """What these use cases need of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What runs a new prediction."""

    version: Version
    model: str
    queue: QueueId
    tariff: Tariff
    deployment: str | None = None
    is_version_hidden: bool = False


class Predictions:
    """The predictions of every account; each call says who asks."""

    def __init__(
        self,
        store: Registry,
        bus: Bus,
        clock: Clock,
        new_id: Callable[[datetime], PredictionId],
        *,
        community_by_name: bool,
        admission: Admission,
    ) -> None:
        self._admission = admission
        self._store = store
        self._bus = bus
        self._clock = clock
        self._new_id = new_id
        self._community_by_name = community_by_name
        self._prices = admission.prices
        self._vault = admission.vault
        self._validators = Validators()

    async def create(self, caller: Caller, version: str, wanted: NewPrediction) -> Prediction:
        """Store a prediction of the named version; it is on disk when this returns.

        `version` has one of the forms of `api-contract.md` §5.1; `owner/name` alone is for official models. Raises
        `InvalidVersion`, `InvalidFields`, `Conflict`, `BudgetUsedUp`.
        """
        reference = parse_reference(version)
        if reference is None:
            raise InvalidVersion
        model, found = await self._resolve(caller, reference)
        return await self._create(caller, self._on_model(model, found), wanted)

    async def create_for_model(self, caller: Caller, owner: str, name: str, wanted: NewPrediction) -> Prediction:
        """The same for an official model (§4.8).

        Raises `NotFound` when there is none, `InvalidFields`, `Conflict`, `BudgetUsedUp`.
        """
        try:
            model, version = await self._resolve(caller, Reference(owner, name))
        except InvalidVersion:
            raise NotFound from None
        return await self._create(caller, self._on_model(model, version), wanted)

    async def create_for_deployment(self, caller: Caller, owner: str, name: str, wanted: NewPrediction) -> Prediction:
        """The same for one of the caller's deployments, by the release that serves now.

        Raises `NotFound`, `Disabled`, `InvalidFields`, `Conflict`, `BudgetUsedUp`.
        """
        deployment = await self._store.get_deployment(owner, name)
        if deployment is None or not may_use(caller, deployment):
            raise NotFound
        if deployment.current.is_disabled:
            raise disabled(deployment.full_name)
        release = deployment.serving
        version = await self._store.get_version(release.version)
        if version is None:
            raise NotFound
        place = _Place(
            version=version,
            model=release.model,
            queue=deployment.queue,
            tariff=Tariff(release.hardware, Decimal(0)),  # its instances are charged, as long as they are up
            deployment=deployment.full_name,
        )
        return await self._create(caller, place, wanted)

    async def get(self, caller: Caller, prediction: PredictionId) -> Prediction:
        """One of the caller's predictions. Raises `NotFound`."""
        found = await self._store.get_prediction(prediction)
        if found is None or found.account != caller.id or not caller.is_for(found.model):
            raise NotFound
        return found

    async def list(
        self,
        caller: Caller,
        page: PageRequest,
        *,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        source: str | None = None,
        kind: PredictionKind = PredictionKind.prediction,
    ) -> Page[Prediction]:
        """The caller's predictions or trainings, newest first; those from the web no older than 14 days (§5.3)."""
        if source == "web":
            oldest = self._clock.now() - WEB_LISTED
            created_after = max(created_after, oldest) if created_after else oldest
        wanted = PredictionFilter(
            account=caller.id,
            kind=kind,
            created_after=created_after,
            created_before=created_before,
            source=source,
            models=caller.models,
        )
        return await self._store.list_predictions(wanted, page)

    async def cancel(self, caller: Caller, prediction: PredictionId) -> Prediction:
        """Ask for its end; what has ended stays as it is. Raises `NotFound`.

        A queued one is `canceled` in the answer. A running one is told, and has a second to obey before the answer
        goes out with the status that it then has.
        """
        await self.get(caller, prediction)
        with self._bus.listen(("prediction", prediction)) as changed:
            asked = await self._store.wish_end(prediction, CancelRequested(at=self._clock.now()))
            self._bus.publish(("cancel", prediction))
            self._bus.publish(("prediction", prediction))
            if asked is not None and not asked.status.is_terminal:
                await self._until_terminal(prediction, changed, CANCEL_WAIT)
        return await self.get(caller, prediction)

    def watch(self, prediction: PredictionId) -> AbstractContextManager[Listener]:
        """Listen to a prediction, from before the first look at it on."""
        return self._bus.listen(("prediction", prediction))

    async def wait(self, prediction: Prediction, seconds: float) -> Prediction:
        """The prediction once it has ended, or as it is after so many seconds."""
        with self.watch(prediction.id) as changed:
            return await self._until_terminal(prediction.id, changed, seconds) or prediction

    async def follow(self, prediction: PredictionId) -> AsyncIterator[Prediction | None]:
        """The prediction now and after each change, up to its end; None where nothing changed for some seconds.

        Raises `NotFound` when there is none.
        """
        last: Prediction | None = None
        with self.watch(prediction) as changed:
            while last is None or not last.status.is_terminal:
                found = await self._store.get_prediction(prediction)
                if found is None:
                    raise NotFound
                if found != last:
                    last = found
                    yield found
                elif not await changed.wait(10.0):
                    yield None

    async def _until_terminal(self, prediction: PredictionId, changed: Listener, seconds: float) -> Prediction | None:
        """The prediction as it last was, ended or not, after at most so many seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        found = None
        while (left := end - loop.time()) > 0:
            await changed.wait(min(left, SAFETY_POLL))
            found = await self._store.get_prediction(prediction)
            if found is None or found.status.is_terminal:
                break
        return found

    async def _resolve(self, caller: Caller, reference: Reference) -> tuple[Model, Version]:
        if reference.owner is None or reference.name is None:
            return await self._resolve_bare(caller, reference.version)
        model = await self._store.get_model(reference.owner, reference.name)
        if model is None or not may_see(caller, model):
            raise InvalidVersion
        check_token(caller, model.full_name)
        if reference.version is None and not (model.is_official or self._community_by_name):
            raise InvalidVersion
        wanted = reference.version or model.latest_version
        version = await self._store.get_model_version(model.id, wanted) if wanted else None
        if version is None:
            raise InvalidVersion
        return model, version

    async def _resolve_bare(self, caller: Caller, wanted: VersionId | None) -> tuple[Model, Version]:
        if wanted is None:
            raise InvalidVersion
        seen = [model for model in await self._store.models_of_version(wanted) if may_see(caller, model)]
        # one's own first: nobody else decides what runs by an id that is an alias of the caller's own
        seen.sort(key=lambda model: model.account != caller.id)
        for model in seen:
            version = await self._store.get_model_version(model.id, wanted)
            if version is not None and caller.is_for(model.full_name):
                return model, version
        if seen:
            check_token(caller, seen[0].full_name)
        raise InvalidVersion

    async def _create(self, caller: Caller, place: _Place, wanted: NewPrediction) -> Prediction:
        version = place.version
        validator = self._validators.of(version)
        validator.check(wanted.input)
        now = self._clock.now()
        new = Prediction(
            id=self._new_id(now),
            account=caller.id,
            model=place.model,
            version=version.id,
            queue=place.queue,
            input=wanted.input,
            created_at=now,
            is_stream=version.is_stream,
            stream_kind=version.stream_kind,
            deployment=place.deployment,
            is_version_hidden=place.is_version_hidden,
            deadline=None if wanted.cancel_after is None else now + wanted.cancel_after,
            webhook=wanted.webhook,
            webhook_events_filter=wanted.webhook_events_filter,
            base_url=None if wanted.webhook is None else wanted.base_url,
            token=caller.token,
            hardware=place.tariff.hardware,
            unit=place.tariff.unit,
            price=place.tariff.price,
            batch_key=_batch_key(version, validator, wanted.input),
        )
        new = with_sealed(self._vault, new, validator.secret_inputs(wanted.input))
        return await store_new(self._store, self._bus, new, wanted.repetition, self._admission)

    def _on_model(self, model: Model, version: Version) -> _Place:
        """An official model's version is not told (§4.8)."""
        return _Place(
            version=version,
            model=model.full_name,
            queue=model_queue(version.id, model.id, model.secrets_mark),
            tariff=self._prices.of_model(model),
            is_version_hidden=model.is_official,
        )


def _batch_key(version: Version, validator: InputValidator, given: JsonObject) -> str | None:
    """What may run together. Files and secrets stay apart: the same URL may be one account's to read, not another's."""
    batch = version.config.batch
    if batch is None or validator.secret_inputs(given) or validator.file_pointers(given):
        return None
    return key_of(batch, validator.prepare(given))
