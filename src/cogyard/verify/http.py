"""A small HTTP client that keeps what came over the wire: status, reason, headers, bytes."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import orjson
from yarl import URL

from cogyard.domain.values import Json, JsonObject
from cogyard.verify.verdict import Broken, show

TIMEOUT = 100.0
"""Seconds for one answer; a server may hold a request for 60."""

THROTTLED_TRIES = 8
LONGEST_PAUSE = 15.0

AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said to one request."""

    request: str
    status: int
    reason: str
    #: names in lower case
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def told(self) -> str:
        """The request and the status, for the end of a sentence."""
        return f"({self.request} → {self.status})"

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Json:
        """The body as JSON. Raises `Broken` when it is something else."""
        try:
            value: Json = orjson.loads(self.body)
        except ValueError:
            raise Broken(f"expected a JSON body, got {show(self.text)} {self.told}") from None
        return value

    def at(self, path: str) -> Json:
        """The value at a dotted path, `""` for the whole body. Raises `Broken` when there is none."""
        value = self.json()
        for key in path.split(".") if path else []:
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            else:
                raise Broken(f"expected {path!r} in the body, got {show(self.json())} {self.told}")
        return value

    def has(self, path: str) -> bool:
        """Whether there is a value at the path; null is one."""
        try:
            self.at(path)
        except Broken:
            return False
        return True

    def object(self, path: str = "") -> JsonObject:
        """The JSON object at the path. Raises `Broken` when it is none."""
        value = self.at(path)
        if not isinstance(value, dict):
            raise Broken(f"expected an object at {path or 'the root'!r}, got {show(value)} {self.told}")
        return value

    def array(self, path: str = "") -> list[Json]:
        """The JSON array at the path. Raises `Broken` when it is none."""
        value = self.at(path)
        if not isinstance(value, list):
            raise Broken(f"expected an array at {path or 'the root'!r}, got {show(value)} {self.told}")
        return value

    def string(self, path: str) -> str:
        """The string at the path. Raises `Broken` when it is none."""
        value = self.at(path)
        if not isinstance(value, str):
            raise Broken(f"expected a string at {path!r}, got {show(value)} {self.told}")
        return value

    def expect(self, *statuses: int) -> "Answer":
        """The answer itself, when it has one of the statuses. Raises `Broken` otherwise."""
        if self.status not in statuses:
            wanted = " or ".join(str(status) for status in statuses)
            raise Broken(f"expected {wanted}, got {self.status}: {show(self.text)} ({self.request})")
        return self


@dataclass(frozen=True, slots=True)
class Client:
    """Sends requests to one server. `base` is the address without `/v1`."""

    base: str
    token: str
    session: aiohttp.ClientSession
    trust: ssl.SSLContext

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: Json | bytes = b"",
        form: aiohttp.FormData | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = "",
    ) -> Answer:
        """One request below `/v1`, or to a whole URL. `json` may be raw bytes; a `token` of None sends none.

        Waits and tries again while it is throttled, so that a busy account does not fail checks of other facts.
        """
        sent = self._headers(headers, token)
        body: bytes | aiohttp.FormData | None = form
        if form is None:
            body = json if isinstance(json, bytes) else orjson.dumps(json)
            if body and not any(name.lower() == "content-type" for name in sent):
                sent["Content-Type"] = "application/json"
        for _ in range(THROTTLED_TRIES):
            began = time.monotonic()
            async with self.session.request(
                method, self.url(path), data=body or None, headers=sent, allow_redirects=False
            ) as response:
                answer = Answer(
                    request=f"{method} {path[:120]}",
                    status=response.status,
                    reason=response.reason or "",
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=await response.read(),
                    seconds=time.monotonic() - began,
                )
            if answer.status != 429 or form is not None:
                return answer
            told = answer.headers.get("retry-after", "")
            await asyncio.sleep(min(float(told) if told.isdecimal() else 1.0, LONGEST_PAUSE))
        return answer

    async def get(self, path: str, *, token: str | None = "", headers: Mapping[str, str] | None = None) -> Answer:
        """GET."""
        return await self.send("GET", path, token=token, headers=headers)

    async def post(self, path: str, body: Json, headers: Mapping[str, str] | None = None) -> Answer:
        """POST JSON."""
        return await self.send("POST", path, json=body, headers=headers)

    @asynccontextmanager
    async def open(
        self, url: str, headers: Mapping[str, str] | None = None, *, token: str | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A GET whose body is read as it comes."""
        sent = self._headers(headers, token)
        async with self.session.get(self.url(url), headers=sent, allow_redirects=False) as response:
            yield response

    def url(self, path: str) -> URL:
        """Where a path below `/v1` is; a whole URL stays what it is."""
        whole = path if path.startswith(("http://", "https://")) else f"{self.base}/v1{path}"
        return URL(whole, encoded=True)

    def _headers(self, headers: Mapping[str, str] | None, token: str | None) -> dict[str, str]:
        sent = dict(headers or {})
        if token is not None and "Authorization" not in sent:
            sent["Authorization"] = f"Bearer {token or self.token}"
        return sent


@asynccontextmanager
async def connect(base: str, token: str, trust: ssl.SSLContext) -> AsyncIterator[Client]:
    """A client for the server at `base`."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=TIMEOUT)
    connector = aiohttp.TCPConnector(ssl=trust, limit=AT_ONCE)
    agent = {"User-Agent": "cogyard-verify"}
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, headers=agent, auto_decompress=False
    ) as session:
        yield Client(base.rstrip("/").removesuffix("/v1"), token, session, trust)
