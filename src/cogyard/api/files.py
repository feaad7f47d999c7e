"""Uploads (`api-contract.md` §7) and the delivery of output files (§9.6)."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import Message

from cogyard.api.request import CUT_OFF, parse_json, parse_page
from cogyard.api.route import resource
from cogyard.api.streams import is_stream_of_files, open_stream
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.domain.account import Caller, Scope
from cogyard.domain.errors import InvalidField, InvalidFields, InvalidRequest, NotFound, TooLarge, UnsupportedMedia
from cogyard.domain.file import File
from cogyard.domain.values import FileId, JsonObject
from cogyard.media import DEFAULT, content_type_by_name
from cogyard.uploads import PAGE_SIZE, Upload

FORM_OVERHEAD_BYTES = 2**20
"""What the parts around the content of an upload may take."""

PIECE_BYTES = 2**18

_BRACKETED = re.compile(r"metadata\[([^\[\]]{1,200})\]")


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Files(yard)
    guarded = yard.authenticated
    get = guarded(handlers.get, Scope.read)

    async def get_or_follow(request: Request) -> Response:
        """Streams of files stand beside the files, since clients go by the path (§10.4)."""
        name = request.path_params["id"]
        return await open_stream(yard, request, name) if is_stream_of_files(name) else await get(request)

    return [
        resource("/files", GET=guarded(handlers.list, Scope.read), POST=guarded(handlers.create, Scope.run)),
        resource("/files/{id}", GET=get_or_follow, DELETE=guarded(handlers.delete, Scope.run)),
        resource("/files/default/secret", GET=guarded(handlers.signing_key, Scope.run)),
        resource("/files/{id}/download", GET=handlers.download),
        resource("/delivery/{id}/{name}", GET=handlers.deliver),
    ]


@dataclass(frozen=True, slots=True)
class _Files:
    yard: Yard

    async def create(self, request: Request, caller: Caller) -> Response:
        async with _form(request, self.yard.uploads.limit_bytes) as form:
            content = form.get("content")
            if not isinstance(content, UploadFile):
                raise InvalidFields([InvalidField("required", "", "content is required")])
            upload = Upload(
                name=_name(form, content), content_type=_type(form, content), metadata=await _metadata(form)
            )
            created = await self.yard.uploads.create(caller, upload, _pieces(content))
        return answer(self.yard.wire(request).file(created), 201)

    async def list(self, request: Request, caller: Caller) -> Response:
        page = await self.yard.uploads.list(caller, parse_page(request, PAGE_SIZE))
        wire = self.yard.wire(request)
        return self.yard.page(request, page, [wire.file(file) for file in page.items])

    async def get(self, request: Request, caller: Caller) -> Response:
        found = await self.yard.uploads.get(caller, FileId(request.path_params["id"]))
        return answer(self.yard.wire(request).file(found))

    async def delete(self, request: Request, caller: Caller) -> Response:
        await self.yard.uploads.delete(caller, FileId(request.path_params["id"]))
        return Response(status_code=204)

    async def download(self, request: Request) -> Response:
        file_id, query = FileId(request.path_params["id"]), request.query_params
        expiry, signature = query.get("expiry", ""), query.get("signature", "").replace(" ", "+")
        if not re.fullmatch(r"[0-9]{1,18}", expiry):
            raise NotFound("File not found")
        found = await self.yard.uploads.open_signed(file_id, query.get("owner", ""), int(expiry), signature)
        return _content(*found)

    async def signing_key(self, _request: Request, caller: Caller) -> Response:
        return answer({"key": await self.yard.uploads.signing_key(caller.id)})

    async def deliver(self, request: Request) -> Response:
        file_id = FileId(request.path_params["id"])
        if not self.yard.links.verify_output(file_id, request.url.query, self.yard.clock.now()):
            raise NotFound("This file URL is not valid, or it has expired; get the prediction again for a new one.")
        return _content(*await self.yard.uploads.open(file_id))


def _content(record: File, path: Path) -> Response:
    return FileResponse(path, media_type=None, headers=_headers(record), filename=None)


def _headers(file: File) -> dict[str, str]:
    """Exact type, caching for an hour, readable from any page, and no script of ours or theirs to run (§9.6)."""
    return {
        "content-type": file.content_type,
        "etag": f'"{file.content.md5}"',
        "cache-control": "public,max-age=3600",
        "access-control-allow-origin": "*",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox",
        "last-modified": file.created_at.astimezone(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
    }


class _form:  # noqa: N801 - reads as a function where it is used
    """A multipart form whose bytes are counted as they come."""

    def __init__(self, request: Request, limit_bytes: int) -> None:
        sentence = f"Files must be less than {limit_bytes // 2**20 or 1}MB in size"
        self._most = limit_bytes + FORM_OVERHEAD_BYTES
        self._too_large = TooLarge(sentence, limit_bytes)
        self._received = 0
        self._receive = request.receive
        self._request = Request(request.scope, self._counted)
        self._form: FormData | None = None

    async def __aenter__(self) -> FormData:
        declared = self._request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._most:
            raise self._too_large
        if not self._request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise UnsupportedMedia("Send the file as multipart/form-data, with its bytes in a part named content.")
        try:
            self._form = await self._request.form(max_files=4, max_fields=1000, max_part_size=FORM_OVERHEAD_BYTES)
        except (MultiPartException, HTTPException) as error:
            told = error.message if isinstance(error, MultiPartException) else error.detail
            raise InvalidRequest(f"The multipart form cannot be read: {told}") from None
        except ClientDisconnect:
            raise InvalidRequest(CUT_OFF) from None
        return self._form

    async def __aexit__(self, *_error: object) -> None:
        if self._form is not None:
            await self._form.close()

    async def _counted(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._most:
            raise self._too_large
        return message


async def _pieces(content: UploadFile) -> AsyncIterator[bytes]:
    while piece := await content.read(PIECE_BYTES):
        yield piece


def _name(form: FormData, content: UploadFile) -> str:
    given = form.get("filename")
    name = given if isinstance(given, str) and given else content.filename or "upload"
    name = name.replace("\\", "/").rsplit("/", 1)[-1] or "upload"
    if len(name.encode()) > 255:
        raise InvalidFields([InvalidField("string_lte", "filename", "String length must be less than or equal to 255")])
    return name


def _type(form: FormData, content: UploadFile) -> str:
    given = form.get("type")
    named = given if isinstance(given, str) and given else content.content_type
    if not named or named == DEFAULT:
        return content_type_by_name(content.filename or "") or DEFAULT
    if not re.fullmatch(r"[\w.+-]{1,100}/[\w.+-]{1,100}(;[ -~]{0,200})?", named):
        raise InvalidFields([InvalidField("format", "type", "Does not match format 'media type'")])
    return named


async def _metadata(form: FormData) -> JsonObject:
    """A JSON object, as a field or as a part of its own, or bracketed fields (§7.1)."""
    given = form.get("metadata")
    text = await given.read() if isinstance(given, UploadFile) else (given or "{}").encode()
    metadata = parse_json(text) if text.strip() else {}
    if not isinstance(metadata, dict):
        raise InvalidFields([InvalidField("invalid_type", "metadata", "Invalid type. Expected: object, given: other")])
    bracketed: JsonObject = {
        match[1]: value
        for name, value in form.multi_items()
        if isinstance(value, str) and (match := _BRACKETED.fullmatch(name))
    }
    return {**metadata, **bracketed}
