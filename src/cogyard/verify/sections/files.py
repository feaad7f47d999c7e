"""The Files API (§7)."""

import asyncio
import base64
import hashlib
import re
from urllib.parse import urlsplit

import aiohttp

from cogyard.domain.values import Json
from cogyard.verify.check import Check
from cogyard.verify.expect import TIME, empty, header, holds, like, refused, status, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Evidence, Lab
from cogyard.verify.probe import grammar
from cogyard.verify.running import attempt, end_of
from cogyard.verify.sections.predictions import moment
from cogyard.verify.verdict import Broken, require, show

CONTENT = "a note,\r\nfor the files API \x00 ü\n".encode()
MEGABYTE = 2**20
TOO_LARGE = 101 * MEGABYTE
NOT_FOUND: Json = {"detail": "File not found"}


async def upload(lab: Lab, form: aiohttp.FormData) -> Answer:
    """Whatever the server says; what was uploaded is deleted at the end."""
    answer = await lab.client.send("POST", "/files", form=form)
    if answer.status == 201 and answer.has("id"):
        identifier = answer.string("id")

        async def undo() -> None:
            (await lab.client.send("DELETE", f"/files/{identifier}")).expect(204, 404)

        lab.later(f"file {identifier}", undo)
    return answer


def _content(name: str = "note.txt", kind: str | None = "text/plain", data: bytes = CONTENT) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("content", data, filename=name, content_type=kind)
    return form


async def _uploaded(lab: Lab) -> Answer:
    form = _content()
    form.add_field("metadata", '{"color": "green"}')
    return (await upload(lab, form)).expect(201)


async def _plain(lab: Lab) -> Answer:
    return (await upload(lab, _content())).expect(201)


async def _blob(lab: Lab) -> Answer:
    form = _content()
    form.add_field("metadata", b'{"color": "blue"}', filename="blob", content_type="application/json")
    return (await upload(lab, form)).expect(201)


async def _bracketed(lab: Lab) -> Answer:
    form = _content()
    form.add_field("metadata[color]", "red")
    return (await upload(lab, form)).expect(201)


async def _named(lab: Lab) -> Answer:
    form = _content("other.txt")
    form.add_field("filename", "given.txt")
    form.add_field("type", "text/markdown")
    return (await upload(lab, form)).expect(201)


async def _nameless(lab: Lab) -> Answer:
    return (await upload(lab, _content("upload", "application/octet-stream"))).expect(201)


async def _umlaut(lab: Lab) -> Answer:
    form = _content()
    form.add_field("filename", "grüße ☂.txt")
    return (await upload(lab, form)).expect(201)


async def _empty(lab: Lab) -> Answer:
    return (await upload(lab, _content(data=b""))).expect(201)


async def _without_content(lab: Lab) -> Answer:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("metadata", "{}")
    return await upload(lab, form)


async def _json(lab: Lab) -> Answer:
    return await lab.client.post("/files", {"content": "text"})


async def _long_name(lab: Lab) -> Answer:
    form = _content()
    form.add_field("filename", "n" * 256)
    return await upload(lab, form)


async def _bad_metadata(lab: Lab) -> Answer:
    form = _content()
    form.add_field("metadata", "{no json")
    return await upload(lab, form)


async def _got(lab: Lab) -> Answer:
    return (await lab.client.get(f"/files/{(await lab.once(_uploaded)).string('id')}")).expect(200)


async def _same(lab: Lab) -> None:
    made, found = (await lab.once(_uploaded)).object(), (await lab.once(_got)).object()
    require(made == found, f"expected {show(made)}, got {show(found)}")


async def _unknown(lab: Lab) -> Answer:
    return await lab.client.get("/files/" + "a" * 26)


async def _deleted_unknown(lab: Lab) -> Answer:
    return await lab.client.send("DELETE", "/files/" + "a" * 26)


async def _short_lived(lab: Lab) -> Answer:
    return (await upload(lab, _content())).expect(201)


async def _deleted(lab: Lab) -> Answer:
    identifier = (await lab.once(_short_lived)).string("id")
    return await lab.client.send("DELETE", f"/files/{identifier}", headers={"Accept": "*/*"})


async def _after_delete(lab: Lab) -> Answer:
    await lab.once(_deleted)
    return await lab.client.get(f"/files/{(await lab.once(_short_lived)).string('id')}")


async def _listed(lab: Lab) -> None:
    wanted = (await lab.once(_uploaded)).string("id")
    answer = (await lab.client.get("/files")).expect(200)
    while True:
        if any(isinstance(row, dict) and row.get("id") == wanted for row in answer.array("results")):
            return
        if not isinstance(following := answer.at("next"), str):
            raise Broken("expected the file in the list, got all pages without it")
        answer = (await lab.client.get(following)).expect(200)


def _download(query: str) -> Evidence:
    async def evidence(lab: Lab) -> Answer:
        identifier = (await lab.once(_uploaded)).string("id")
        return await lab.client.get(f"/files/{identifier}/download{query}", token=None)

    return evidence


