"""File contents in a folder: stored under their ids, written whole or not at all."""

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from cogyard.domain.errors import StorageFull, TooLarge
from cogyard.domain.file import Content
from cogyard.domain.values import FileId

PIECE_BYTES = 2**20

_FULL = "There is no space left on the server's disk for this file."


class FolderFiles:
    """Implements `ports.Files` below `root`; `root/new` holds what is being written."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._new = root / "new"
        shutil.rmtree(self._new, ignore_errors=True)  # left by a server that died while writing
        self._new.mkdir(parents=True)

    async def put(self, file: FileId, chunks: AsyncIterator[bytes], limit_bytes: int) -> Content:
        """See `ports.Files`."""
        path = self._new / file
        try:
            writing = await asyncio.to_thread(_Writing, path)
            try:
                async for chunk in chunks:
                    if writing.size + len(chunk) > limit_bytes:
                        raise TooLarge(f"Files must be less than {limit_bytes // 2**20 or 1}MB in size", limit_bytes)
                    await asyncio.to_thread(writing.write, chunk)
                content = await asyncio.to_thread(writing.finish)
            finally:
                writing.close()
            await asyncio.to_thread(self._place, path, file)
        except OSError as error:
            raise _explained(error) from error
        finally:
            path.unlink(missing_ok=True)
        return content

    async def adopt(self, file: FileId, path: Path) -> Content:
        """See `ports.Files`."""
        try:
            return await asyncio.to_thread(self._adopt, file, path)
        except OSError as error:
            raise _explained(error) from error

    async def local_path(self, file: FileId) -> Path | None:
        """See `ports.Files`."""
        path = self._path(file)
        return path if await asyncio.to_thread(path.is_file) else None

    async def delete(self, file: FileId) -> None:
        """See `ports.Files`."""
        await asyncio.to_thread(self._path(file).unlink, missing_ok=True)

    def _path(self, file: FileId) -> Path:
        return self._root / file[:2] / file[2:4] / file

    def _adopt(self, file: FileId, path: Path) -> Content:
        new = self._new / file
        try:
            shutil.move(path, new)
            new.chmod(0o600)
            with new.open("rb+") as moved:
                content = _digest(moved)
                os.fsync(moved.fileno())
            self._place(new, file)
        finally:
            new.unlink(missing_ok=True)
        return content

    def _place(self, new: Path, file: FileId) -> None:
        """Give written bytes their name, and make the name last."""
        path = self._path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class _Writing:
    """A file in the making and the digests of what it holds so far."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._sha256, self._md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self.size = 0

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self._sha256.update(chunk)
        self._md5.update(chunk)
        self.size += len(chunk)

    def finish(self) -> Content:
        self._file.flush()
        os.fsync(self._file.fileno())
        return Content(size=self.size, sha256=self._sha256.hexdigest(), md5=self._md5.hexdigest())

    def close(self) -> None:
        self._file.close()


def _digest(file: BinaryIO) -> Content:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    while piece := file.read(PIECE_BYTES):
        sha256.update(piece)
        md5.update(piece)
        size += len(piece)
    return Content(size=size, sha256=sha256.hexdigest(), md5=md5.hexdigest())


def _explained(error: OSError) -> Exception:
    return StorageFull(_FULL) if error.errno in (errno.ENOSPC, errno.EDQUOT) else error
