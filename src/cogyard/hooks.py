"""Use cases of webhooks: the signing key, the ledger of deliveries, sending one again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from cogyard.domain.account import Caller
from cogyard.domain.errors import InvalidRequest, NotFound
from cogyard.domain.values import AccountId, DeliveryId, PredictionId
from cogyard.domain.webhook import Delivery, DeliveryState, WebhookEvent
from cogyard.ports import Bus, Clock, DeliveryStore, Page, PageRequest, PredictionStore, SecretStore

PAGE_SIZE = 100


class Registry(DeliveryStore, PredictionStore, SecretStore, Protocol):
    """What these use cases need of the store."""


class Hooks:
    """The webhooks of every account; each call says who asks."""

    def __init__(self, store: Registry, bus: Bus, clock: Clock, new_key: Callable[[], str]) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._new_key = new_key

    async def key(self, account: AccountId) -> str:
        """The account's signing key, `whsec_` and base64; made the first time (`api-contract.md` §3.4)."""
        return await self._store.get_secret(f"webhook {account}", self._new_key)

    async def list(self, caller: Caller, prediction: PredictionId | None, page: PageRequest) -> Page[Delivery]:
        """The caller's deliveries, newest first."""
        return await self._store.list_deliveries(caller.id, prediction, page, caller.models)

    async def resend(self, caller: Caller, delivery: DeliveryId) -> Delivery:
        """Send one again, whatever came of it before.

        Raises `NotFound`, and `InvalidRequest` for output and logs that were told while a prediction ran: they were
        not kept, and the same id must not say something else.
        """
        found = await self._store.get_delivery(caller.id, delivery)
        told = None if found is None else await self._store.get_prediction(found.prediction)
        if found is None or not caller.is_for("" if told is None else told.model):
            raise NotFound
        if found.body is None and found.event in (WebhookEvent.output, WebhookEvent.logs):
            raise InvalidRequest(
                "What this delivery told is not kept; its prediction's start and end can be sent again."
            )
        again = replace(found, state=DeliveryState.pending, next_attempt_at=self._clock.now())
        await self._store.save_delivery(again)
        self._bus.publish(("delivery", delivery))
        return again
