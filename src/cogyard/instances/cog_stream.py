"""The server-sent events in which a Cog server tells of a prediction, parsed and bounded."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import orjson

from cogyard.domain.events import Metric, MetricMode
from cogyard.domain.values import Json, JsonObject

BIG_EVENT_BYTES = 2**20
"""Events above this are parsed on a thread, so that others do not wait."""

_MODES = {"increment": MetricMode.increment, "incr": MetricMode.increment, "append": MetricMode.append}
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


class EventTooLarge(Exception):
    """One event has more bytes than allowed."""


@dataclass(frozen=True, slots=True)
class CogEvent:
    """`name` is start, output, log, metric, completed or error; `data` its JSON object."""

    name: str
    data: JsonObject
    size: int


async def read_events(response: aiohttp.ClientResponse, limit_bytes: int) -> AsyncIterator[CogEvent]:
    """The events of an SSE answer, in order. Raises `EventTooLarge`, `aiohttp.ClientError`."""
    buffer = bytearray()
    searched = 0
    _hurry(response)
    async for piece in response.content.iter_any():
        _hurry(response)
        buffer += piece
        while (end := buffer.find(b"\n\n", searched)) >= 0:
            block = bytes(memoryview(buffer)[:end])
            del buffer[: end + 2]
            searched = 0
            event = await _parse(block)
            if event is not None:
                yield event
        searched = max(len(buffer) - 1, 0)
        if len(buffer) > limit_bytes:
            raise EventTooLarge(limit_bytes)


def _hurry(response: aiohttp.ClientResponse) -> None:
    """Acknowledge at once: the server leaves Nagle on, and its last event would come 40 ms late otherwise."""
    connection = response.connection
    transport = connection.transport if connection is not None else None
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is not None and _QUICKACK is not None:
        sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)


async def _parse(block: bytes) -> CogEvent | None:
    name, data = "message", []
    for line in block.split(b"\n"):
        if line.startswith(b"event:"):
            name = line[6:].strip().decode()
        elif line.startswith(b"data:"):
            data.append(line[5:])
    if not data:
        return None
    text = b"\n".join(data)
    value: Json = await asyncio.to_thread(orjson.loads, text) if len(text) > BIG_EVENT_BYTES else orjson.loads(text)
    return CogEvent(name, value, len(text)) if isinstance(value, dict) else None


def read_metric(data: JsonObject) -> Metric | None:
    """A `metric` event's data; None when it has no name."""
    name, mode = data.get("name"), data.get("mode")
    if not isinstance(name, str):
        return None
    return Metric(name=name, value=data.get("value"), mode=_MODES.get(str(mode), MetricMode.replace))
