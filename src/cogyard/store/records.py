"""Statements of files' records."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from cogyard.domain.file import File, FileKind
from cogyard.domain.values import AccountId, FileId
from cogyard.ports import Page, PageRequest
from cogyard.store.paging import cut
from cogyard.store.rows import from_file, to_file
from cogyard.store.tables import files


def create_file(connection: Connection, file: File) -> None:
    """Record a file."""
    connection.execute(insert(files), from_file(file))


def get_file(connection: Connection, file: FileId) -> File | None:
    """The record."""
    row = connection.execute(select(files).where(files.c.id == file)).mappings().one_or_none()
    return None if row is None else to_file(row)


def list_files(connection: Connection, account: AccountId, page: PageRequest) -> Page[File]:
    """The account's uploads, newest first."""
    wanted = select(files).where(files.c.account == account, files.c.kind == FileKind.upload.value)
    rows, neighbours = cut(connection, wanted, (files.c.number,), page)
    return Page([to_file(row) for row in rows], *neighbours)


def delete_file(connection: Connection, file: FileId) -> bool:
    """Forget the record."""
    return connection.execute(delete(files).where(files.c.id == file)).rowcount == 1


def expired_files(connection: Connection, at: datetime, limit: int) -> Sequence[File]:
    """Files whose time had come, the longest overdue first."""
    wanted = select(files).where(files.c.expires_at < at).order_by(files.c.expires_at).limit(limit)
    return [to_file(row) for row in connection.execute(wanted).mappings()]
