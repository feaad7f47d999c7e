"""Speaks HTTP to a Cogyard server: finds address and token, turns its errors into ends with a reason."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from cogyard.cli.terminal import CliError, Exit
from cogyard.domain.values import Json, JsonObject
from cogyard.settings_paths import default_data_folder

if TYPE_CHECKING:
    import aiohttp

DEFAULT_URL = "http://127.0.0.1:5050"
TRIES = 4

_CODES = {401: Exit.not_allowed, 403: Exit.not_allowed, 404: Exit.not_found, 400: Exit.usage, 422: Exit.usage}
_CODES |= dict.fromkeys((402, 409), Exit.failed)  # in order as a request, only not now


def data_folder() -> Path:
    """The data folder of a server on this machine."""
    return Path(os.environ.get("COGYARD_DATA") or default_data_folder())


def find_url(given: str | None) -> str:
    """The server's address, without `/v1`. Raises `CliError` for what is none."""
    url = given or os.environ.get("COGYARD_URL") or os.environ.get("REPLICATE_BASE_URL") or _local_url()
    if not url.lower().startswith(("http://", "https://")):
        raise CliError(f"{url!r} is no address of a server; write it as {DEFAULT_URL}.", Exit.usage)
    url = url.rstrip("/")
    return url.removesuffix("/v1")


def _local_url() -> str:
    """What a server on this machine says of itself, where it runs with the same environment."""
    port = os.environ.get("COGYARD_PORT")
    return f"http://127.0.0.1:{port}" if port and port != "0" else DEFAULT_URL


def find_token(given: str | None) -> str:
    """The caller's token. Raises `CliError` when there is none to be found, or what is found is none."""
    token = given or os.environ.get("COGYARD_TOKEN") or os.environ.get("REPLICATE_API_TOKEN")
    if token:
        if not token.strip().isprintable():
            raise CliError("The token holds characters that no token has.", Exit.not_allowed, "Unauthenticated")
        return token.strip()
    try:
        return (data_folder() / "admin.token").read_text(encoding="ascii").strip()
    except OSError:
        raise CliError(
            "There is no token. Set COGYARD_TOKEN to one, or run this where the server's data folder is.",
            Exit.not_allowed,
            "Unauthenticated",
        ) from None


@dataclass(frozen=True, slots=True)
class Client:
    """An open connection to a server."""

    url: str
    session: "aiohttp.ClientSession"

    async def get(self, path: str, **query: str) -> Json:
        """GET a path below `/v1` (or a whole URL); tried again when the connection fails or the server is busy."""
        for attempt in range(TRIES):
            try:
                async with self.session.get(self._url(path), params=query or None) as response:
                    if response.status in (429, 503) and attempt < TRIES - 1:
                        await asyncio.sleep(_retry_after(response))
                        continue
                    return await self._answer(response)
            except OSError:
                if attempt == TRIES - 1:
                    raise
                await asyncio.sleep(0.1 * 2**attempt)
        raise CliError("The server is busy; try again.", Exit.server)

    async def get_object(self, path: str) -> JsonObject:
        """GET something that is a JSON object."""
        value = await self.get(path)
        return value if isinstance(value, dict) else {}

    async def get_text(self, path: str) -> str:
        """GET something that is not JSON."""
        async with self.session.get(self._url(path)) as response:
            if response.status >= 400:
                await self._answer(response)
            return await response.text()

    async def post(self, path: str, body: Json) -> JsonObject:
        """POST JSON."""
        return await self.send("POST", path, body)

    async def send(self, method: str, path: str, body: Json = None) -> JsonObject:
        """Another method, with JSON when there is some; `{}` for an answer without any."""
        async with self.session.request(method, self._url(path), json=body) as response:
            value = await self._answer(response)
        return value if isinstance(value, dict) else {}

    async def pages(self, path: str, limit: int) -> list[JsonObject]:
        """Rows of a list, over as many pages as `limit` needs."""
        rows: list[JsonObject] = []
        following: str | None = path
        while following and len(rows) < limit:
            page = await self.get_object(following)
            results, link = page.get("results"), page.get("next")
            rows += [row for row in results if isinstance(row, dict)] if isinstance(results, list) else []
            following = link if isinstance(link, str) else None
        return rows[:limit]

    async def upload(self, path: Path) -> str:
        """Upload a file; the URL that inputs name it by."""
        import aiohttp

        if not path.is_file():
            raise CliError(f"There is no file {path}.", Exit.usage, "Invalid input")
        with path.open("rb") as file:
            form = aiohttp.FormData()
            form.add_field("content", file, filename=path.name)
            async with self.session.post(self._url("/files"), data=form) as response:
                value = await self._answer(response)
        urls = value.get("urls") if isinstance(value, dict) else None
        return str(urls["get"]) if isinstance(urls, dict) else ""

    def _url(self, path: str) -> str:
        return path if path.startswith(("http://", "https://")) else f"{self.url}/v1{quote(path, safe='/?=&%:')}"

    async def _answer(self, response: "aiohttp.ClientResponse") -> Json:
        return await read_answer(response)


async def read_answer(response: "aiohttp.ClientResponse") -> Json:
    """The JSON of an answer. Raises `CliError` for an error, with the server's own words."""
    import orjson

    content = await response.read()
    try:
        value: Json = orjson.loads(content) if content else None
    except ValueError:
        value = None
    if response.status < 400:
        return value
    told = value if isinstance(value, dict) else {}
    detail = str(told.get("detail") or f"The server answered {response.status} {response.reason}.")
    code = _CODES.get(response.status, Exit.server)
    raise CliError(detail, code, str(told.get("title") or response.reason), {**told, "status": response.status})


def _retry_after(response: "aiohttp.ClientResponse") -> float:
    told = response.headers.get("retry-after", "")
    return min(float(told), 30.0) if told.isdigit() else 0.5


@asynccontextmanager
async def connect(url: str | None, token: str | None) -> AsyncIterator[Client]:
    """A client for the server. Raises `CliError` when it cannot be reached while the context is open."""
    import aiohttp

    base = find_url(url)
    headers = {"Authorization": f"Bearer {find_token(token)}"}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    connector = aiohttp.TCPConnector(ssl=trust())
    try:
        async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
            yield Client(base, session)
    except aiohttp.ClientConnectorCertificateError:
        raise CliError(
            f"The certificate of {base} is not trusted. Set SSL_CERT_FILE to the ca-bundle.pem of its data folder.",
            Exit.server,
        ) from None
    except aiohttp.ClientConnectorError:
        raise CliError(f"No server answers at {base}. Is it running? Start one with: make serve", Exit.server) from None
    except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
        raise CliError(f"The connection to {base} broke: {error or type(error).__name__}.", Exit.server) from None
    except OSError as error:  # of a file here
        raise CliError(f"{error.filename}: {error.strerror}." if error.filename else f"{error}.") from None


def trust() -> ssl.SSLContext:
    """The system's authorities, and that of a server on this machine."""
    context = ssl.create_default_context()
    own = data_folder() / "tls" / "ca.pem"
    if own.is_file():
        context.load_verify_locations(own)
    return context
