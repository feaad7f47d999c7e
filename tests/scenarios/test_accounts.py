"""Users and organizations: who may do what, from when on, and what wrong input is answered with."""

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.scenarios.people import People
from tests.yard import FOLDERS, TOKEN, Yard, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def people(yard: Yard) -> People:
    return People(yard)


# --- users ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "username",
    ["", " ", "a b", "a/b", "../a", ".", "-a", "a-", "a" * 65, "ünser", "a\u0000b", "v1", "API", "predictions", "%2e"],
)
def test_a_name_that_is_a_path_or_nonsense_is_refused(people: People, username: str) -> None:
    refused = people.admin("POST", "/users", {"username": username})

    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"] == "/username"


@pytest.mark.parametrize(
    "body", [[], {}, {"username": 7}, {"username": "x", "is_admin": True}, {"username": "x", "role": "king"}]
)
def test_a_body_that_says_something_else_is_refused(people: People, body: Any) -> None:
    assert people.admin("POST", "/users", body).status_code == 400


def test_of_many_who_create_one_name_at_once_exactly_one_does(people: People) -> None:
    names = ["crowded", "Crowded", "CROWDED"] * 7
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda one: people.admin("POST", "/users", {"username": one}).status_code, names))

    assert sorted(statuses) == [201] + [409] * 20


def test_a_disabled_user_is_out_within_a_second_and_what_she_runs_ends(people: People, yard: Yard, canary: str) -> None:
    ida = people.user("ida")
    people.organization("idas", ida="publisher")
    held = people.token(ida, account="idas", scopes=["read"])
    model = {"owner": "ida", "name": "kept", "visibility": "private", "hardware": "cpu"}
    people.done(ida, "POST", "/models", model)
    running = people.done(ida, "POST", "/predictions", {"version": canary, "input": {"mode": "loop"}})
    wait_until(
        lambda: people.done(ida, "GET", f"/predictions/{running['id']}")["status"] == "processing", 60, "the run"
    )

    refused = people.admin("DELETE", "/users/ida")
    people.done(TOKEN, "PATCH", "/users/ida", {"is_disabled": True})
    ended_at = time.monotonic()

    assert refused.status_code == 409
    assert "ida/kept" in refused.json()["detail"]
    assert [people.status(one) for one in (ida, held)] == [401, 401]
    assert time.monotonic() - ended_at < 1
    people.done(TOKEN, "PATCH", "/users/ida", {"is_disabled": False})
    assert [people.status(one) for one in (ida, held)] == [200, 200]
    wait_until(lambda: people.done(ida, "GET", f"/predictions/{running['id']}")["status"] == "canceled", 20, "the end")
    assert people.status(ida, "/models/ida/kept") == 200


def test_what_a_disabled_user_runs_ends_also_when_the_server_died_meanwhile(own_yard: Yard) -> None:
    people = People(own_yard.start())
    canary = own_yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")
    ida = people.user("ida")
    queued = [
        people.done(ida, "POST", "/predictions", {"version": canary, "input": {"mode": "loop"}})["id"] for _ in range(5)
    ]
    own_yard.kill()
    with sqlite3.connect(own_yard.data / "cogyard.db") as database:  # as a kill right after the first step leaves it
        database.execute("UPDATE accounts SET disabled_at = 1 WHERE username = 'ida'")
    own_yard.start()

    people.done(TOKEN, "PATCH", "/users/ida", {"name": "Ida"})
    with sqlite3.connect(own_yard.data / "cogyard.db") as database:
        ended = "SELECT count(*) FROM predictions WHERE status = 'canceled'"
        wait_until(lambda: database.execute(ended).fetchone()[0] == len(queued), 20, "the end of all")


def test_a_deleted_user_is_gone_and_her_name_stays_taken(people: People, canary: str) -> None:
    jana = people.user("jana")
    people.organization("janas", jana="admin")
    held = people.token(jana, account="janas", scopes=["read"])
    people.done(jana, "POST", "/predictions", {"version": canary, "input": {"mode": "loop"}})

    assert people.admin("DELETE", "/users/jana").status_code == 204
    assert [people.status(one) for one in (jana, held)] == [401, 401]
    assert people.admin("GET", "/users/jana").status_code == 404
    assert people.admin("POST", "/users", {"username": "Jana"}).status_code == 409
    assert people.done(TOKEN, "GET", "/organizations/janas")["members"] == []


