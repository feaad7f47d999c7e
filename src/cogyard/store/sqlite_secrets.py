"""Secrets of models and deployments on SQLite."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from cogyard.domain.secret import Holder, Secret
from cogyard.domain.values import AccountId, QueueId
from cogyard.store import secrets
from cogyard.store.sqlite_core import SqliteCore


class SqliteSecrets(SqliteCore):
    """Implements `ports.SealedStore`."""

    async def list_secrets(self, holder: Holder) -> Sequence[Secret]:
        """See `ports.SealedStore`."""
        return await self._read(secrets.page, holder)

    async def put_secret(self, holder: Holder, name: str, sealed: bytes, by: AccountId, at: datetime) -> Secret:
        """See `ports.SealedStore`."""
        return await self._write(secrets.put, holder, name, sealed, by, at)

    async def remove_secret(self, holder: Holder, name: str) -> bool:
        """See `ports.SealedStore`."""
        return await self._write(secrets.remove, holder, name)

    async def secrets_of_queue(self, queue: QueueId) -> Mapping[str, tuple[Holder, bytes]]:
        """See `ports.SealedStore`."""
        return await self._read(secrets.of_queue, queue)
