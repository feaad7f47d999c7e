"""`cogyard token`, `user`, `org` and `audit`, as the people of one yard type them."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cogyard.cli.terminal import CliError
from cogyard.cli.tokens import parse_expiry
from tests.yard import Yard

NOW = datetime(2027, 1, 1, tzinfo=UTC)


def ran(yard: Yard, *words: str, token: str | None = None) -> str:
    """What a command that works prints."""
    done = yard.cogyard(*(["--token", token] if token else []), *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def failed(yard: Yard, *words: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
    done = yard.cogyard(*(["--token", token] if token else []), *words)
    assert done.returncode != 0
    return done


def told(yard: Yard, *words: str, token: str | None = None) -> Any:
    return json.loads(ran(yard, "--json", *words, token=token))


def test_a_new_user_works_with_the_token_that_was_shown_once(yard: Yard) -> None:
    made = yard.cogyard("user", "create", "nora", "--name", "Nora N.", "--role", "runner")
    secret = made.stdout.strip()

    assert secret.startswith("r8_")
    assert "first token of nora" in made.stderr
    assert ran(yard, "user", "show", "nora", token=secret) == "nora  Nora N.  runner  active"
    (token,) = told(yard, "token", "list", token=secret)["results"]
    assert (token["name"], token["scopes"]) == ("first", ["read", "run", "admin"])
    assert "nora\tNora N.\trunner\tactive" in ran(yard, "user", "list")


def test_a_user_can_be_made_without_a_token(yard: Yard) -> None:
    assert ran(yard, "user", "create", "otto", "--no-token") == "user otto is made, without a token"
    assert told(yard, "token", "list", "--account", "otto") == {"results": []}


def test_as_json_a_user_and_her_token_are_one_document(yard: Yard) -> None:
    made = told(yard, "user", "create", "petra")

    assert made["user"]["username"] == "petra"
    assert made["token"]["token"].startswith("r8_")
    assert told(yard, "user", "show", "petra")["role"] == "publisher"


def test_a_user_is_changed_disabled_enabled_and_deleted(yard: Yard) -> None:
    secret = ran(yard, "user", "create", "quinn")

    assert ran(yard, "user", "update", "quinn", "--role", "viewer") == "user quinn (quinn) is viewer, active"
    assert ran(yard, "user", "update", "quinn", "--disable") == "user quinn (quinn) is viewer, disabled"
    assert failed(yard, "models", "list", token=secret).returncode == 4
    ran(yard, "user", "update", "quinn", "--enable")
    ran(yard, "models", "list", token=secret)
    assert ran(yard, "user", "delete", "quinn") == "user quinn is deleted; the name stays taken"
    assert failed(yard, "models", "list", token=secret).returncode == 4
    assert "quinn" in failed(yard, "user", "create", "quinn").stderr


def test_who_owns_models_is_not_deleted_and_the_way_out_is_told(yard: Yard) -> None:
    owner = ran(yard, "user", "create", "rita")
    with yard.http as http:
        model = {"owner": "rita", "name": "poems", "visibility": "private", "hardware": "cpu"}
        http.post("/models", json=model, headers={"Authorization": f"Bearer {owner}"}).raise_for_status()

    refused = failed(yard, "user", "delete", "rita")

    assert "rita owns rita/poems" in refused.stderr
    assert "cogyard user update rita --disable" in refused.stderr


def test_an_organization_and_its_members(yard: Yard) -> None:
    sven = ran(yard, "user", "create", "sven")
    made = yard.cogyard("org", "create", "lab-one", "--name", "Lab One")
    assert made.stdout == "org lab-one is made\n"
    assert "cogyard org add lab-one" in made.stderr

    assert ran(yard, "org", "add", "lab-one", "sven", "--role", "runner") == "sven is runner of lab-one"
    assert "sven\trunner\t" in ran(yard, "org", "show", "lab-one", token=sven)
    assert ran(yard, "org", "list", token=sven).startswith("lab-one\tLab One\tpublisher\tactive")
    ran(yard, "org", "update", "lab-one", "--name", "The lab")
    assert told(yard, "org", "show", "lab-one")["name"] == "The lab"
    held = ran(yard, "token", "create", "ci", "--account", "lab-one", token=sven)
    assert "lab-one (sven)\tread run\tany" in ran(yard, "token", "list", "--account", "lab-one")
    assert "sven is out of lab-one" in ran(yard, "org", "remove", "lab-one", "sven")
    assert failed(yard, "models", "list", token=held).returncode == 4
    assert "is deleted" in ran(yard, "org", "delete", "lab-one")


def test_a_token_has_only_what_it_was_made_for(yard: Yard) -> None:
    words = ["--scope", "read", "--scope", "run", "--model", "acme/canary", "--expires", "12h"]
    made = told(yard, "token", "create", "narrow", *words)

    assert (made["scopes"], made["models"]) == (["read", "run"], ["acme/canary"])
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=11, minutes=55) < left <= timedelta(hours=12)
    assert "narrow\tr8_" in ran(yard, "token", "list")
    assert "needs a token with the scope admin" in failed(yard, "token", "list", token=made["token"]).stderr


def test_the_log_says_who_did_what(yard: Yard) -> None:
    secret = ran(yard, "user", "create", "tove")
    ran(yard, "token", "create", "second", token=secret)

    acts = told(yard, "audit", "--account", "tove", "--action", "tokens.create")

    assert [(act["account"], act["token"]["name"], act["status"]) for act in acts] == [("tove", "first", 201)]
    line = ran(yard, "audit", "--account", "tove", "--limit", "1").split("\t")
    assert [line[1], line[2], line[4], line[5], line[6]] == ["tove", "first", "tokens.create", "/tokens", "201"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["user", "show", "nobody"], 3, "There is no user nobody that you can see; `cogyard user list`"),
        (["user", "update", "nobody", "--disable"], 3, "There is no user nobody"),
        (["user", "update", "nobody"], 2, "Nothing to change: give --name, --role, --disable or --enable."),
        (["user", "delete", "no/body"], 3, "There is no user no/body"),
        (["user", "create", "a/b"], 2, "use letters, digits"),
        (["user", "create", "someone", "--role", "king"], 2, "'king' is not one of"),
        (["org", "show", "nowhere"], 3, "There is no org nowhere"),
        (["org", "add", "nowhere", "nobody"], 3, "There is no org nowhere"),
        (["org", "remove", "nowhere", "nobody"], 3, "There is no member nobody of nowhere"),
        (["token", "create", "x", "--account", "nobody"], 3, "There is no account nobody that you act for"),
        (["token", "create", "x", "--expires", "soon"], 2, "write 30d, 12h, or a time like"),
        (["token", "create", "x", "--expires", "2001-01-01"], 2, "must be a time to come"),
        (["token", "create", "x", "--model", "half"], 2, "owner/name"),
        (["token", "disable", "999999"], 3, "There is no token 999999 that you may disable"),
        (["audit", "--account", "nobody"], 3, "There is no user nobody"),
    ],
)
def test_a_refusal_says_what_to_do(yard: Yard, words: list[str], code: int, says: str) -> None:
    ended = yard.cogyard(*words)

    assert ended.returncode == code
    assert says in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("30d", "2027-01-31T00:00:00Z"),
        ("12h", "2027-01-01T12:00:00Z"),
        ("90m", "2027-01-01T01:30:00Z"),
        ("2w", "2027-01-15T00:00:00Z"),
        ("2027-06-01T12:00:00+02:00", "2027-06-01T10:00:00Z"),
        ("2027-06-01", "2027-06-01T00:00:00Z"),
    ],
)
def test_a_lifetime_is_a_span_or_a_time(given: str, meant: str) -> None:
    assert parse_expiry(given, lambda: NOW) == meant


@pytest.mark.parametrize("given", ["", "d", "1.5d", "-1d", "1y", "999999999w", "0001-01-01T00:00:00+14:00", "３d"])
def test_what_is_no_lifetime_is_refused(given: str) -> None:
    with pytest.raises(CliError, match="write 30d, 12h"):
        parse_expiry(given, lambda: NOW)