def test_a_lower_role_takes_effect_on_tokens_that_are_there(people: People) -> None:
    kim = people.user("kim")
    model = {"owner": "kim", "name": "one", "visibility": "private", "hardware": "cpu"}
    people.done(kim, "POST", "/models", model)

    people.done(TOKEN, "PATCH", "/users/kim", {"role": "viewer"})

    refused = people.ask(kim, "POST", "/models", {**model, "name": "two"})
    assert refused.status_code == 403
    assert "the scope write; yours has read, admin" in refused.json()["detail"]
    assert people.status(kim, "/models/kim/one") == 200
    people.done(TOKEN, "PATCH", "/users/kim", {"role": "publisher"})
    people.done(kim, "POST", "/models", {**model, "name": "two"})


def test_the_last_admin_of_the_yard_stays(people: People) -> None:
    refused = [
        people.admin("PATCH", "/users/cogyard", {"role": "publisher"}),
        people.admin("PATCH", "/users/cogyard", {"is_disabled": True}),
    ]

    assert [one.status_code for one in refused] == [409, 409]
    assert "left without an admin" in refused[0].json()["detail"]
    assert people.status(TOKEN, "/users") == 200


def test_an_ordinary_user_administers_herself_alone(people: People) -> None:
    lea = people.user("lea")
    people.user("mia")

    assert people.ask(lea, "PATCH", "/users/lea", {"name": "Lea L."}).json()["name"] == "Lea L."
    assert people.ask(lea, "PATCH", "/users/lea", {"role": "admin"}).status_code == 403
    assert people.ask(lea, "PATCH", "/users/lea", {"is_disabled": True}).status_code == 403
    assert people.ask(lea, "PATCH", "/users/mia", {"name": "x"}).status_code == 404
    assert people.ask(lea, "POST", "/users", {"username": "nina"}).status_code == 403
    assert people.ask(lea, "GET", "/users").status_code == 403


# --- organizations --------------------------------------------------------------------------------------------------
def test_an_organization_without_members_works_through_its_own_tokens(people: People) -> None:
    people.organization("hermit")
    own = people.token(TOKEN, account="hermit", scopes=["read", "write"])
    model = {"owner": "hermit", "name": "shell", "visibility": "private", "hardware": "cpu"}

    people.done(own, "POST", "/models", model)

    assert people.status(people.user("oona"), "/organizations/hermit") == 404
    assert people.ask(people.user("pia"), "POST", "/tokens", {"name": "x", "account": "hermit"}).status_code == 404


def test_the_last_admin_of_an_organization_stays(people: People) -> None:
    rosa = people.user("rosa")
    people.user("sara")
    people.organization("roses", rosa="admin", sara="publisher")
    member = "/organizations/roses/members"

    assert people.ask(rosa, "DELETE", f"{member}/rosa").status_code == 409
    assert people.ask(rosa, "PUT", f"{member}/rosa", {"role": "runner"}).status_code == 409
    people.done(rosa, "PUT", f"{member}/sara", {"role": "admin"})
    assert people.ask(rosa, "DELETE", f"{member}/rosa").status_code == 204


def test_who_leaves_takes_no_token_along(people: People) -> None:
    tina, uta = people.user("tina"), people.user("uta")
    people.organization("leavers", tina="publisher", uta="admin")
    held, kept = (people.token(one, account="leavers", scopes=["read"]) for one in (tina, uta))

    assert people.ask(tina, "DELETE", "/organizations/leavers/members/tina").status_code == 204
    assert [people.status(one) for one in (held, kept, tina)] == [401, 200, 200]
    people.done(uta, "PUT", "/organizations/leavers/members/tina", {"role": "publisher"})
    assert people.status(held) == 401  # what was taken away does not come back


def test_a_members_lower_role_takes_effect_on_tokens_that_are_there(people: People) -> None:
    vera, wilma = people.user("vera"), people.user("wilma")
    people.organization("lowering", vera="publisher", wilma="admin")
    held = people.token(vera, account="lowering", scopes=["read", "write"])
    model = {"owner": "lowering", "name": "one", "visibility": "private", "hardware": "cpu"}
    people.done(held, "POST", "/models", model)

    people.done(wilma, "PUT", "/organizations/lowering/members/vera", {"role": "viewer"})

    assert people.ask(held, "POST", "/models", {**model, "name": "two"}).status_code == 403
    assert people.status(held, "/models/lowering/one") == 200
