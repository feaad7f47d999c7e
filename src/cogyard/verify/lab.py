"""Where checks are tried: the client, what the user named, what is shared between checks, what is cleared away."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from cogyard.verify.http import Answer, Client
from cogyard.verify.verdict import Broken, NotTried

T = TypeVar("T")

GRACE = 2.0
"""Seconds that requests in flight get when a run is ended."""

PREFIX = "verify-"
"""What every model and deployment of ours begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Models that the user named, for servers that take no pushes; None for those that he did not."""

    canary: str | None = None
    files: str | None = None
    train: str | None = None
    official: str | None = None
    #: `host:port` under which the server reaches the receiver of webhooks
    receiver: str | None = None


Undo = Callable[[], Awaitable[None]]


@dataclass
class Lab:
    """One run of the suite against one server."""

    client: Client
    named: Named = field(default_factory=Named)
    #: makes names of this run differ from those of others
    suffix: str = field(default_factory=lambda: secrets.token_hex(4))
    #: sentences on what could not be cleared away
    left: list[str] = field(default_factory=list)
    _shared: dict[object, "asyncio.Task[Any]"] = field(default_factory=dict)
    _undo: list[tuple[str, Undo]] = field(default_factory=list)

    async def once(self, make: "Callable[[Lab], Awaitable[T]]") -> T:
        """What `make` gives, made at most once in this run; when it raises, it raises for all who ask."""
        task: asyncio.Task[T] | None = self._shared.get(make)
        if task is None:

            async def making() -> T:
                return await make(self)

            task = self._shared[make] = asyncio.create_task(making())
        return await asyncio.shield(task)

    def unique(self, word: str) -> str:
        """A name that nothing else has."""
        return f"{PREFIX}{word}-{self.suffix}-{secrets.token_hex(2)}"

    def later(self, what: str, undo: Undo) -> None:
        """Have `undo` called at the end; `what` names the thing that stays when it fails."""
        self._undo.append((what, undo))

    async def close(self) -> None:
        """Stop what is still going on, and undo what was done, the last thing first."""
        running = [task for task in self._shared.values() if not task.done()]
        if running:  # what is being created just now has to be known before it can be cleared away
            await asyncio.wait(running, timeout=GRACE)
        for task in running:
            task.cancel()
        await asyncio.gather(*self._shared.values(), return_exceptions=True)
        while self._undo:
            what, undo = self._undo.pop()
            try:
                await undo()
            except (Broken, NotTried, aiohttp.ClientError, OSError, TimeoutError) as error:
                self.left.append(f"{what}: {error or type(error).__name__}")


Evidence = Callable[[Lab], Awaitable[Answer]]
"""Gets an answer that facts are read from; shared by all checks that name the same one."""
