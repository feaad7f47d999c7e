"""Brings the files that an input names to local paths, before the model sees them."""

import asyncio
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from cogyard.domain.values import AccountId, FileId, Json, JsonObject
from cogyard.ports import Files, FileStore

FETCHES_AT_ONCE = 4
"""Input files of one prediction that are fetched side by side."""

_OWN_UPLOAD = re.compile(r"(?:/v1)*/files/([0-9a-z]{26})(?:/download)?")
_UNSAFE = re.compile(r"[^A-Za-z0-9._ -]")
_OWN_OUTPUT = re.compile(r"/delivery/([0-9a-z]{26})/[^/]*")


class Fetcher(Protocol):
    """Fetches a URL into a folder."""

    async def fetch(self, url: str, folder: Path) -> Path:
        """The local path of what `url` names. Raises a `CogyardError` whose text is for the caller."""
        ...


class InputFiles:
    """Resolves file inputs: our own uploads and outputs from the files store, everything else over the network."""

    def __init__(
        self,
        fetcher: Fetcher,
        files: Files,
        records: FileStore,
        verify_output: Callable[[FileId, str], bool],
    ) -> None:
        self._fetcher = fetcher
        self._files = files
        self._records = records
        self._verify_output = verify_output

    async def fetch(
        self, model_input: JsonObject, pointers: Sequence[str], account: AccountId, folder: Path
    ) -> dict[str, Path]:
        """Local paths for the values at `pointers`, which are URLs; downloads go below `folder`.

        Raises a `CogyardError` that names the input at fault.
        """
        slots = asyncio.Semaphore(FETCHES_AT_ONCE)

        async def one(number: int, pointer: str) -> tuple[str, Path]:
            url = value_at(model_input, pointer)
            if not isinstance(url, str):
                raise TypeError(f"the input at {pointer} is no URL")
            async with slots:
                return pointer, await self._resolve(url, account, folder / str(number))

        tasks: list[asyncio.Task[tuple[str, Path]]] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(number, pointer)) for number, pointer in enumerate(pointers)]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return dict(task.result() for task in tasks)

    async def _resolve(self, url: str, account: AccountId, folder: Path) -> Path:
        own = await self._own_file(url, account)
        await asyncio.to_thread(folder.mkdir, parents=True)
        if own is None:
            return await self._fetcher.fetch(url, folder)
        stored, name = own
        # a copy: models may write to their inputs, and go by their names
        return await asyncio.to_thread(shutil.copyfile, stored, folder / (_UNSAFE.sub("_", name)[-100:] or "file"))

    async def _own_file(self, url: str, account: AccountId) -> tuple[Path, str] | None:
        """The stored bytes behind one of our own URLs, whichever of our addresses it names, and their name."""
        if not url.startswith(("http://", "https://")):
            return None
        parts = urlsplit(url)
        upload = _OWN_UPLOAD.fullmatch(parts.path)
        output = _OWN_OUTPUT.fullmatch(unquote(parts.path))
        match = upload or output
        record = await self._records.get_file(FileId(match[1])) if match else None
        if record is None or (upload and record.account != account):
            return None
        if output and not self._verify_output(record.id, parts.query):
            return None
        path = await self._files.local_path(record.id)
        return None if path is None else (path, record.name)


def value_at(value: Json, pointer: str) -> Json:
    """The value at a JSON Pointer (RFC 6901). Raises `KeyError`, `IndexError` or `TypeError` when there is none."""
    for raw in pointer.split("/")[1:]:
        key = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value[key]
        elif isinstance(value, list):
            value = value[int(key)]
        else:
            raise TypeError(f"{pointer} leads into a {type(value).__name__}")
    return value
