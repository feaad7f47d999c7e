"""A Cog server's API over loopback."""

import asyncio
from contextlib import AbstractAsyncContextManager

import aiohttp
import orjson

from cogyard.domain.values import Json, JsonObject, PredictionId

CONNECT_SECONDS = 5.0


class CogHttp:
    """Asks the Cog server that listens on `port`."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=300)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def health(self) -> JsonObject:
        """What the health check says; empty when there is no answer."""
        try:
            async with self._session.get(f"{self._base}/health-check") as response:
                value: Json = orjson.loads(await response.read())
        except (aiohttp.ClientError, ValueError, OSError):
            return {}
        return value if isinstance(value, dict) else {}

    async def answers(self, seconds: float) -> bool:
        """Whether the server answers at all within so many seconds; the model is not asked, nor held up."""
        try:
            async with asyncio.timeout(seconds), self._session.get(f"{self._base}/") as response:
                await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False
        return True

    def put(
        self, prediction: PredictionId, model_input: JsonObject
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send a prediction; the answer is its events."""
        body = orjson.dumps({"id": prediction, "input": model_input})
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        return self._session.put(f"{self._base}/predictions/{prediction}", data=body, headers=headers)

    async def cancel(self, prediction: PredictionId, seconds: float) -> bool:
        """Whether the server took the cancel; it takes none for what it does not know (yet, or any more)."""
        try:
            url = f"{self._base}/predictions/{prediction}/cancel"
            async with asyncio.timeout(seconds), self._session.post(url) as response:
                await response.read()
                return response.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError, RuntimeError):  # RuntimeError: the session was closed
            return False
