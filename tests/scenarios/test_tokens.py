"""Tokens: what is none, what each allows, and until when."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.scenarios.people import People
from tests.yard import TOKEN, Yard, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def people(yard: Yard) -> People:
    return People(yard)


# --- tokens that are none -------------------------------------------------------------------------------------------
NO_TOKEN = "You did not pass an authentication token"
BAD_TOKEN = "You did not pass a valid authentication token"


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ([], NO_TOKEN),
        ([b""], NO_TOKEN),
        ([b"Bearer"], NO_TOKEN),
        ([b"Bearer "], NO_TOKEN),
        ([b"Basic " + TOKEN.encode()], NO_TOKEN),
        ([TOKEN.encode()], NO_TOKEN),
        ([b"Bearer " + b"x" * 37], BAD_TOKEN),
        ([b"Bearer " + b"x" * 30_000], BAD_TOKEN),
        ([b"Bearer r8_\xff\xfe\xe2\x82\xac"], BAD_TOKEN),
        ([b"Bearer " + TOKEN.encode() + b", Bearer " + TOKEN.encode()], BAD_TOKEN),
        ([b"Bearer " + TOKEN.encode() + b"x"], BAD_TOKEN),
        ([b"Bearer " + TOKEN.upper().encode()], BAD_TOKEN),
        ([b"Bearer " + TOKEN.encode(), b"Bearer other"], BAD_TOKEN),
        ([b"Bearer other", b"Bearer " + TOKEN.encode()], BAD_TOKEN),
    ],
)
def test_what_is_no_valid_token_is_a_401(yard: Yard, headers: list[bytes], says: str) -> None:
    lines = b"".join(b"Authorization: " + header + b"\r\n" for header in headers)

    head, _, body = spoken(yard, b"GET /v1/account HTTP/1.1\r\nHost: x\r\n" + lines + b"Connection: close\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 401 ")
    assert says.encode() in body


def test_a_huge_header_is_refused_and_the_server_lives(yard: Yard, people: People) -> None:
    head, *_ = spoken(
        yard, b"GET /v1/account HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b"x" * 2_000_000 + b"\r\n\r\n"
    )

    assert head == b"" or head.split()[1] in (b"400", b"401", b"431")
    assert people.status(TOKEN) == 200


def spoken(yard: Yard, request: bytes) -> tuple[bytes, bytes, bytes]:
    """Head and body of the answer to bytes that no client would send."""
    with socket.create_connection(("127.0.0.1", yard.port), timeout=10) as connection:
        received = b""
        try:
            connection.sendall(request)
            while piece := connection.recv(65536):
                received += piece
        except (ConnectionError, TimeoutError):
            pass
    return received.partition(b"\r\n\r\n")


# --- tokens and what they allow -------------------------------------------------------------------------------------
def test_a_token_works_until_it_expires_or_is_disabled(people: People) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
    brief, lasting = people.token(TOKEN, expires_at=soon), people.token(TOKEN, name="lasting")

    assert [people.status(one) for one in (brief, lasting)] == [200, 200]
    (token,) = (one for one in people.done(TOKEN, "GET", "/tokens")["results"] if one["name"] == "lasting")
    people.done(TOKEN, "POST", f"/tokens/{token['id']}/disable")
    assert people.status(lasting) == 401
    wait_until(lambda: people.status(brief) == 401, 15, "the end of the token")
    again = people.done(TOKEN, "POST", f"/tokens/{token['id']}/disable")
    assert again["disabled_at"]


def test_nobody_gives_more_than_she_has(people: People) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    full = people.user("greta")
    people.user("hedda")
    people.organization("givers", greta="admin")
    weak = people.token(full, scopes=["read", "admin"], expires_at=end.isoformat())
    later, sooner = ((end + timedelta(minutes=by)).isoformat() for by in (1, -1))

    def tried(by: str, **wanted: Any) -> int:
        return people.ask(by, "POST", "/tokens", {"name": "more", **wanted}).status_code

    assert tried(weak, scopes=["read", "run"]) == 400
    assert tried(weak, scopes=["write"], account="givers") == 400
    assert tried(weak, account="hedda") == 404
    assert tried(weak, expires_at=later) == 400
    assert tried(weak, scopes=["read", "admin"], models=["greta/model"]) == 400
    assert tried(weak, scopes=["read"], expires_at=sooner) == 201
    inherited = people.done(weak, "POST", "/tokens", {"name": "no end", "scopes": ["read"]})
    assert datetime.fromisoformat(inherited["expires_at"]) == end
    assert tried(people.token(full, scopes=["read", "run", "write"]), scopes=["read"]) == 403


def test_a_role_on_the_yard_is_no_limit_for_what_one_does_for_an_organization(people: People) -> None:
    people.user("student", "viewer")
    student = people.token(TOKEN, account="student", scopes=["read", "admin"])
    people.organization("seminar", student="publisher")

    made = people.done(student, "POST", "/tokens", {"name": "work", "account": "seminar"})

    assert made["scopes"] == ["read", "run", "write"]
    assert people.ask(student, "POST", "/tokens", {"name": "more", "scopes": ["run"]}).status_code == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": 7}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["everything"]}, "scopes"),
        ({"name": "x", "scopes": "read"}, "scopes"),
        ({"name": "x", "models": []}, "models"),
        ({"name": "x", "models": ["half"]}, "models"),
        ({"name": "x", "models": ["a/b"] * 101}, "models"),
        ({"name": "x", "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "x", "expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
        ({"name": "x", "expires_at": "2001-01-01"}, "expires_at"),
        ({"name": "x", "scope": ["read"]}, "scope"),
    ],
)
def test_a_token_that_cannot_be_made_names_the_field(people: People, body: dict[str, Any], field: str) -> None:
    refused = people.admin("POST", "/tokens", body)

    assert refused.status_code == 400
    assert field in refused.json()["detail"]


@pytest.mark.parametrize("token", ["0", "-1", "1.5", "x", "9" * 30, "%D9%A1", "1%00"])
def test_a_number_that_is_no_tokens_is_a_404(people: People, token: str) -> None:
    assert people.admin("POST", f"/tokens/{token}/disable").status_code == 404


def test_a_thousand_tokens_are_one_list(people: People, yard: Yard) -> None:
    owner = people.user("many")
    with httpx.Client(
        base_url=f"{yard.url}/v1", headers={"Authorization": f"Bearer {owner}"}, trust_env=False, timeout=60
    ) as http:
        for number in range(1000):
            assert http.post("/tokens", json={"name": f"token {number}"}).status_code == 201
        listed = http.get("/tokens").json()["results"]

    assert [one["name"] for one in listed] == [*(f"token {number}" for number in reversed(range(1000))), "made"]


# --- while the server works, and when it does not -------------------------------------------------------------------
def test_a_token_disabled_under_load_is_refused_within_a_second_on_open_connections(people: People, yard: Yard) -> None:
    secret = people.token(TOKEN, name="busy")
    answers: list[tuple[float, int]] = []
    stop = threading.Event()

    def hammer() -> None:
        headers = {"Authorization": f"Bearer {secret}"}
        with httpx.Client(base_url=f"{yard.url}/v1", headers=headers, trust_env=False, timeout=30) as http:
            while not stop.is_set():
                began = time.monotonic()
                answers.append((began, http.get("/account").status_code))

    threads = [threading.Thread(target=hammer) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answers) > 100, 20, "some load")
    (number,) = (one["id"] for one in people.done(TOKEN, "GET", "/tokens")["results"] if one["name"] == "busy")
    people.done(TOKEN, "POST", f"/tokens/{number}/disable")
    disabled_at = time.monotonic()
    time.sleep(1.5)
    stop.set()
    for thread in threads:
        thread.join()

    assert {status for began, status in answers if began > disabled_at + 1} == {401}
    assert {status for _, status in answers} == {200, 401}


@pytest.mark.parametrize("change", ["disabled", "its account disabled", "its role lowered"])
def test_a_body_that_comes_slowly_outlives_no_right(people: People, yard: Yard, change: str) -> None:
    name = "slow" + change.replace(" ", "")
    secret = people.user(name)
    body = b'{"name": "from before", "scopes": ["read"]}'
    head = f"POST /v1/tokens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {secret}\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", yard.port), timeout=20) as connection:
        connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body[:10])
        time.sleep(0.3)
        if change == "disabled":
            (number,) = (one["id"] for one in people.done(TOKEN, "GET", f"/tokens?account={name}")["results"])
            people.done(TOKEN, "POST", f"/tokens/{number}/disable")
        else:
            wanted = {"is_disabled": True} if "account" in change else {"role": "viewer"}
            people.done(TOKEN, "PATCH", f"/users/{name}", wanted)
        connection.sendall(body[10:])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert int(answer.split()[1]) == (409 if "role" in change else 401)
    assert len(people.done(TOKEN, "GET", f"/tokens?account={name}")["results"]) == 1


def test_a_long_wait_tells_nothing_to_a_token_disabled_meanwhile(people: People, canary: str) -> None:
    secret = people.token(TOKEN, name="waits")
    (number,) = (one["id"] for one in people.done(TOKEN, "GET", "/tokens")["results"] if one["name"] == "waits")
    body = {"version": canary, "input": {"mode": "sleep"}}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(people.ask, secret, "POST", "/predictions", body, prefer="wait=5")
        time.sleep(1)
        people.done(TOKEN, "POST", f"/tokens/{number}/disable")
        answer = waiting.result(20)
    newest = people.done(TOKEN, "GET", "/predictions")["results"][0]["id"]
    people.done(TOKEN, "POST", f"/predictions/{newest}/cancel")

    assert answer.status_code == 401
    assert newest not in answer.text


def test_an_acknowledged_disable_survives_a_kill(own_yard: Yard) -> None:
    people = People(own_yard.start())
    secret = people.token(TOKEN, name="gone")
    assert people.status(secret) == 200
    (number,) = (one["id"] for one in people.done(TOKEN, "GET", "/tokens")["results"] if one["name"] == "gone")

    people.done(TOKEN, "POST", f"/tokens/{number}/disable")
    own_yard.kill()
    own_yard.start()

    assert people.status(secret) == 401
    assert people.status(TOKEN) == 200


def test_a_server_does_not_start_with_another_accounts_token(own_yard: Yard) -> None:
    people = People(own_yard.start())
    secret = people.user("xenia")
    own_yard.stop()
    stranger = Yard(own_yard.data, {"token": secret}, own_yard.port, own_yard.tls_port)

    refused = stranger.cogyard("serve")

    assert refused.returncode == 5
    assert "This secret is a token of another account already" in refused.stderr
    own_yard.start()
    assert people.ask(secret, "GET", "/account").json()["username"] == "xenia"
    assert people.done(TOKEN, "GET", "/users/xenia")["role"] == "publisher"
    assert people.status(secret, "/users") == 403


def test_a_server_that_does_not_start_has_made_nobody_an_admin(own_yard: Yard) -> None:
    people = People(own_yard.start())
    secret = people.user("anton")
    people.user("berta")
    own_yard.stop()

    for owner in ("berta", "clara"):
        settings = {"token": secret, "owner": owner}
        assert Yard(own_yard.data, settings, own_yard.port, own_yard.tls_port).cogyard("serve").returncode == 5

    own_yard.start()
    users = people.done(TOKEN, "GET", "/users")["results"]
    assert [one["username"] for one in users if one["role"] == "admin"] == ["cogyard"]


def test_no_secret_is_kept_anywhere(own_yard: Yard) -> None:
    people = People(own_yard.start())
    secret = people.user("yara")
    people.ask(secret, "POST", "/tokens", {"name": "x", "scopes": ["nothing"]})
    people.ask(secret, "GET", f"/predictions/{secret}x")
    people.done(TOKEN, "GET", "/audit")
    own_yard.stop()

    holders = [path for path in own_yard.data.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]

    assert [path.name for path in holders] == []
