"""Uploads in every form that clients send, and links to them that need no token."""

import base64
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.yard import Yard

Parts = list[tuple[str, Any]]


@pytest.fixture(scope="module")
def http(yard: Yard) -> Iterator[httpx.Client]:
    with yard.http as client:
        yield client


@pytest.mark.parametrize(
    ("parts", "name", "kind", "metadata"),
    [
        ([("content", ("a.txt", b"hi", "text/plain"))], "a.txt", "text/plain", {}),
        ([("content", ("a.png", b"hi", "application/octet-stream"))], "a.png", "image/png", {}),
        ([("content", ("upload", b"hi")), ("metadata", (None, '{"a": 1}'))], "upload", None, {"a": 1}),
        (
            [("content", ("b", b"hi")), ("metadata", ("blob", b"{}", "application/json"))],
            "b",
            "application/octet-stream",
            {},
        ),
        (
            [("content", ("c", b"hi")), ("metadata[a]", (None, "1")), ("metadata[b]", (None, "two"))],
            "c",
            "application/octet-stream",
            {"a": "1", "b": "two"},
        ),
        (
            [("content", ("d", b"hi")), ("filename", (None, "photo.jpg")), ("type", (None, "image/jpeg"))],
            "photo.jpg",
            "image/jpeg",
            {},
        ),
        ([("content", ("../../etc/passwd", b"hi"))], "passwd", None, {}),
        ([("content", ("é ü.txt", b"hi", "text/plain; charset=utf-8"))], "é ü.txt", "text/plain; charset=utf-8", {}),
    ],
    ids=["plain", "type by name", "json field", "json part", "bracketed", "named apart", "a path", "other letters"],
)
def test_a_form_is_understood_however_a_client_writes_it(
    http: httpx.Client, parts: Parts, name: str, kind: str | None, metadata: dict[str, Any]
) -> None:
    created = http.post("/files", files=parts)
    file = created.json()

    assert created.status_code == 201, created.text
    assert (file["name"], file["size"], file["metadata"]) == (name, 2, metadata)
    assert kind is None or file["content_type"] == kind
    assert file["checksums"]["sha256"] == "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4"


@pytest.mark.parametrize(
    ("parts", "status", "told"),
    [
        ([("content", ("a", b"hi")), ("metadata", (None, "[1]"))], 422, "metadata"),
        ([("content", ("a", b"hi")), ("metadata", (None, "{nonsense"))], 400, "JSON"),
        ([("content", ("a", b"hi")), ("type", (None, "nonsense"))], 422, "type"),
        ([("content", ("a", b"hi")), ("filename", (None, "x" * 256))], 422, "filename"),
        ([("content", (None, "no file"))], 422, "content"),
        ([(f"part{number}", (f"{number}", b"x")) for number in range(20)], 400, "multipart form"),
    ],
    ids=["metadata is no object", "metadata is no JSON", "no type", "a long name", "content is a field", "many parts"],
)
def test_a_form_that_cannot_be_is_refused_by_name(http: httpx.Client, parts: Parts, status: int, told: str) -> None:
    refused = http.post("/files", files=parts)

    assert refused.status_code == status
    assert told in refused.json()["detail"]


def link(http: httpx.Client, file: str, **changed: str) -> dict[str, str]:
    """The query of a download link, as the contract's documentation signs it."""
    key = http.get("/files/default/secret").json()["key"]
    wanted = {"owner": http.get("/account").json()["username"], "expiry": str(int(time.time()) + 60), **changed}
    text = f"{wanted['owner']} {file} {wanted['expiry']}"
    signature = base64.b64encode(hmac.digest(key.encode(), text.encode(), "sha256")).decode()
    return {**wanted, "signature": changed.get("signature", signature)}


def test_a_signed_link_gives_the_bytes_without_a_token(yard: Yard, http: httpx.Client) -> None:
    file = http.post("/files", files={"content": ("a.txt", b"hello", "text/plain")}).json()["id"]
    url = f"{yard.url}/v1/files/{file}/download"
    got = httpx.get(url, params=link(http, file), trust_env=False)
    part = httpx.get(url, params=link(http, file), headers={"Range": "bytes=1-3"}, trust_env=False)

    assert (got.status_code, got.content, got.headers["content-type"]) == (200, b"hello", "text/plain")
    assert (part.status_code, part.content) == (206, b"ell")


@pytest.mark.parametrize(
    "changed",
    [
        {"expiry": "1"},
        {"expiry": "soon"},
        {"expiry": "9" * 30},
        {"owner": "nobody"},
        {"signature": "bm9uZQ=="},
        {"signature": "é"},
        {"signature": ""},
    ],
)
def test_a_link_that_is_not_valid_gives_nothing(yard: Yard, http: httpx.Client, changed: dict[str, str]) -> None:
    file = http.post("/files", files={"content": ("a.txt", b"hello", "text/plain")}).json()["id"]
    got = httpx.get(f"{yard.url}/v1/files/{file}/download", params=link(http, file, **changed), trust_env=False)

    assert got.status_code == 404
    assert got.json()["detail"] == "File not found"


def test_a_link_opens_uploads_only(yard: Yard, http: httpx.Client, picture_stream: str) -> None:
    done = yard.run(picture_stream, {"count": 1})
    output = httpx.URL(done["output"][0]).path.split("/")[2]
    got = httpx.get(f"{yard.url}/v1/files/{output}/download", params=link(http, output), trust_env=False)

    assert got.status_code == 404


def test_the_command_line_uploads_links_and_deletes(yard: Yard, tmp_path: Any) -> None:
    (tmp_path / "note.txt").write_text("hello")
    url = yard.cogyard("files", "upload", str(tmp_path / "note.txt")).stdout.strip()
    file = url.rsplit("/", 1)[-1]
    listed = json.loads(yard.cogyard("files", "list", "--json").stdout)
    linked = json.loads(yard.cogyard("files", "link", file, "--json").stdout)["url"]
    read = httpx.get(linked, trust_env=False)
    deleted = yard.cogyard("files", "delete", file)
    gone = yard.cogyard("files", "link", file)

    assert file in [row["id"] for row in listed]
    assert read.text == "hello"
    assert deleted.returncode == 0
    assert (gone.returncode, gone.stderr) == (3, "error: File not found\n")
