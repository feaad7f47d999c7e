"""Small parts, each by itself."""

import re
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cogyard.api.prefer import Wait, parse_prefer
from cogyard.domain.errors import TooLarge
from cogyard.domain.events import Event, Log, Output, Started
from cogyard.domain.prediction import StreamKind
from cogyard.domain.values import FileId
from cogyard.files import FolderFiles
from cogyard.ids import new_prediction_id
from cogyard.instances.recorder import merge
from cogyard.links import LinkSigner
from cogyard.media import content_type_of
from cogyard.tls import ensure_certificates

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("wait", Wait(58.0, "wait")),
        ("wait=1", Wait(1.0, "wait=1")),
        ("wait = 5", Wait(5.0, "wait=5")),
        ("wait=60", Wait(58.0, "wait=60")),
        ("wait=99", Wait(58.0, "wait=60")),
        ("respond-async, wait=7", Wait(7.0, "wait=7")),
        ("wait=0", None),
        ("wait=-1", None),
        ("wait=soon", None),
        ("respond-async", None),
    ],
)
def test_a_preference_to_wait_is_clamped_or_ignored(header: str | None, expected: Wait | None) -> None:
    assert parse_prefer(header) == expected


def test_links_open_what_they_were_made_for_until_they_end() -> None:
    signer, file = LinkSigner("ab" * 32), FileId("f" * 26)
    query = signer.sign_output(file, "x.png", NOW + timedelta(hours=1))

    assert signer.verify_output(file, query, NOW)
    assert not signer.verify_output(file, query, NOW + timedelta(hours=1))
    assert not signer.verify_output(FileId("g" * 26), query, NOW)
    assert not signer.verify_output(file, query.replace("expires=1", "expires=2"), NOW)
    assert not signer.verify_output(file, "", NOW)
    assert not signer.verify_output(file, "expires=x&signature=y", NOW)
    assert not LinkSigner("cd" * 32).verify_output(file, query, NOW)


@pytest.mark.parametrize("kind", StreamKind)
def test_stream_paths_open_their_prediction_only_and_show_what_comes(kind: StreamKind) -> None:
    signer, prediction = LinkSigner("ab" * 32), new_prediction_id(NOW)
    path = signer.stream_path(prediction, kind)
    token = path.rpartition("/")[2]
    changed = token[:-1] + ("a" if token[-1] != "a" else "q")

    assert re.fullmatch(r"/v1/streams/[a-z2-7]{52}|/v1/files/[a-z]{4}-[a-z2-7]{52}", path)
    assert path.startswith("/v1/files/") == (kind is StreamKind.files)
    assert signer.open_stream(token) == prediction
    assert signer.open_stream(changed) is None
    assert signer.open_stream("") is None
    assert LinkSigner("cd" * 32).open_stream(token) is None


def test_neighbouring_outputs_and_logs_are_joined() -> None:
    events: list[Event] = [
        Started(at=NOW),
        Log(text="a"),
        Log(text="b"),
        Output(items=("x",), files={"/0": FileId("1")}),
        Output(items=("y", "z"), files={"/1/k": FileId("2")}),
        Log(text="c"),
    ]

    assert merge(events) == [
        Started(at=NOW),
        Log(text="ab"),
        Output(items=("x", "y", "z"), files={"/0": FileId("1"), "/2/k": FileId("2")}),
        Log(text="c"),
    ]
    assert merge([]) == []


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.anyio
async def test_files_are_stored_whole_or_not_at_all(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path)
    content = await files.put(FileId("abcdef"), pieces(b"hel", b"lo"), 5)

    path = await files.local_path(FileId("abcdef"))
    assert path is not None
    assert path.read_bytes() == b"hello"
    assert (content.size, content.md5) == (5, "5d41402abc4b2a76b9719d911017c592")
    with pytest.raises(TooLarge):
        await files.put(FileId("bcdefg"), pieces(b"hello", b"!"), 5)
    assert await files.local_path(FileId("bcdefg")) is None
    assert not list((tmp_path / "new").iterdir())
    await files.delete(FileId("abcdef"))
    await files.delete(FileId("abcdef"))
    assert await files.local_path(FileId("abcdef")) is None


@pytest.mark.anyio
async def test_a_local_file_is_taken_over(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path / "store")
    (tmp_path / "out.png").write_bytes(b"picture")

    content = await files.adopt(FileId("abcdef"), tmp_path / "out.png")

    assert content.size == 7
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.png", b"", "image/png"),
        ("a.WEBP", b"", "image/webp"),
        ("a.wav", b"", "audio/wav"),
        ("a.json", b"", "application/json"),
        ("a", b"\x89PNG\r\n\x1a\n", "image/png"),
        ("a", b"RIFF\x00\x00\x00\x00WAVE", "audio/wav"),
        ("a", b"anything", "application/octet-stream"),
        ("a.unknown", b"", "application/octet-stream"),
    ],
)
def test_content_types_come_from_the_name_or_the_first_bytes(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)

    assert content_type_of(tmp_path / name) == expected


def test_certificates_are_trusted_by_their_authority_and_stay(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    first = ensure_certificates(tmp_path / "tls", ["yard.example"], now)
    authority, certificate = first.ca_file.read_bytes(), first.certificate_file.read_bytes()
    again = ensure_certificates(tmp_path / "tls", ["yard.example"], now)
    assert again.certificate_file.read_bytes() == certificate
    later = ensure_certificates(tmp_path / "tls", ["yard.example"], now + timedelta(days=380))
    assert later.certificate_file.read_bytes() != certificate
    assert later.ca_file.read_bytes() == authority
    assert authority in later.bundle_file.read_bytes()
    assert later.key_file.stat().st_mode & 0o077 == 0

    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(later.certificate_file, later.key_file)
    client = ssl.create_default_context(cafile=later.ca_file)
    here, there = socket.socketpair()
    with here, there:
        thread = threading.Thread(target=lambda: server.wrap_socket(there, server_side=True).close())
        thread.start()
        with client.wrap_socket(here, server_hostname="yard.example") as wrapped:
            assert wrapped.version() in ("TLSv1.2", "TLSv1.3")
        thread.join()
