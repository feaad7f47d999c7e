"""The one thread that writes: it gathers waiting commands and commits them together, then answers their callers.

A commit at `synchronous=FULL` costs a flush of the disk, whether it holds one command or fifty. While one group is
being flushed the next gathers by itself, so the busier the server, the fewer flushes each prediction costs.
"""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, DBAPIError

from cogyard.domain.errors import CogyardError, StorageFull

T = TypeVar("T")

Command = Callable[[Connection], Any]

LARGEST_GROUP = 256
"""Commands in one transaction: enough that flushing is no longer what costs, few enough to answer soon."""

_FULL = "There is no space left on the disk of the data folder; make room and try again."


class WriterClosed(CogyardError):
    """The store is closing; nothing more is written."""


class Writer:
    """Runs commands in groups on its own thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: deque[tuple[Command, asyncio.Future[Any]]] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="store writer", daemon=True)
        self._thread.start()

    def submit(self, command: Callable[[Connection], T]) -> "asyncio.Future[T]":
        """Queue a command; the future has its result once that is on disk.

        What the command raises goes to the future, and its own changes are undone; its neighbours are not touched.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        if self._closing:
            future.set_exception(WriterClosed("the store is closed"))
            return future
        self._waiting.append((command, future))
        self._wake.set()
        return future

    def close(self) -> None:
        """Write what is queued, then end. Blocking."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        with self._engine.connect() as connection:
            while True:
                self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    size = min(len(self._waiting), LARGEST_GROUP)
                    self._commit(connection, [self._waiting.popleft() for _ in range(size)])
                if self._closing:
                    return

    def _commit(self, connection: Connection, group: list[tuple[Command, "asyncio.Future[Any]"]]) -> None:
        """Run a group in one transaction and tell the loop, once, what came of each."""
        outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        try:
            for command, future in group:
                outcomes.append((future, *_attempt(connection, command)))
            connection.commit()
        except DatabaseError as fault:
            error = explain(fault)
            _roll_back(connection)
            outcomes = [(future, None, error) for _, future in group]
        self._loop.call_soon_threadsafe(_settle, outcomes)


def _attempt(connection: Connection, command: Command) -> tuple[Any, BaseException | None]:
    """What the command returns or raises; in the latter case its changes are undone.

    A full disk undoes the whole transaction, so it is raised here for the whole group.
    """
    connection.exec_driver_sql("SAVEPOINT command")
    try:
        result = command(connection)
    except Exception as fault:
        if _is_full(fault):
            raise
        connection.exec_driver_sql("ROLLBACK TO command")
        connection.exec_driver_sql("RELEASE command")
        return None, fault
    connection.exec_driver_sql("RELEASE command")
    return result, None


def _settle(outcomes: list[tuple["asyncio.Future[Any]", Any, BaseException | None]]) -> None:
    for future, result, error in outcomes:
        if future.done():
            continue  # its caller was cancelled; the command stands all the same
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def _roll_back(connection: Connection) -> None:
    try:
        connection.rollback()
    except DBAPIError as fault:
        structlog.get_logger().error("store.rollback_failed", error=str(fault.orig))
        connection.invalidate()


def _is_full(fault: BaseException) -> bool:
    cause = fault.orig if isinstance(fault, DBAPIError) else fault
    return isinstance(cause, sqlite3.OperationalError) and (
        "disk is full" in str(cause) or "disk I/O error" in str(cause)
    )


def explain(fault: DatabaseError) -> BaseException:
    """What a fault of the database is to the house: a full disk is one that passes."""
    return StorageFull(_FULL) if _is_full(fault) else fault
