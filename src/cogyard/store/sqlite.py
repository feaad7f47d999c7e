"""The store on SQLite: one writer thread with group commit, a few reader threads, one process for each data folder."""

import asyncio
import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from cogyard.domain.catalog import Account, AccountKind, Model, Token, Version
from cogyard.domain.errors import CogyardError
from cogyard.domain.file import File
from cogyard.domain.instance import Instance
from cogyard.domain.prediction import Prediction
from cogyard.domain.schedule import Demand
from cogyard.domain.values import (
    AccountId,
    FileId,
    InstanceId,
    ModelId,
    PredictionId,
    TokenId,
    VersionId,
)
from cogyard.ports import Clock, Page, PageRequest, PredictionFilter
from cogyard.store import accounts, catalog, predictions, records
from cogyard.store.writer import Writer

T = TypeVar("T")

READERS = 3
"""Threads that read; SQLite releases Python's lock while it works, two cores gain nothing from more."""

BUSY_TIMEOUT_MS = 10_000
CHECKPOINT_PAGES = 4000
"""Pages of 4 KiB after which the log is folded into the database: keeps the log near 16 MB."""

USE_NOTED_EVERY = timedelta(minutes=1)
"""How exact a token's `last_used_at` is; exacter would cost a write for each request."""

KEPT_TOKENS = 10_000


class DataFolderInUse(CogyardError):
    """Another process has the data folder open; `str()` says which."""


