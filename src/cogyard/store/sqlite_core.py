"""SQLite for one process: one writer thread with group commit, a few reader threads, a lock on the data folder."""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TextIO, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from cogyard.domain.errors import CogyardError
from cogyard.ports import Clock
from cogyard.store.writer import Writer, explain

T = TypeVar("T")
P = ParamSpec("P")

READERS = 3
"""Threads that read; SQLite releases Python's lock while it works, two cores gain nothing from more."""

BUSY_TIMEOUT_MS = 10_000
CHECKPOINT_PAGES = 4000
"""Pages of 4 KiB after which the log is folded into the database: keeps the log near 16 MB."""


class DataFolderInUse(CogyardError):
    """Another process has the data folder open; `str()` says which."""


class SqliteCore:
    """The connections; what is asked over them stands in the classes that derive from this one."""

    def __init__(self, path: Path, clock: Clock, lock: TextIO) -> None:
        self._lock = lock
        self._clock = clock
        self._write_engine = _engine(path, begin="BEGIN IMMEDIATE", pool_size=1)
        self._read_engine = _engine(path, begin="BEGIN", pool_size=READERS)
        self._writer = Writer(self._write_engine)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store reader")

    async def close(self) -> None:
        """Finish what is queued and close the connections."""
        await asyncio.to_thread(self._writer.close)
        self._readers.shutdown()
        self._write_engine.dispose()
        self._read_engine.dispose()
        self._lock.close()

    async def _read(self, query: Callable[Concatenate[Connection, P], T], *arguments: P.args, **named: P.kwargs) -> T:
        """What the query returns, on a reader's thread. Raises `StorageFull`: readers need room too."""

        def run() -> T:
            try:
                with self._read_engine.connect() as connection:
                    return query(connection, *arguments, **named)
            except DatabaseError as fault:
                raise explain(fault) from fault

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    def _write(
        self, command: Callable[Concatenate[Connection, P], T], *arguments: P.args, **named: P.kwargs
    ) -> "asyncio.Future[T]":
        """What the command returns, once it is on disk."""
        return self._writer.submit(lambda connection: command(connection, *arguments, **named))


def _engine(path: Path, *, begin: str, pool_size: int) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        connect_args={"check_same_thread": False, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        # the driver's own deferred BEGIN would make writers fail instead of wait (BEGIN IMMEDIATE does not)
        connection.exec_driver_sql(begin)

    return engine


def lock_folder(path: Path) -> TextIO:
    """Hold a folder for this process, with the lock file `path` in it. Raises `DataFolderInUse`."""
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise DataFolderInUse(
            f"The data folder {path.parent} is in use by another Cogyard server (process {holder}). "
            "Stop that one, or give this one a folder of its own with COGYARD_DATA."
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