async def _too_large(lab: Lab) -> Answer:
    """Sent by hand: a server may answer, and close, before it has read it all."""
    address = urlsplit(lab.client.base)
    secured = address.scheme == "https"
    trust = lab.client.trust if secured else None
    port = address.port or (443 if secured else 80)
    reader, writer = await asyncio.open_connection(address.hostname, port, ssl=trust)
    opening = b'--edge\r\nContent-Disposition: form-data; name="content"; filename="large.bin"\r\n\r\n'
    closing = b"\r\n--edge--\r\n"
    size = len(opening) + TOO_LARGE + len(closing)
    head = (
        f"POST {address.path}/v1/files HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {lab.client.token}\r\n"
        f"Content-Type: multipart/form-data; boundary=edge\r\nContent-Length: {size}\r\n\r\n"
    )

    async def send() -> None:
        writer.write(head.encode() + opening)
        for _ in range(TOO_LARGE // MEGABYTE):
            writer.write(b"\0" * MEGABYTE)
            await writer.drain()
        writer.write(closing)
        await writer.drain()

    sending = asyncio.create_task(send())
    try:
        told = await reader.readuntil(b"\r\n\r\n")
        found = re.match(rb"HTTP/1\.[01] (\d{3}) ?([^\r]*)", told)
        length = re.search(rb"(?i)content-length: *(\d+)", told)
        content = await reader.readexactly(int(length[1])) if length else await reader.read(2**16)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
    require(found, f"expected an HTTP answer, got {told[:80]!r}")
    status_code = int(found[1]) if found else 0
    return Answer(request="POST /files", status=status_code, reason="", headers={}, body=content, seconds=0.0)


async def _as_input(lab: Lab) -> Answer:
    address = (await lab.once(_uploaded)).string("urls.get")
    answer = await attempt(lab, await lab.once(grammar), {"word": "hello", "mode": "read", "file": address})
    return await end_of(lab, answer.expect(201))


async def _data_uri(lab: Lab) -> Answer:
    address = "data:text/plain;base64," + base64.b64encode(CONTENT).decode()
    answer = await attempt(lab, await lab.once(grammar), {"word": "hello", "mode": "read", "files": [address, address]})
    return await end_of(lab, answer.expect(201))


async def _large_data_uri(lab: Lab) -> Answer:
    address = "data:application/octet-stream;base64," + base64.b64encode(b"\0" * MEGABYTE).decode()
    return await attempt(lab, await lab.once(grammar), {"word": "hello", "file": address})


async def _deleted_as_input(lab: Lab) -> None:
    """Refused, or failed: that is not documented; it never runs without its file."""
    await lab.once(_deleted)
    address = (await lab.once(_short_lived)).string("urls.get")
    answer = await attempt(lab, await lab.once(grammar), {"word": "hello", "mode": "read", "file": address})
    if answer.status == 201:
        ended = await end_of(lab, answer)
        require(ended.at("status") == "failed", f"expected the prediction to fail, got {ended.text[:300]}")
    else:
        require(400 <= answer.status < 500, f"expected a 4xx, got {answer.status}")


_WHOLE: Json = CONTENT.decode("latin1")

CHECKS: tuple[Check, ...] = (
    Check("files.create.status", "§7.1", "An upload is answered with 201.", status(_uploaded, 201)),
    Check("files.create.id", "§7.2", "A file has an id without a slash.", like(_uploaded, "id", "[^/]+")),
    Check("files.create.name", "§7.2", "A file's name is that of its part.", value(_uploaded, "name", "note.txt")),
    Check(
        "files.create.content-type",
        "§7.2",
        "A file's content type is that of its part.",
        like(_uploaded, "content_type", "text/plain.*"),
    ),
    Check("files.create.size", "§7.2", "A file's size is told in bytes.", value(_uploaded, "size", len(CONTENT))),
    Check(
        "files.create.etag",
        "§7.2",
        "`etag` is the MD5 of the content in hex.",
        value(_uploaded, "etag", hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()),
    ),
    Check(
        "files.create.sha256",
        "§7.2",
        "`checksums.sha256` is the SHA-256 of the content in hex.",
        value(_uploaded, "checksums.sha256", hashlib.sha256(CONTENT).hexdigest()),
    ),
    Check(
        "files.create.checksums",
        "§7.2",
        "All checksums are strings.",
        holds(
            _uploaded,
            lambda answer: all(isinstance(one, str) for one in answer.object("checksums").values()),
            "strings",
        ),
    ),
    Check("files.create.created-at", "§7.2", "A file has a `created_at`.", like(_uploaded, "created_at", TIME)),
    Check(
        "files.create.expires-at",
        "§7.2",
        "A file expires, an hour after its upload or later.",
        holds(
            _uploaded,
            lambda answer: (moment(answer, "expires_at") - moment(answer, "created_at")).total_seconds() >= 3599,
            "an expires_at an hour later or more",
        ),
    ),
    Check(
        "files.create.url",
        "§7.2",
        "`urls.get` is `{base}/files/{id}`.",
        holds(_uploaded, lambda answer: answer.string("urls.get").endswith(f"/v1/files/{answer.at('id')}"), "that URL"),
    ),
    Check("files.metadata.default", "§7.1", "`metadata` is `{}` when it is not given.", value(_plain, "metadata", {})),
    Check(
        "files.metadata.field",
        "§7.1",
        "`metadata` may be a field with JSON.",
        value(_uploaded, "metadata", {"color": "green"}),
    ),
    Check(
        "files.metadata.blob",
        "§7.1",
        "`metadata` may be a part of its own, named `blob`.",
        value(_blob, "metadata", {"color": "blue"}),
    ),
    Check(
        "files.metadata.bracketed",
        "§7.1",
        "`metadata` may be fields such as `metadata[color]`.",
        value(_bracketed, "metadata", {"color": "red"}),
    ),
    Check("files.metadata.no-json", "§7.1", "`metadata` that is no JSON is refused.", refused(_bad_metadata)),
    Check(
        "files.create.given-name", "§7.1", "The field `filename` names the file.", value(_named, "name", "given.txt")
    ),
    Check(
        "files.create.given-type",
        "§7.1",
        "The field `type` is the file's content type.",
        like(_named, "content_type", "text/markdown.*"),
    ),
    Check(
        "files.create.default-type",
        "§7.1",
        "The content type is `application/octet-stream` where nothing is known.",
        value(_nameless, "content_type", "application/octet-stream"),
    ),
    Check("files.create.utf8-name", "§7.1", "A name may hold any characters.", value(_umlaut, "name", "grüße ☂.txt")),
    Check("files.create.empty", "§7.2", "An empty file has the size 0.", value(_empty, "size", 0)),
    Check("files.create.needs-content", "§7.1", "An upload without `content` is refused.", refused(_without_content)),
    Check("files.create.multipart", "§7.1", "An upload that is no multipart form is refused.", refused(_json)),
    Check("files.create.long-name", "§7.1", "A name of more than 255 bytes is refused.", refused(_long_name)),
    Check("files.too-large.status", "§7.1", "More than 100 MB is answered with 413.", status(_too_large, 413)),
    Check(
        "files.too-large.detail",
        "§1.4",
        "The 413 says how much is too much.",
        value(_too_large, "detail", "Files must be less than 100MB in size"),
    ),
    Check("files.get.same", "§7.3", "GET gives the metadata as the upload did, not the bytes.", _same),
    Check("files.get.unknown.status", "§7.3", "An unknown file is answered with 404.", status(_unknown, 404)),
    Check(
        "files.get.unknown.detail",
        "§7.3",
        "The 404 of files says `File not found`.",
        value(_unknown, "detail", "File not found"),
    ),
    Check(
        "files.get.unknown.content-type",
        "§1.1",
        "The 404 of files is a problem document.",
        header(_unknown, "content-type", r"application/problem\+json(;.*)?"),
    ),
    Check("files.list", "§7.3", "A file is in the list.", _listed),
    Check("files.delete.status", "§7.3", "A deleted file is answered with 204 and no body.", empty(_deleted, 204)),
    Check("files.delete.gone", "§7.3", "A deleted file is there no more.", status(_after_delete, 404)),
    Check(
        "files.delete.unknown", "§7.3", "DELETE of an unknown file is answered with 404.", status(_deleted_unknown, 404)
    ),
    Check(
        "files.download.forged",
        "§7.3",
        "A download with a wrong signature is answered with 404.",
        status(_download("?owner=somebody&expiry=4102444800&signature=c2lnbmF0dXJl"), 404),
    ),
    Check(
        "files.download.expired",
        "§7.3",
        "A download that has expired is answered with 404.",
        status(_download("?owner=somebody&expiry=1&signature=c2lnbmF0dXJl"), 404),
    ),
    Check(
        "files.download.problem",
        "§7.3",
        "A refused download is answered with a problem document.",
        header(
            _download("?owner=somebody&expiry=1&signature=c2lnbmF0dXJl"),
            "content-type",
            r"application/problem\+json(;.*)?",
        ),
    ),
    Check("files.download.unsigned", "§7.3", "A download without a signature is refused.", refused(_download(""))),
    Check(
        "files.input.url",
        "§10.3",
        "`urls.get` of a file as an input gives the model its bytes.",
        value(_as_input, "output", [_WHOLE]),
    ),
    Check(
        "files.input.data-uri",
        "§10.3",
        "A data URI as an input gives the model its bytes, in lists too.",
        value(_data_uri, "output", [_WHOLE, _WHOLE]),
    ),
    Check("files.input.large-data-uri", "§10.3", "A data URI of a megabyte is accepted.", status(_large_data_uri, 201)),
    Check("files.input.deleted", "§7.3", "A deleted file cannot be an input.", _deleted_as_input),
)
