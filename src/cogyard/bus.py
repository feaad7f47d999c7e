"""Notices within one process: a hint wakes whoever listens; what has changed is read from the store."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from cogyard.ports import Topic


class _Listener:
    """Remembers that a notice came, until it is waited for."""

    def __init__(self) -> None:
        self._noticed = asyncio.Event()

    def wake(self) -> None:
        self._noticed.set()

    async def wait(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - the Protocol's form
        try:
            async with asyncio.timeout(timeout):
                await self._noticed.wait()
        except TimeoutError:
            return False
        self._noticed.clear()
        return True


class LocalBus:
    """The bus of a server that is one process. To be used from its event loop only."""

    def __init__(self) -> None:
        self._listeners: dict[Topic, set[_Listener]] = {}

    def publish(self, topic: Topic) -> None:
        """Wake the topic's listeners, and those of `(kind, "*")`."""
        for key in (topic, (topic[0], "*")):
            for listener in self._listeners.get(key, ()):
                listener.wake()

    @contextmanager
    def listen(self, topic: Topic) -> Iterator[_Listener]:
        """Listen from now on, until the context ends."""
        listener = _Listener()
        self._listeners.setdefault(topic, set()).add(listener)
        try:
            yield listener
        finally:
            remaining = self._listeners[topic]
            remaining.discard(listener)
            if not remaining:
                del self._listeners[topic]
