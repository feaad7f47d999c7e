"""What may come over a connection: each has the right answer, none of them a 5xx, and nothing is half done."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.yard import TOKEN, Yard

HEAD = f"Host: yard\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n"


def talk(yard: Yard, *pieces: str | bytes, half_close: bool = False) -> list[tuple[int, dict[str, str], bytes]]:
    """Send bytes as they are; the answers."""
    with socket.create_connection(("127.0.0.1", yard.port), timeout=20) as sock:
        for piece in pieces:
            sock.sendall(piece.encode("latin-1") if isinstance(piece, str) else piece)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: sock.recv(65536), b""))
    return list(answers(received))


def answers(received: bytes) -> Iterator[tuple[int, dict[str, str], bytes]]:
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        line, *rows = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (row.partition(": ") for row in rows)}
        size = int(headers.get("content-length", "0"))
        yield int(line.split(" ")[1]), headers, received[:size]
        received = received[size:]


def post(yard: Yard, content: str, *headers: str, path: str = "/v1/predictions") -> tuple[int, Any]:
    lines = "".join(f"{header}\r\n" for header in (*headers, f"Content-Length: {len(content)}"))
    status, _, body = talk(yard, f"POST {path} HTTP/1.1\r\n{HEAD}{lines}\r\n{content}")[-1]
    return status, json.loads(body)


@pytest.fixture
def body(canary: str) -> str:
    return json.dumps({"version": canary, "input": {}})


def count(yard: Yard) -> int:
    """Predictions that there are."""
    with yard.http as http:
        return sum(len(page["results"]) for page in pages(http))


def pages(http: Any) -> Iterator[Any]:
    url = "/predictions"
    while url:
        page = http.get(url).json()
        yield page
        url = page["next"]


def test_requests_that_come_in_one_piece_are_answered_in_their_order(yard: Yard) -> None:
    get = f"GET /v1/%s HTTP/1.1\r\nHost: yard\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    (one, _, account), (other, _, hardware) = talk(yard, get % "account" + f"GET /v1/hardware HTTP/1.1\r\n{HEAD}\r\n")

    assert (one, other) == (200, 200)
    assert json.loads(account)["type"] == "user"
    assert {"sku": "cpu", "name": "CPU"} in json.loads(hardware)


def test_a_client_that_asks_whether_to_go_on_is_told(yard: Yard, body: str) -> None:
    lines = f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    going_on, created = talk(yard, f"POST /v1/predictions HTTP/1.1\r\n{HEAD}{lines}{body}")
    (refused,) = talk(yard, f"POST /v1/predictions HTTP/1.1\r\nHost: yard\r\nConnection: close\r\n{lines}")

    assert (going_on[0], created[0]) == (100, 201)
    assert refused[0] == 401


def test_a_body_comes_in_chunks_of_any_size(yard: Yard, body: str) -> None:
    chunks = "".join(f"1\r\n{one}\r\n" for one in body)
    (created,) = talk(
        yard, f"POST /v1/predictions HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
    )

    assert created[0] == 201


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ("Transfer-Encoding: chunked", "zz\r\nnothing\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", "5\r\nhello\r\n0\r\n\r\n"),
        ("Content-Length: 2\r\nContent-Length: 5", "hello"),
        ("Content-Length: -1", "hello"),
        ("Content-Length: many", "hello"),
    ],
)
def test_a_body_of_unclear_length_is_refused(yard: Yard, headers: str, content: str) -> None:
    ((status, shown, told),) = talk(yard, f"POST /v1/predictions HTTP/1.1\r\n{HEAD}{headers}\r\n\r\n{content}")

    assert (status, shown["content-type"]) == (400, "application/problem+json")
    assert json.loads(told)["status"] == 400


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("/v1/predictions", "Content-Type: application/json"),
        ("/v1/files", "Content-Type: multipart/form-data; boundary=x"),
        ("/v1/models/acme/canary/versions", "Content-Type: application/gzip"),
        ("/v1/collections", "Content-Type: application/json"),
    ],
)
def test_a_body_that_is_cut_off_makes_nothing(yard: Yard, canary: str, body: str, path: str, lines: str) -> None:
    before, faults = count(yard), yard.log().count("request.failed")
    talk(yard, f"POST {path} HTTP/1.1\r\n{HEAD}{lines}\r\nContent-Length: 5000\r\n\r\n{body}", half_close=True)

    assert count(yard) == before
    assert yard.log().count("request.failed") == faults
    assert yard.is_ready()


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
def test_a_body_that_is_too_large_is_refused_before_its_end_and_the_client_learns_it(
    yard: Yard, connection: str
) -> None:
    size = 40 * 2**20
    head = f"POST /v1/predictions HTTP/1.1\r\nHost: yard\r\nAuthorization: Bearer {TOKEN}\r\n"
    with socket.create_connection(("127.0.0.1", yard.port), timeout=20) as sock:
        sock.sendall(f"{head}Connection: {connection}\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(40):
            sock.sendall(b"x" * 2**20)
        got = sock.recv(65536)

    assert got.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "head",
    [
        "".join(f"X-{number}: {'a' * 50}\r\n" for number in range(20_000)) + "\r\n",
        "X: " + "a" * 200_000 + "\r\n\r\n",
        "X: " + "a" * 300_000,
    ],
    ids=["many", "large", "without an end"],
)
def test_a_flood_of_headers_is_refused(yard: Yard, head: str) -> None:
    ((status, _, told),) = talk(yard, f"GET /v1/account HTTP/1.1\r\n{HEAD}", head)

    assert status == 431
    assert "larger than 65536 bytes" in json.loads(told)["detail"]


def test_headers_below_the_limit_are_fine_however_slowly_they_come(yard: Yard) -> None:
    head = f"GET /v1/account HTTP/1.1\r\n{HEAD}" + "".join(f"X-{n}: {'a' * 100}\r\n" for n in range(500)) + "\r\n"
    ((status, _, _),) = talk(yard, *(head[start : start + 997] for start in range(0, len(head), 997)))

    assert status == 200


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        ("GET /v1/account HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        ("GET /v1/account HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET /v1/account HTTP/1.0\r\n\r\n", 401),
        ("FOO /v1/account HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        ("GET /v1/predictions/\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /v1/account HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\x00b\r\n\r\n", 400),
        ("GET /v1/account HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer \xe9\xff\r\n\r\n", 401),
        (f"GET /v1/predictions/{'a' * 100_000} HTTP/1.1\r\n{HEAD}\r\n", 431),
        (f"GET /v1/predictions/a%00b HTTP/1.1\r\n{HEAD}\r\n", 404),
        (f"GET /v1/predictions/a%2Fb HTTP/1.1\r\n{HEAD}\r\n", 404),
        (f"GET /v1/predictions/%ff%fe HTTP/1.1\r\n{HEAD}\r\n", 404),
        (f"GET /v1/models/a%00b/c HTTP/1.1\r\n{HEAD}\r\n", 404),
        (f"GET /v1/files/..%2F..%2Fcogyard.db HTTP/1.1\r\n{HEAD}\r\n", 404),
        (f"GET /delivery/..%2f..%2fetc/passwd HTTP/1.1\r\n{HEAD}\r\n", 404),
        (f"GET /v1/../../etc/passwd HTTP/1.1\r\n{HEAD}\r\n", 404),
        (f"GET //v1//account HTTP/1.1\r\n{HEAD}\r\n", 404),
        (f"PUT /v1/models HTTP/1.1\r\n{HEAD}\r\n", 405),
        (f"HEAD /v1/models HTTP/1.1\r\n{HEAD}\r\n", 200),
    ],
)
def test_a_strange_request_gets_its_answer(yard: Yard, request_head: str, status: int) -> None:
    found = talk(yard, request_head)

    assert [one[0] for one in found] == [status]
    assert yard.is_ready()


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("application/vnd.api+json", 201),
        ("", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("nonsense", 415),
    ],
)
def test_a_body_is_json_or_says_nothing(yard: Yard, body: str, kind: str, status: int) -> None:
    found, told = post(yard, body, f"Content-Type: {kind}")

    assert found == status
    assert status == 201 or "application/json" in told["detail"]


def test_a_body_without_a_content_type_is_json(yard: Yard, body: str) -> None:
    assert post(yard, body)[0] == 201


@pytest.mark.parametrize(
    ("headers", "content", "status", "told"),
    [
        (["Content-Type: application/json"], "{}", 415, "multipart/form-data"),
        (["Content-Type: multipart/form-data"], "--x", 400, "boundary"),
        (["Content-Type: multipart/form-data; boundary=x"], "nothing", 400, "multipart form"),
        (["Content-Type: multipart/form-data; boundary=x"], "--x--\r\n", 422, "content is required"),
    ],
)
def test_an_upload_that_is_no_form_is_refused(
    yard: Yard, headers: list[str], content: str, status: int, told: str
) -> None:
    found, problem = post(yard, content, *headers, path="/v1/files")

    assert (found, told in problem["detail"]) == (status, True)


@pytest.mark.parametrize("levels", [65, 5000, 500_000])
def test_json_that_is_nested_too_deeply_is_refused(yard: Yard, canary: str, levels: int) -> None:
    deep = f'{{"version": "{canary}", "input": {{"text": {"[" * levels}{"]" * levels}}}}}'
    status, told = post(yard, deep)

    assert status in (400, 422)
    assert "nested" in told["detail"] or "depth" in told["detail"]


def test_ten_thousand_unknown_keys_are_no_fault_of_an_input_and_all_told_of_a_body(yard: Yard, canary: str) -> None:
    many = {f"key{number}": number for number in range(10_000)}
    begun = time.monotonic()
    accepted, _ = post(yard, json.dumps({"version": canary, "input": many}))
    refused, told = post(yard, json.dumps({"version": canary, "input": {}, **many}))

    assert (accepted, refused) == (201, 422)
    assert len(told["invalid_fields"]) == 10_000
    assert time.monotonic() - begun < 20


def test_a_request_that_asks_for_another_protocol_is_answered_in_this_one(yard: Yard, body: str) -> None:
    lines = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
    request = f"POST /v1/predictions HTTP/1.1\r\nHost: yard\r\nAuthorization: Bearer {TOKEN}\r\n{lines}"
    with socket.create_connection(("127.0.0.1", yard.port), timeout=10) as sock:
        sock.sendall(f"{request}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        got = sock.recv(65536)

    assert got.startswith(b"HTTP/1.1 201")


@pytest.mark.parametrize("path", ["predictions", "models", "files", "deployments", "trainings", "webhooks/deliveries"])
@pytest.mark.parametrize("cursor", ["abc", "%00", "cD0tMQ==", "cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5OQ==", "a" * 5000])
def test_a_cursor_that_is_none_of_ours_is_400(yard: Yard, path: str, cursor: str) -> None:
    ((status, _, told),) = talk(yard, f"GET /v1/{path}?cursor={cursor} HTTP/1.1\r\n{HEAD}\r\n")

    assert status == 400
    assert json.loads(told)["detail"].startswith("cursor: ")
