"""Downloads http(s) URLs and unpacks data URIs, streaming to disk within limits of size, time and address."""

import asyncio
import base64
import binascii
import errno
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, unquote_to_bytes, urlsplit

import aiohttp
from yarl import URL

from cogyard.domain.errors import CogyardError, StorageFull
from cogyard.fetch.addresses import AddressPolicy
from cogyard.fetch.session import Refused, open_session

MAX_REDIRECTS = 5
CONNECT_TIMEOUT = 10.0
IDLE_TIMEOUT = 30.0
"""Seconds without a byte after which a download is given up."""

PIECE_BYTES = 2**18
MAX_NAME = 100

_DATA_URI = re.compile(r"data:([^,]{0,1000}?)(;base64)?,", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9._ -]")


class FetchFailed(CogyardError):
    """An input file could not be had; `str()` is a sentence for the caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """The largest file in bytes, and the seconds that it may take in all."""

    max_bytes: int
    seconds: float


class Fetcher:
    """Fetches with one session; use as an async context."""

    def __init__(self, policy: AddressPolicy, limits: FetchLimits) -> None:
        self._policy = policy
        self._limits = limits
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._session = open_session(self._policy, connections=32)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        if self._session is not None:
            await self._session.close()

    async def fetch(self, url: str, folder: Path) -> Path:
        """Bring what `url` names into `folder`, under a safe form of its own name.

        Raises `FetchFailed`, `StorageFull`; nothing is left in the folder then.
        """
        try:
            if url[:5].lower() == "data:":
                return await asyncio.to_thread(self._unpack, url, folder)
            return await self._download(url, folder)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull("There is no space left on the server's disk for the input file.") from error
            raise

    # --- data URIs ------------------------------------------------------------------------------------------------

    def _unpack(self, url: str, folder: Path) -> Path:
        match = _DATA_URI.match(url)
        if match is None:
            raise FetchFailed("The data URI has no comma; write data:<type>;base64,<bytes>.")
        if len(url) - match.end() > self._limits.max_bytes * 4 // 3 + 4:
            raise FetchFailed(f"The data URI holds more than {self._limits.max_bytes} bytes.")
        payload = url[match.end() :]
        content = _decode_base64(payload) if match[2] else unquote_to_bytes(payload)
        kind = match[1].split(";")[0].strip().lower()
        path = folder / ("file" + _suffix_of(kind or "text/plain"))
        path.write_bytes(content)
        return path

    # --- downloads ------------------------------------------------------------------------------------------------

    async def _download(self, url: str, folder: Path) -> Path:
        shown = _shown(url)
        parts = urlsplit(url)
        if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
            raise FetchFailed(f"{shown} is not a file that can be fetched; give an http, https or data URL.")
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await self._follow(url, folder, shown)
        except TimeoutError:
            raise FetchFailed(f"{shown} did not arrive within {self._limits.seconds:g} seconds.") from None
        except Refused as error:
            raise FetchFailed(f"{shown} may not be fetched: {error}.") from None
        except aiohttp.ClientConnectorDNSError:
            raise FetchFailed(f"{shown} cannot be fetched: there is no host {parts.hostname!r}.") from None
        except aiohttp.ClientConnectorCertificateError:
            raise FetchFailed(f"{shown} cannot be fetched: its certificate is not trusted.") from None
        except aiohttp.ClientConnectorError as error:
            refused = error.os_error
            if isinstance(refused, Refused):
                raise FetchFailed(f"{shown} may not be fetched: {refused}.") from None
            raise FetchFailed(f"{shown} cannot be fetched: no connection ({refused.strerror or refused}).") from None
        except aiohttp.SocketTimeoutError:
            raise FetchFailed(f"{shown} stopped answering: no byte for {IDLE_TIMEOUT:g} seconds.") from None
        except (aiohttp.ClientError, ValueError) as error:
            raise FetchFailed(f"{shown} cannot be fetched: {type(error).__name__} {error}.") from None

    async def _follow(self, url: str, folder: Path, shown: str) -> Path:
        if self._session is None:
            raise RuntimeError("the fetcher is not open")
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT, sock_read=IDLE_TIMEOUT)
        headers = {"Accept-Encoding": "identity", "User-Agent": "cogyard"}
        for _ in range(MAX_REDIRECTS + 1):
            async with self._session.get(URL(url), timeout=timeout, headers=headers, allow_redirects=False) as response:
                location = response.headers.get("location")
                if response.status in (301, 302, 303, 307, 308) and location:
                    target = response.url.join(URL(location))
                    if target.scheme not in ("http", "https"):
                        raise FetchFailed(f"{shown} redirects to {_shown(str(target))}, which is no web address.")
                    url = str(target)
                    continue
                if response.status != 200:
                    raise FetchFailed(f"{shown} answered {response.status} {response.reason or ''}".rstrip() + ".")
                return await self._save(response, folder, shown)
        raise FetchFailed(f"{shown} redirects more than {MAX_REDIRECTS} times.")

    async def _save(self, response: aiohttp.ClientResponse, folder: Path, shown: str) -> Path:
        limit = self._limits.max_bytes
        too_large = FetchFailed(f"{shown} is larger than {limit} bytes, the most that an input file may have.")
        if (response.content_length or 0) > limit:
            raise too_large
        path = folder / _file_name(response)
        size = 0
        try:
            with path.open("wb") as file:
                async for piece in response.content.iter_chunked(PIECE_BYTES):
                    size += len(piece)
                    if size > limit:
                        raise too_large
                    await asyncio.to_thread(file.write, piece)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path


def _decode_base64(payload: str) -> bytes:
    text = re.sub(r"\s+", "", unquote(payload)).translate({ord("-"): "+", ord("_"): "/"})
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise FetchFailed("The data URI says base64, but what follows is not base64.") from None


def _shown(url: str) -> str:
    """A URL as an error may tell it: without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "The URL"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"[:200] if parts.scheme else repr(url[:80])


def _file_name(response: aiohttp.ClientResponse) -> str:
    """The URL's last part, made safe; a suffix that fits the content type when it has none."""
    last = _UNSAFE.sub("_", response.url.name.strip(" .")) or "file"
    stem, suffix = Path(last).stem, Path(last).suffix
    if not suffix or len(suffix) > 12:
        suffix = _suffix_of(response.content_type)
    return stem[: MAX_NAME - len(suffix)] + suffix


def _suffix_of(content_type: str) -> str:
    known = {
        "image/jpeg": ".jpg",
        "text/plain": ".txt",
        "image/webp": ".webp",
        "audio/wav": ".wav",
        "audio/x-wav": ".wav",
    }
    return known.get(content_type) or mimetypes.guess_extension(content_type) or ""
