"""`cogyard files`: what was uploaded, and links to it."""

import time
from pathlib import Path
from urllib.parse import urlencode

from cogyard.cli.client import Client
from cogyard.cli.terminal import Terminal
from cogyard.domain.file import sign_download
from cogyard.domain.values import FileId

LONGEST_LINK = 24 * 3600
"""Seconds; an upload itself is kept for a day."""


async def list_files(client: Client, terminal: Terminal, limit: int) -> None:
    """Uploads, the newest first."""
    rows = await client.pages("/files", limit)
    if terminal.as_json:
        terminal.document(list(rows))
        return
    columns = ("id", "name", "content_type", "size", "expires_at")
    terminal.table(("file", "name", "type", "bytes", "kept until"), ([row.get(key) for key in columns] for row in rows))


async def upload(client: Client, terminal: Terminal, path: Path) -> None:
    """Upload a file; its URL is what inputs name it by."""
    url = await client.upload(path)
    terminal.document({"url": url}) if terminal.as_json else terminal.result(url)


async def link(client: Client, terminal: Terminal, file: str, seconds: int) -> None:
    """A URL that needs no token, for so many seconds (`api-contract.md` §7.3)."""
    await client.get_object(f"/files/{file}")
    owner = str((await client.get_object("/account")).get("username"))
    key = str((await client.get_object("/files/default/secret")).get("key"))
    expiry = int(time.time()) + seconds  # noqa: TID251 - the caller's own clock is meant
    signature = sign_download(key, owner, FileId(file), expiry)
    query = urlencode({"owner": owner, "expiry": expiry, "signature": signature})
    url = f"{client.url}/v1/files/{file}/download?{query}"
    terminal.document({"url": url, "expiry": expiry}) if terminal.as_json else terminal.result(url)


async def delete(client: Client, terminal: Terminal, file: str) -> None:
    """Delete one for good."""
    await client.send("DELETE", f"/files/{file}")
    terminal.document({"deleted": file}) if terminal.as_json else terminal.result(f"{file} is deleted")