class SqliteStore:
    """Implements `ports.Store`. Make one with `store.open_store`."""

    def __init__(self, path: Path, clock: Clock, lock: TextIO) -> None:
        self._lock = lock
        self._clock = clock
        self._write_engine = _engine(path, begin="BEGIN IMMEDIATE", pool_size=1)
        self._read_engine = _engine(path, begin="BEGIN", pool_size=READERS)
        self._writer = Writer(self._write_engine)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store reader")
        self._tokens: dict[str, tuple[Token, Account]] = {}
        self._uses: dict[TokenId, datetime] = {}
        #: versions never change, and none leaves its model
        self._versions: dict[VersionId, Version] = {}
        self._members: set[tuple[ModelId, VersionId]] = set()

    async def close(self) -> None:
        """Finish what is queued and close the connections."""
        await asyncio.to_thread(self._writer.close)
        self._readers.shutdown()
        self._write_engine.dispose()
        self._read_engine.dispose()
        self._lock.close()

    async def _read(self, query: Callable[[Connection], T]) -> T:
        def run() -> T:
            with self._read_engine.connect() as connection:
                return query(connection)

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    # --- accounts -------------------------------------------------------------------------------------------------

    async def create_account(
        self, username: str, kind: AccountKind, name: str, at: datetime, *, is_admin: bool
    ) -> Account:
        """See `ports.AccountStore`."""
        values = accounts.account_values(username, kind, name, at, is_admin=is_admin)
        return await self._writer.submit(lambda connection: accounts.create_account(connection, values))

    async def get_account(self, username: str) -> Account | None:
        """See `ports.AccountStore`."""
        return await self._read(lambda connection: accounts.get_account(connection, username))

    async def create_token(self, account: AccountId, name: str, secret: str, at: datetime) -> Token:
        """See `ports.AccountStore`."""
        values = {
            "account": account,
            "name": name,
            "prefix": secret[: accounts.PREFIX_CHARACTERS],
            "hash": _hash(secret),
            "created_at": at,
        }
        self._tokens.pop(_hash(secret), None)
        return await self._writer.submit(lambda connection: accounts.create_token(connection, values))

    async def find_token(self, secret: str) -> tuple[Token, Account] | None:
        """See `ports.AccountStore`."""
        key = _hash(secret)
        found = self._tokens.get(key)
        if found is None:
            found = await self._read(lambda connection: accounts.find_token(connection, key))
            if found is None:
                return None
            if len(self._tokens) >= KEPT_TOKENS:
                self._tokens.pop(next(iter(self._tokens)))
            self._tokens[key] = found
        self._note_use(found[0])
        return found

    def _note_use(self, token: Token) -> None:
        now = self._clock.now()
        if now - self._uses.get(token.id, token.created_at) < USE_NOTED_EVERY and token.id in self._uses:
            return
        self._uses[token.id] = now
        self._writer.submit(lambda connection: accounts.note_use(connection, token.id, now)).add_done_callback(
            _ignore_outcome
        )

    async def list_tokens(self, account: AccountId) -> Sequence[Token]:
        """See `ports.AccountStore`."""
        return await self._read(lambda connection: accounts.list_tokens(connection, account))

    async def disable_token(self, account: AccountId, token: TokenId, at: datetime) -> Token | None:
        """See `ports.AccountStore`."""
        disabled = await self._writer.submit(lambda connection: accounts.disable_token(connection, account, token, at))
        self._tokens = {key: found for key, found in self._tokens.items() if found[0].id != token}
        return disabled

    async def get_secret(self, name: str, make: Callable[[], str]) -> str:
        """See `ports.SecretStore`."""
        return await self._writer.submit(lambda connection: accounts.get_secret(connection, name, make))

    # --- catalog --------------------------------------------------------------------------------------------------

    async def create_model(self, model: Model) -> Model:
        """See `ports.CatalogStore`."""
        return await self._writer.submit(lambda connection: catalog.create_model(connection, model))

    async def get_model(self, owner: str, name: str) -> Model | None:
        """See `ports.CatalogStore`."""
        return await self._read(lambda connection: catalog.get_model(connection, owner, name))

    async def update_model(self, model: Model) -> None:
        """See `ports.CatalogStore`."""
        await self._writer.submit(lambda connection: catalog.update_model(connection, model))

    async def list_models(self, viewer: AccountId | None, page: PageRequest) -> Page[Model]:
        """See `ports.CatalogStore`; one's own private models are not listed either (`api-contract.md` §4.2)."""
        return await self._read(lambda connection: catalog.list_models(connection, page))

    async def add_version(self, model: ModelId, version: Version) -> bool:
        """See `ports.CatalogStore`."""
        return await self._writer.submit(lambda connection: catalog.add_version(connection, model, version))

    async def get_version(self, version: VersionId) -> Version | None:
        """See `ports.CatalogStore`."""
        found = self._versions.get(version)
        if found is None:
            found = await self._read(lambda connection: catalog.get_version(connection, version))
            if found is not None:
                self._versions[version] = found
        return found

    async def get_model_version(self, model: ModelId, version: VersionId) -> Version | None:
        """See `ports.CatalogStore`."""
        if (model, version) in self._members:
            return await self.get_version(version)
        found = await self._read(lambda connection: catalog.get_model_version(connection, model, version))
        if found is not None:
            self._members.add((model, version))
        return found

    async def list_versions(self, model: ModelId, page: PageRequest) -> Page[Version]:
        """See `ports.CatalogStore`."""
        return await self._read(lambda connection: catalog.list_versions(connection, model, page))

    async def models_of_version(self, version: VersionId) -> Sequence[Model]:
        """See `ports.CatalogStore`."""
        return await self._read(lambda connection: catalog.models_of_version(connection, version))

    async def add_example(self, model: ModelId, prediction: PredictionId) -> None:
        """See `ports.CatalogStore`."""
        await self._writer.submit(lambda connection: catalog.add_example(connection, model, prediction))

    async def list_examples(self, model: ModelId) -> Sequence[Prediction]:
        """See `ports.CatalogStore`."""
        return await self._read(lambda connection: catalog.list_examples(connection, model))

    # --- predictions ----------------------------------------------------------------------------------------------

    async def create_prediction(self, prediction: Prediction) -> Prediction:
        """See `ports.PredictionStore`."""
        sequence = await self._writer.submit(lambda connection: predictions.create(connection, prediction))
        return replace(prediction, sequence=sequence)

    async def get_prediction(self, prediction: PredictionId) -> Prediction | None:
        """See `ports.PredictionStore`."""
        return await self._read(lambda connection: predictions.get(connection, prediction))

    async def list_predictions(self, wanted: PredictionFilter, page: PageRequest) -> Page[Prediction]:
        """See `ports.PredictionStore`."""
        return await self._read(lambda connection: predictions.page(connection, wanted, page))

    async def request_cancel(self, prediction: PredictionId, at: datetime) -> Prediction | None:
        """See `ports.PredictionStore`."""
        return await self._writer.submit(lambda connection: predictions.request_cancel(connection, prediction, at))

    # --- the queue ------------------------------------------------------------------------------------------------

    async def demand(self) -> Sequence[Demand]:
        """See `ports.ClaimStore`."""
        return await self._read(predictions.demand)

    async def claim(
        self, version: VersionId, instance: InstanceId, lease: timedelta, at: datetime
    ) -> Prediction | None:
        """See `ports.ClaimStore`."""
        return await self._writer.submit(lambda connection: predictions.claim(connection, version, instance, lease, at))

    async def extend(self, instance: InstanceId, lease: timedelta, at: datetime) -> None:
        """See `ports.ClaimStore`."""
        await self._writer.submit(lambda connection: predictions.extend(connection, instance, lease, at))

    async def record(self, before: Prediction, after: Prediction) -> bool:
        """See `ports.ClaimStore`."""
        return await self._writer.submit(lambda connection: predictions.record(connection, before, after))

    async def claimed(
        self, *, instance: InstanceId | None = None, expired_at: datetime | None = None
    ) -> Sequence[Prediction]:
        """See `ports.ClaimStore`."""
        return await self._read(lambda connection: predictions.claimed(connection, instance, expired_at))

    async def waiting(self, version: VersionId) -> Sequence[Prediction]:
        """See `ports.ClaimStore`."""
        return await self._read(lambda connection: predictions.waiting(connection, version))

    # --- instances and files --------------------------------------------------------------------------------------

    async def save_instance(self, instance: Instance) -> None:
        """See `ports.InstanceStore`."""
        await self._writer.submit(lambda connection: records.save_instance(connection, instance))

    async def list_instances(self, *, include_over: bool = False) -> Sequence[Instance]:
        """See `ports.InstanceStore`."""
        return await self._read(lambda connection: records.list_instances(connection, include_over=include_over))

    async def create_file(self, file: File) -> None:
        """See `ports.FileStore`."""
        await self._writer.submit(lambda connection: records.create_file(connection, file))

    async def get_file(self, file: FileId) -> File | None:
        """See `ports.FileStore`."""
        return await self._read(lambda connection: records.get_file(connection, file))

    async def list_files(self, account: AccountId, page: PageRequest) -> Page[File]:
        """See `ports.FileStore`."""
        return await self._read(lambda connection: records.list_files(connection, account, page))

    async def delete_file(self, file: FileId) -> bool:
        """See `ports.FileStore`."""
        return await self._writer.submit(lambda connection: records.delete_file(connection, file))

    async def expired_files(self, at: datetime, limit: int) -> Sequence[File]:
        """See `ports.FileStore`."""
        return await self._read(lambda connection: records.expired_files(connection, at, limit))


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


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _ignore_outcome(noted: "asyncio.Future[None]") -> None:
    """A use that could not be noted is no reason to fail a request."""
    with suppress(CogyardError):
        noted.result()
