"""Creates that were refused for now, so that their retries are not taken for repetitions of earlier ones (§1.6)."""

from collections import OrderedDict, deque
from datetime import datetime, timedelta

from starlette.requests import Request

MOST_REFUSALS = 10_000
"""Kinds of requests that are remembered."""

_WINDOW = timedelta(minutes=3)
"""How long after a refusal its retry may come: the longest that a client waits as it is told, thrice."""

RETRIES = "x-stainless-retry-count"
"""The header in which the 2.0 client counts its tries."""


class Refusals:
    """What was refused and not tried again yet.

    The bodies of refused requests are not read: who asked, for what path and in how many bytes tells them apart.
    """

    def __init__(self) -> None:
        self._refused: OrderedDict[tuple[str, ...], deque[datetime]] = OrderedDict()

    def note(self, request: Request, now: datetime) -> None:
        """A create was refused. Only a first try opens a new wait: a refused retry waits on."""
        count = request.headers.get(RETRIES)
        if count is None:
            return
        waiting = self._refused.pop(_kind(request), deque())
        if is_retry(count):
            if not waiting:  # of one that was accepted, and whose answer was lost
                return
            waiting.popleft()
        waiting.append(now)
        self._refused[_kind(request)] = waiting
        if len(self._refused) > MOST_REFUSALS:
            self._refused.popitem(last=False)

    def take(self, request: Request, now: datetime) -> bool:
        """Whether this retry is that of a refused create; then it is one no longer."""
        waiting = self._refused.pop(_kind(request), deque())
        while waiting and waiting[0] < now - _WINDOW:
            waiting.popleft()
        if not waiting:
            return False
        waiting.popleft()
        if waiting:
            self._refused[_kind(request)] = waiting
        return True


def is_retry(count: str | None) -> bool:
    """Whether the count of tries tells of an earlier one."""
    return count is not None and count.isdecimal() and int(count[:9]) > 0


def _kind(request: Request) -> tuple[str, ...]:
    headers = request.headers
    return (request.scope["path"], headers.get("authorization", ""), headers.get("content-length", ""))
