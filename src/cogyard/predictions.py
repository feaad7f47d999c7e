"""Use cases of predictions: create, get, list, cancel, wait, follow."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cogyard.domain.catalog import Account, Model, Reference, Version, may_see, parse_reference
from cogyard.domain.errors import InvalidVersion, NotFound
from cogyard.domain.prediction import Prediction
from cogyard.domain.values import JsonObject, PredictionId, VersionId
from cogyard.ports import (
    Bus,
    CatalogStore,
    Clock,
    Listener,
    Page,
    PageRequest,
    PredictionFilter,
    PredictionStore,
)
from cogyard.validation import InputValidator, compile_input

PAGE_SIZE = 100
"""Predictions on a page (`api-contract.md` §1.7)."""

SAFETY_POLL = 1.0
"""Seconds after which a waiter looks at the store without a notice, since notices may be lost."""

CANCEL_WAIT = 1.0
"""Seconds that a cancel's answer waits for the model to obey, so that most callers see `canceled` at once."""

KEPT_VALIDATORS = 256
"""Compiled input schemas that are kept; compiling takes a millisecond or so."""


class Registry(PredictionStore, CatalogStore, Protocol):
    """What these use cases need of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrediction:
    """What a caller asks for, already checked for form."""

    input: JsonObject
    webhook: str | None = None
    webhook_events_filter: tuple[str, ...] | None = None


class Predictions:
    """The predictions of every account; each call says who asks."""

    def __init__(self, store: Registry, bus: Bus, clock: Clock, new_id: Callable[[datetime], PredictionId]) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._new_id = new_id
        self._validators: dict[VersionId, InputValidator] = {}

    async def create(self, caller: Account, version: str, wanted: NewPrediction) -> Prediction:
        """Store a prediction of the named version; it is on disk when this returns.

        `version` has one of the forms of `api-contract.md` §5.1; `owner/name` alone means the latest version. Raises
        `InvalidVersion`, `InvalidFields`.
        """
        reference = parse_reference(version)
        if reference is None:
            raise InvalidVersion(version)
        model, found = await self._resolve(caller, reference)
        return await self._create(caller, model, found, wanted)

    async def create_for_model(self, caller: Account, owner: str, name: str, wanted: NewPrediction) -> Prediction:
        """The same for a model's latest version. Raises `NotFound` when there is none, `InvalidFields`."""
        try:
            model, version = await self._resolve(caller, Reference(owner, name))
        except InvalidVersion:
            raise NotFound from None
        return await self._create(caller, model, version, wanted)

    async def get(self, caller: Account, prediction: PredictionId) -> Prediction:
        """One of the caller's predictions. Raises `NotFound`."""
        found = await self._store.get_prediction(prediction)
        if found is None or found.account != caller.id:
            raise NotFound
        return found

    async def list(
        self,
        caller: Account,
        page: PageRequest,
        *,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        source: str | None = None,
    ) -> Page[Prediction]:
        """The caller's predictions, newest first."""
        wanted = PredictionFilter(
            account=caller.id, created_after=created_after, created_before=created_before, source=source
        )
        return await self._store.list_predictions(wanted, page)

    async def cancel(self, caller: Account, prediction: PredictionId) -> Prediction:
        """Ask for its end; what has ended stays as it is. Raises `NotFound`.

        A queued one is `canceled` in the answer. A running one is told, and has a second to obey before the answer
        goes out with the status that it then has.
        """
        await self.get(caller, prediction)
        with self._bus.listen(("prediction", prediction)) as changed:
            asked = await self._store.request_cancel(prediction, self._clock.now())
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

    async def _resolve(self, caller: Account, reference: Reference) -> tuple[Model, Version]:
        if reference.owner is None or reference.name is None:
            return await self._resolve_bare(caller, reference.version)
        model = await self._store.get_model(reference.owner, reference.name)
        if model is None or not may_see(caller, model):
            raise InvalidVersion
        wanted = reference.version or model.latest_version
        version = await self._store.get_model_version(model.id, wanted) if wanted else None
        if version is None:
            raise InvalidVersion
        return model, version

    async def _resolve_bare(self, caller: Account, wanted: VersionId | None) -> tuple[Model, Version]:
        version = await self._store.get_version(wanted) if wanted else None
        if version is None:
            raise InvalidVersion
        for model in await self._store.models_of_version(version.id):
            if may_see(caller, model):
                return model, version
        raise InvalidVersion

    async def _create(self, caller: Account, model: Model, version: Version, wanted: NewPrediction) -> Prediction:
        self._validator(version).check(wanted.input)
        now = self._clock.now()
        created = await self._store.create_prediction(
            Prediction(
                id=self._new_id(now),
                account=caller.id,
                model=model.full_name,
                version=version.id,
                input=wanted.input,
                created_at=now,
                is_stream=version.is_stream,
                webhook=wanted.webhook,
                webhook_events_filter=wanted.webhook_events_filter,
            )
        )
        self._bus.publish(("queue", version.id))
        return created

    def _validator(self, version: Version) -> InputValidator:
        validator = self._validators.get(version.id)
        if validator is None:
            if len(self._validators) >= KEPT_VALIDATORS:
                self._validators.pop(next(iter(self._validators)))
            validator = self._validators[version.id] = compile_input(version.openapi_schema)
        return validator
