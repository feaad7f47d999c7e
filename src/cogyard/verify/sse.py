"""Reads server-sent events as browsers do, and keeps what the reference has rules for."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import aiohttp


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `lines` are those of its data, `id` is None when it has none of its own."""

    name: str
    id: str | None
    lines: tuple[str, ...]
    is_comment: bool = False

    @property
    def data(self) -> str:
        """The data as receivers get it."""
        return "\n".join(self.lines)


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[Event]:
    """The blocks of a stream as they come, comments among them."""
    block: list[str] = []
    async for raw in response.content:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line:
            block.append(line)
        elif block:
            yield parse(block)
            block = []
    if block:
        yield parse(block)


def parse(block: Iterable[str]) -> Event:
    """An event from its lines."""
    name, identifier, lines, is_comment = "message", None, [], True
    for line in block:
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        is_comment = is_comment and not key
        if key == "event":
            name = value
        elif key == "id":
            identifier = value
        elif key == "data":
            lines.append(value)
    return Event(name, identifier, tuple(lines), is_comment)
