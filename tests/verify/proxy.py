"""A reverse proxy that breaks one fact of the server behind it, to see whether the suite finds out."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
from aiohttp import web

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"}


@dataclass(frozen=True)
class Exchange:
    """A request, and the answer to it that is about to be passed on."""

    method: str
    path: str
    asked: dict[str, str]
    sent: bytes
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def with_json(self, value: Any) -> "Exchange":
        return replace(self, body=json.dumps(value).encode())

    @property
    def is_webhook(self) -> bool:
        """A webhook on its way to its receiver; `headers` and `body` are the ones that it brings."""
        return self.method == "WEBHOOK"


Mutation = Callable[[Exchange], Exchange]


@contextmanager
def proxy(server: str, mutate: Mutation) -> Iterator[str]:
    """The address of a proxy in front of the server."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def main() -> None:
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
            application = web.Application(client_max_size=2**28)
            handler = _Handler(server, session, mutate)
            application.router.add_route("*", "/hook/{receiver}/{path:.*}", handler.hook)
            application.router.add_route("*", "/{path:.*}", handler.forward)
            runner = web.AppRunner(application, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            ready.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
            is_ready.set()
            await stop.wait()
            await runner.cleanup()

    ready: list[str] = []
    is_ready = threading.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    assert is_ready.wait(10)
    try:
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@dataclass(frozen=True)
class _Handler:
    server: str
    session: aiohttp.ClientSession
    mutate: Mutation

    async def forward(self, request: web.Request) -> web.StreamResponse:
        sent = await request.read()
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP]
        body = _through_here(request, sent)
        async with self.session.request(
            request.method,
            self.server + request.raw_path,
            data=body or None,
            headers=[*headers, ("Host", request.host)],
            allow_redirects=False,
        ) as answer:
            kept = {name.lower(): value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
            exchange = Exchange(
                request.method,
                request.path,
                {name.lower(): value for name, value in request.headers.items()},
                sent,
                answer.status,
                kept,
                await answer.read(),
            )
            length = answer.headers.get("content-length", "0")
        if request.method == "HEAD":
            return web.Response(status=exchange.status, headers={**exchange.headers, "content-length": length})
        exchange = self.mutate(exchange)
        return web.Response(status=exchange.status, headers=exchange.headers, body=exchange.body)

    async def hook(self, request: web.Request) -> web.StreamResponse:
        """A webhook: mutated and passed on to where it was going."""
        brought = {name.lower(): value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        exchange = Exchange("WEBHOOK", request.path, brought, b"", 0, brought, await request.read())
        exchange = self.mutate(exchange)
        where = f"http://{request.match_info['receiver']}/{request.match_info['path']}?{request.query_string}"
        sending = self.session.post(
            where.rstrip("?"), data=exchange.body, headers=exchange.headers, allow_redirects=False
        )
        try:
            async with sending as answer:
                kept = {name: value for name, value in answer.headers.items() if name.lower() == "location"}
                return web.Response(status=answer.status, headers=kept)
        except aiohttp.ClientConnectorError:
            return web.Response(status=502)


def _through_here(request: web.Request, body: bytes) -> bytes:
    """The body, with its webhook leading through this proxy."""
    if b'"webhook":"http://' not in body:
        return body
    return body.replace(b'"webhook":"http://', f'"webhook":"http://{request.host}/hook/'.encode())
