"""Bytes of a request into values: bodies, cursors, times, and the address that the client used."""

import asyncio
import base64
import binascii
import json
import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from urllib.parse import parse_qs, quote, urlencode

import orjson
from starlette.requests import ClientDisconnect, Request

from cogyard.domain.errors import InvalidField, InvalidFields, InvalidRequest, NotFound, TooLarge, UnsupportedMedia
from cogyard.domain.times import parse_utc
from cogyard.domain.values import Json
from cogyard.ports import PageKey, PageRequest

_HOST = re.compile(r"[A-Za-z0-9._-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")
_NUMBER = re.compile(r"[0-9]{1,18}")
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_PLACE = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18}){0,3}")
_JSON_TYPE = re.compile(r"(?:application|text)/(?:[\w.-]+\+)?json")

BODY_SILENCE = 60.0
"""Seconds without a byte after which a body counts as cut off."""

CUT_OFF = "The connection was closed before the whole body had arrived."

_LARGEST = 2**64 - 1
_SMALLEST = -(2**63)


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The whole body. Raises `TooLarge` as soon as it is known to pass the limit."""
    sentence = f"The request body is larger than {limit_bytes} bytes; upload files with POST /v1/files instead."
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise TooLarge(sentence, limit_bytes)
    chunks: list[bytes] = []
    size = 0
    async for chunk in body_chunks(request):
        size += len(chunk)
        if size > limit_bytes:
            raise TooLarge(sentence, limit_bytes)
        chunks.append(chunk)
    return b"".join(chunks)


async def body_chunks(request: Request) -> AsyncIterator[bytes]:
    """The body as it arrives. Raises `InvalidRequest` when the client goes away or silent before its end."""
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(BODY_SILENCE):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise InvalidRequest(f"Nothing more of the body came within {BODY_SILENCE:.0f} seconds.") from None
        except ClientDisconnect:
            raise InvalidRequest(CUT_OFF) from None
        if chunk:
            yield chunk


def parse_json(body: bytes) -> Json:
    """A JSON body. Raises `InvalidRequest` for what is not JSON, `InvalidFields` for integers over 64 bits.

    The quick parser would round such integers, and a changed seed is worse than a refusal.
    """
    try:
        value: Json = orjson.loads(body)
        if _LONG_NUMBER.search(body):
            json.loads(body, parse_int=_bounded_int)
    except OverflowError as error:
        raise InvalidFields(
            [InvalidField("invalid_type", "", f"The number {str(error)[:40]}… does not fit in 64 bits")]
        ) from None
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"The request body is not valid JSON: {error}") from None
    return value


def _bounded_int(digits: str) -> int:
    if len(digits) > 20 or not _SMALLEST <= int(digits) <= _LARGEST:
        raise OverflowError(digits)
    return int(digits)


async def read_json(request: Request, limit_bytes: int) -> Json:
    """The JSON body of a request; an empty one is `{}`. Raises as `read_json_bytes` and `parse_json` do."""
    body = await read_json_bytes(request, limit_bytes)
    return parse_json(body) if body.strip() else {}


async def read_json_bytes(request: Request, limit_bytes: int) -> bytes:
    """A body that says that it is JSON, or says nothing. Raises `UnsupportedMedia`, `TooLarge`, `InvalidRequest`."""
    body = await read_body(request, limit_bytes)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body.strip() and kind and not _JSON_TYPE.fullmatch(kind):
        raise UnsupportedMedia(f"Send the body as application/json; its Content-Type is {kind[:80]!r}.")
    return body


def base_url(request: Request, public_url: str | None) -> str:
    """`scheme://host` of the address that the client used, so that its token goes nowhere else (§1.7)."""
    if public_url:
        return public_url.rstrip("/")
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        server = request.scope.get("server") or ("localhost", None)
        host = f"{server[0]}:{server[1]}" if server[1] else str(server[0])
    return f"{request.url.scheme}://{host}"


def parse_time(request: Request, name: str) -> datetime | None:
    """A query parameter with an ISO 8601 time; a blank stands for a `+` that was not escaped (§5.3).

    Raises `InvalidRequest`.
    """
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return parse_utc(text.strip().replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise InvalidRequest(
            f"{name}: {text[:60]!r} is not a time. Write ISO 8601, for example 2026-01-31T12:00:00Z."
        ) from None


def parse_page(request: Request, limit: int, *, ascending: bool = False) -> PageRequest:
    """The page that a request's `cursor` asks for. Raises `InvalidRequest` for a cursor that we did not make."""
    text = request.query_params.get("cursor")
    if not text:
        return PageRequest(limit=limit, ascending=ascending)
    try:
        fields = parse_qs(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii"))
        place = fields["p"][0]
        if not _PLACE.fullmatch(place):
            raise ValueError(place)
    except (ValueError, KeyError, binascii.Error):
        raise InvalidRequest("cursor: this is not a cursor of this server; start from the first page.") from None
    key = tuple(int(part) for part in place.split("."))
    return PageRequest(limit=limit, cursor=key, reverse=fields.get("r") == ["1"], ascending=ascending)


def page_url(request: Request, base: str, key: PageKey | None, *, reverse: bool) -> str | None:
    """The absolute URL of the neighbouring page: the same query with another cursor."""
    if key is None:
        return None
    place = ".".join(str(part) for part in key)
    fields = {"p": place, "r": "1"} if reverse else {"p": place}
    cursor = base64.urlsafe_b64encode(urlencode(fields).encode()).decode()
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f"{base}/v1{quote(request.scope['path'])}?{urlencode([*kept, ('cursor', cursor)])}"


def parse_choice(request: Request, name: str, choices: Sequence[str], default: str) -> str:
    """A query parameter with one of a few values. Raises `InvalidRequest` that names them."""
    value = request.query_params.get(name, default)
    if value not in choices:
        raise InvalidRequest(f"{name}: {value[:40]!r} is not one of {', '.join(choices)}.")
    return value


def parse_number(request: Request, name: str, least: int, most: int, default: int) -> int:
    """A query parameter with a whole number in a range. Raises `InvalidRequest`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise InvalidRequest(f"{name}: {text[:40]!r} is not a whole number from {least} to {most}.")
    return int(text)


def path_number(request: Request) -> int:
    """The number that stands for `id` in the path. Raises `NotFound` for what is none."""
    text: str = request.path_params["id"]
    if not _NUMBER.fullmatch(text):
        raise NotFound
    return int(text)
