"""Delivers webhooks (`api-contract.md` §10): starts and ends from the ledger, what comes between as it comes.

A start or an end is written into the ledger in the transaction that makes it so; what stands there is sent after any
crash. New output and logs are told at most twice a second, once each, and are lost with the server.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit

import structlog

from cogyard.domain.errors import CogyardError
from cogyard.domain.prediction import Prediction
from cogyard.domain.values import AccountId, DeliveryId, PredictionId
from cogyard.domain.webhook import (
    THROTTLE,
    Delivery,
    DeliveryState,
    WebhookEvent,
    after_attempt,
    as_told,
    wants,
)
from cogyard.ports import Bus, Clock, DeliveryStore, PredictionStore

SAFETY_POLL = 1.0
"""Seconds after which the ledger is looked at without a notice, since notices may be lost."""

FOLLOW_POLL = 30.0
"""The same for one followed prediction."""

AT_ONCE = 8
"""Attempts at one receiver side by side: a dead one holds back its own deliveries and nobody else's."""

TAKEN_AT_ONCE = 500


class Registry(DeliveryStore, PredictionStore, Protocol):
    """What the webhooks need of the store."""


class Post(Protocol):
    """Posts a body."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int | None, str | None]:
        """The receiver's status code, or else a sentence that says why there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How deliveries are made: the body that `GET` would give, the account's key, ids, waits between attempts."""

    render: Callable[[Prediction], bytes]
    key: Callable[[AccountId], Awaitable[str]]
    new_id: Callable[[], DeliveryId]
    schedule: tuple[timedelta, ...]


class Webhooks:
    """The server's sender of webhooks."""

    def __init__(self, store: Registry, bus: Bus, clock: Clock, poster: Post, manner: Manner) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._poster = poster
        self._manner = manner
        self._sending: dict[DeliveryId, asyncio.Task[None]] = {}
        self._taking = asyncio.Lock()
        self._following: dict[PredictionId, asyncio.Task[None]] = {}
        self._receivers: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
        self._turns: defaultdict[PredictionId, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._queueing: Counter[PredictionId] = Counter()
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Until cancelled."""
        loops = [asyncio.create_task(self._send_due()), asyncio.create_task(self._follow_new())]
        try:
            await asyncio.gather(*loops)
        finally:
            tasks = [*loops, *self._sending.values(), *self._following.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # --- the ledger -----------------------------------------------------------------------------------------------

    async def _send_due(self) -> None:
        with self._bus.listen(("delivery", "*")) as news:
            while True:
                try:
                    await news.wait(await self._take_due())
                except CogyardError as fault:
                    self._log.error("webhooks.failed", error=str(fault))
                    await asyncio.sleep(SAFETY_POLL)

    async def _take_due(self) -> float:
        """Begin every attempt whose time has come; in how many seconds to look again."""
        async with self._taking:
            now = self._clock.now()
            taken = set(self._sending)  # what is sent while the ledger is read may still stand there as due
            due = await self._store.due_deliveries(now, TAKEN_AT_ONCE, taken)
            for delivery in due:
                task = asyncio.create_task(self._send(delivery))
                self._sending[delivery.id] = task
                task.add_done_callback(lambda _, sent=delivery.id: self._sending.pop(sent, None))  # type: ignore[misc]
        if len(due) == TAKEN_AT_ONCE:
            return 0.0
        following = await self._store.next_delivery_at(now)  # what is due by now is in hand
        if following is None:
            return SAFETY_POLL
        return min(max((following - self._clock.now()).total_seconds(), 0.02), SAFETY_POLL)

    async def _send(self, delivery: Delivery) -> None:
        """One attempt; what is told of a prediction goes out in its order, and nothing after its end."""
        try:
            async with self._turn(delivery):
                follower = self._following.get(delivery.prediction)
                if delivery.event is WebhookEvent.completed and follower is not None:
                    follower.cancel()
                await self._attempt(delivery)
        except CogyardError as fault:
            self._log.error("webhook.failed", delivery=delivery.id, error=str(fault))

    @asynccontextmanager
    async def _turn(self, delivery: Delivery) -> AsyncIterator[None]:
        """One delivery of a prediction at a time, a few of a receiver."""
        self._queueing[delivery.prediction] += 1
        try:
            async with self._turns[delivery.prediction], self._receivers[_receiver(delivery.url)]:
                yield
        finally:
            self._queueing[delivery.prediction] -= 1
            if not self._queueing[delivery.prediction]:
                del self._queueing[delivery.prediction], self._turns[delivery.prediction]

    async def _attempt(self, delivery: Delivery) -> None:
        if delivery.body is None:
            prediction = await self._store.get_prediction(delivery.prediction)
            if prediction is None:
                gone = replace(delivery, state=DeliveryState.failed, next_attempt_at=None)
                await self._store.save_delivery(replace(gone, error="the prediction was deleted"))
                return
            shown = as_told(prediction, delivery.event)
            delivery = replace(delivery, body=self._manner.render(shown).decode())
        tried = await self._post(delivery, (delivery.body or "").encode())
        await self._store.save_delivery(tried)
        if tried.next_attempt_at is not None:
            self._bus.publish(("delivery", delivery.id))  # the sender sleeps until the next attempt that it knows of

    async def _post(self, delivery: Delivery, body: bytes) -> Delivery:
        seconds = int(self._clock.now().timestamp())
        headers = {
            "content-type": "application/json",
            "user-agent": "cogyard",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": sign(await self._manner.key(delivery.account), delivery.id, seconds, body),
        }
        status_code, error = await self._poster.post(delivery.url, body, headers)
        now = self._clock.now()
        tried = after_attempt(delivery, status_code=status_code, error=error, schedule=self._manner.schedule, now=now)
        if tried.state is not DeliveryState.delivered:
            self._log.info("webhook.undelivered", delivery=delivery.id, event_kind=delivery.event, error=tried.error)
        return tried

    # --- what comes between ---------------------------------------------------------------------------------------

    async def _follow_new(self) -> None:
        with self._bus.listen(("webhook", "*")) as news:
            while True:
                try:
                    for prediction in await self._store.told_predictions():
                        self._follow(prediction)
                    await news.wait(FOLLOW_POLL)
                except CogyardError as fault:
                    self._log.error("webhooks.failed", error=str(fault))
                    await asyncio.sleep(SAFETY_POLL)
                self._bus.publish(("delivery", "*"))  # one that ended before it was followed

    def _follow(self, prediction: Prediction) -> None:
        if prediction.id not in self._following:
            task = asyncio.create_task(self._tell_progress(prediction.id))
            self._following[prediction.id] = task
            task.add_done_callback(lambda _: self._following.pop(prediction.id, None))

    async def _tell_progress(self, prediction: PredictionId) -> None:
        """Wake the sender when it starts and ends, and tell new output and logs of it meanwhile."""
        loop = asyncio.get_running_loop()
        said: tuple[object, int] = (None, 0)
        quiet_until, has_started = 0.0, False
        with self._bus.listen(("prediction", prediction)) as changed:
            while True:
                found = await self._store.get_prediction(prediction)
                if found is None or found.status.is_terminal:
                    self._bus.publish(("delivery", prediction))
                    return
                if found.started_at is not None and not has_started:
                    has_started = True
                    await self._take_due()  # the start is in the line before any output is
                event = _progress(found, said)
                wait = quiet_until - loop.time()
                if event is not None and wait <= 0:
                    said = (found.output, len(found.logs))
                    await self._tell(found, event)
                    quiet_until = loop.time() + THROTTLE.total_seconds()
                await changed.wait(wait if event is not None and wait > 0 else FOLLOW_POLL)

    async def _tell(self, prediction: Prediction, event: WebhookEvent) -> None:
        now = self._clock.now()
        delivery = Delivery(
            id=self._manner.new_id(),
            prediction=prediction.id,
            account=prediction.account,
            event=event,
            url=prediction.webhook or "",
            created_at=now,
        )
        async with self._turn(delivery):
            tried = await self._post(delivery, self._manner.render(prediction))
            await self._store.save_delivery(tried)


def _progress(prediction: Prediction, said: tuple[object, int]) -> WebhookEvent | None:
    output, logs = said
    if prediction.output != output and wants(prediction, WebhookEvent.output):
        return WebhookEvent.output
    if len(prediction.logs) > logs and wants(prediction, WebhookEvent.logs):
        return WebhookEvent.logs
    return None


def _receiver(url: str) -> str:
    return urlsplit(url).netloc


def sign(key: str, delivery: str, seconds: int, body: bytes) -> str:
    """The `webhook-signature` header: Standard Webhooks, version 1 (`api-contract.md` §10.2)."""
    try:
        secret = base64.b64decode(key.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        secret = key.encode()
    signed = f"{delivery}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
