"""Use cases of uploaded files."""

import hmac
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from cogyard.domain.account import Account
from cogyard.domain.errors import NotFound
from cogyard.domain.file import File, FileKind, sign_download
from cogyard.domain.values import AccountId, FileId, JsonObject
from cogyard.ports import AccountStore, Clock, Files, FileStore, Page, PageRequest, SecretStore

PAGE_SIZE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What came with the bytes."""

    name: str
    content_type: str
    metadata: JsonObject = field(default_factory=dict)


class Registry(FileStore, SecretStore, AccountStore, Protocol):
    """What these use cases need of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How ids and signing keys are made."""

    file_id: Callable[[datetime], FileId]
    key: Callable[[], str]


class Uploads:
    """The uploaded files of every account; each call says who asks."""

    def __init__(
        self, store: Registry, files: Files, clock: Clock, making: Making, limit_bytes: int, ttl: timedelta
    ) -> None:
        self._store = store
        self._files = files
        self._clock = clock
        self._making = making
        self.limit_bytes = limit_bytes
        self._ttl = ttl

    async def create(self, caller: Account, upload: Upload, chunks: AsyncIterator[bytes]) -> File:
        """Store an upload. Raises `TooLarge`, `StorageFull`."""
        now = self._clock.now()
        file_id = self._making.file_id(now)
        content = await self._files.put(file_id, chunks, self.limit_bytes)
        file = File(
            id=file_id,
            account=caller.id,
            kind=FileKind.upload,
            name=upload.name,
            content_type=upload.content_type,
            content=content,
            created_at=now,
            expires_at=now + self._ttl,
            metadata=upload.metadata,
        )
        await self._store.create_file(file)
        return file

    async def get(self, caller: Account, file: FileId) -> File:
        """One of the caller's uploads. Raises `NotFound`."""
        found = await self._store.get_file(file)
        if found is None or found.account != caller.id or found.kind is not FileKind.upload:
            raise NotFound("File not found")
        return found

    async def list(self, caller: Account, page: PageRequest) -> Page[File]:
        """The caller's uploads, newest first."""
        return await self._store.list_files(caller.id, page)

    async def delete(self, caller: Account, file: FileId) -> None:
        """Remove one for good. Raises `NotFound`."""
        await self.get(caller, file)
        await self._store.delete_file(file)
        await self._files.delete(file)

    async def signing_key(self, account: AccountId) -> str:
        """What the account signs its download links with, as text; made the first time."""
        return await self._store.get_secret(f"files {account}", self._making.key)

    async def open_signed(self, file: FileId, owner: str, expiry: int, signature: str) -> tuple[File, Path]:
        """The record and bytes of an upload for who has a valid link to it (§7.3).

        `signature` is the base64 of the HMAC-SHA256 of `owner id expiry` under the owner's key; `expiry` is in Unix
        seconds. Raises `NotFound`, whatever is wrong.
        """
        account = await self._store.get_account(owner)
        if account is None or expiry < self._clock.now().timestamp():
            raise NotFound("File not found")
        expected = sign_download(await self.signing_key(account.id), owner, file, expiry)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise NotFound("File not found")
        await self.get(account, file)
        return await self.open(file)

    async def open(self, file: FileId) -> tuple[File, Path]:
        """The record and bytes of any file, for a caller whose right was checked. Raises `NotFound`."""
        record = await self._store.get_file(file)
        path = await self._files.local_path(file) if record is not None else None
        if record is None or path is None:
            raise NotFound("File not found")
        return record, path
