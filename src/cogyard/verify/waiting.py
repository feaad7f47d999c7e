"""Waits for something to be so, by looking again and again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cogyard.verify.verdict import Broken

T = TypeVar("T")

PAUSE = 0.1


async def until(look: Callable[[], Awaitable[T | None]], seconds: float, what: str) -> T:
    """The first true thing that `look` gives. Raises `Broken` when none comes in time."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = await look()
                if found:
                    return found
                await asyncio.sleep(PAUSE)  # the other side has no bell to ring
    except TimeoutError:
        raise Broken(f"{what} did not happen within {seconds:g} s") from None
