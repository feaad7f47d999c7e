"""A small HTTP server on this machine that takes webhooks, keeps them, and answers as it is told to."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from cogyard.domain.values import JsonObject
from cogyard.verify.verdict import Broken

Reply = Callable[[int], tuple[int, Mapping[str, str]]]
"""How many came before → status and headers of the answer."""


def well(_before: int) -> tuple[int, Mapping[str, str]]:
    """Takes everything."""
    return 200, {}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request that came."""

    method: str
    #: with the query
    path: str
    headers: Mapping[str, str]
    body: bytes
    #: seconds of a clock that only goes forward
    at: float

    @property
    def told(self) -> JsonObject:
        """The body as a JSON object."""
        value = orjson.loads(self.body)
        if not isinstance(value, dict):
            raise Broken(f"expected a JSON object in the webhook, got {self.body[:200]!r}")
        return value

    def is_signed(self, key: str) -> bool:
        """Whether one of its signatures is right: Standard Webhooks, version 1, the key decoded (§10.2)."""
        signatures = self.headers.get("webhook-signature", "").split()
        return sign(key, self.headers.get("webhook-id", ""), self.headers.get("webhook-timestamp", ""), self.body) in (
            signatures
        )


def sign(key: str, identifier: str, timestamp: str, body: bytes) -> str:
    """The signature that a webhook has to have. Raises `Broken` for a key that is no base64."""
    try:
        secret = base64.b64decode(key.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise Broken("expected base64 behind whsec_ in the signing key") from None
    digest = hmac.digest(secret, f"{identifier}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


@dataclass
class Receiver:
    """The server. `address` is `host:port` as the other side reaches it, when that is not this machine."""

    address: str | None = None
    _got: dict[str, list[Delivery]] = field(default_factory=dict)
    _replies: dict[str, Reply] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _server: web.AppRunner | None = None
    _base: str = ""

    async def open(self) -> None:
        """Listen: on a free port of the loopback, or on the port of the address."""
        application = web.Application(client_max_size=2**26)
        application.router.add_route("*", "/{path:.*}", self._take)
        self._server = web.AppRunner(application, access_log=None)
        await self._server.setup()
        if self.address is None:
            site = web.TCPSite(self._server, "127.0.0.1", 0)
        else:
            site = web.TCPSite(self._server, port=int(self.address.rpartition(":")[2]))
        await site.start()
        self._base = f"http://{self.address or '127.0.0.1:' + str(self._server.addresses[0][1])}"

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            await self._server.cleanup()

    def expect(self, path: str, reply: Reply = well) -> str:
        """The URL of a path that answers so."""
        self._replies[path] = reply
        return self._base + path

    def on(self, path: str) -> list[Delivery]:
        """What came to a path, in its order."""
        return list(self._got.get(path, []))

    async def wait(self, path: str, is_enough: Callable[[list[Delivery]], object], seconds: float) -> list[Delivery]:
        """What came to a path when it is enough. Raises `Broken` when it is not in time."""
        try:
            async with asyncio.timeout(seconds):
                while not is_enough(self.on(path)):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            states = [delivery.told.get("status") for delivery in self.on(path)]
            raise Broken(f"expected more webhooks within {seconds:g} s, got {states}") from None
        return self.on(path)

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        came = self._got.setdefault(request.path, [])
        status, more = self._replies.get(request.path, well)(len(came))
        came.append(Delivery(request.method, request.path_qs, headers, body, time.monotonic()))
        waiting, self._news = self._news, asyncio.Event()
        waiting.set()
        return web.Response(status=status, headers=dict(more))
