"""The checks as documentation, and a whole run against the real server."""

import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from typing import Any

import pytest

from cogyard.verify.receiver import sign
from cogyard.verify.reference import SECTIONS
from cogyard.verify.runner import select
from cogyard.verify.sse import parse
from cogyard.verify.suite import CHECKS
from tests.yard import ROOT, TOKEN, Yard, heed_interrupts, wait_until


def test_names_are_unique_and_dotted() -> None:
    assert [name for name, count in Counter(check.name for check in CHECKS).items() if count > 1] == []
    assert [check.name for check in CHECKS if not re.fullmatch(r"[a-z]+(\.[a-z0-9-]+)+", check.name)] == []


def test_facts_are_sentences() -> None:
    for check in CHECKS:
        assert re.fullmatch(r"[A-Z0-9`].*[.:]?.*\.", check.fact), check.name
        assert 15 < len(check.fact) < 160, check.name
        assert "  " not in check.fact, check.name


def test_every_check_belongs_to_a_section() -> None:
    assert {check.section for check in CHECKS} == set(SECTIONS)


def test_there_are_enough_of_them_and_none_twice() -> None:
    facts = Counter((check.section, check.name.rpartition(".")[0], check.fact) for check in CHECKS)

    assert len(CHECKS) >= 300
    assert [fact for fact, count in facts.items() if count > 1] == []


def test_checks_are_selected_by_name_group_and_pattern() -> None:
    groups = {check.name.partition(".")[0] for check in select(CHECKS, ["prefer", "cancel.*"])}

    assert groups == {"prefer", "cancel"}
    assert [check.name for check in select(CHECKS, ["auth.bearer"])] == ["auth.bearer"]
    assert select(CHECKS, ["nonsense"]) == []
    assert len(select(CHECKS, [])) == len(CHECKS)


def test_signatures_are_those_of_the_reference() -> None:
    """The vector of §10.2."""
    key, identifier = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"

    signed = sign(key, identifier, "1614265330", b'{"test": 2432232314}')

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_events_are_read_as_browsers_read_them() -> None:
    event = parse(["event: output", "id: 1:2", "data: one", "data:two", "data:  three"])

    assert (event.name, event.id, event.data, event.is_comment) == ("output", "1:2", "one\ntwo\n three", False)
    assert parse([": hi"]).is_comment
    assert parse(["data: x"]).id is None


def test_the_probes_are_packed_with_the_program() -> None:
    """The wheel holds whatever stands in the package."""
    folders = {path.parent.name for path in (ROOT / "src/cogyard/verify/probes").glob("*/cog.yaml")}

    assert folders == {"canary", "grammar", "files", "student", "broken", "shape"}


@pytest.mark.slow
def test_our_server_keeps_the_contract(yard: Yard, canary: str, canary_stream: str) -> None:
    ended = yard.cogyard("verify", "contract", yard.url, "--token", TOKEN, "--json")
    told = json.loads(ended.stdout)

    assert [check for check in told["checks"] if check["result"] == "failed"] == []
    assert ended.returncode == 0
    assert told["failed"] == 0
    assert told["passed"] >= 300
    assert told["passed"] + told["skipped"] == len(told["checks"]) == len(CHECKS)
    assert {check["detail"] for check in told["checks"] if check["result"] == "skipped"} <= {
        "there are no more than 25 public models",
        "the server does not limit how many predictions are created",
    }
    assert told["seconds"] < 120
    assert TOKEN not in ended.stdout + ended.stderr
    assert set(told["checks"][0]) == {"name", "section", "fact", "result", "detail"}


@pytest.mark.slow
def test_what_a_run_made_is_gone_afterwards(own_yard: Yard) -> None:
    own_yard.start()
    first = own_yard.cogyard("verify", "contract", "--only", "models", "--only", "files", "--only", "versions")

    with own_yard.http as http:
        assert http.get("/files").json()["results"] == []
        assert http.get("/deployments").json()["results"] == []
        assert http.get("/models/cogyard/verify-canary").status_code == 404
    assert first.returncode == 0
    left = [line for line in first.stderr.splitlines() if line.startswith("left behind")]
    assert left == ["left behind: model cogyard/verify-student: the base of a training cannot be deleted"]


@pytest.mark.slow
def test_what_only_curators_may_make_is_skipped_for_others(own_yard: Yard) -> None:
    own_yard.start()
    with own_yard.http as http:
        http.post("/users", json={"username": "ada"})
        token = http.post("/tokens", json={"name": "hers", "account": "ada"}).json()["token"]
    ended = own_yard.cogyard("verify", "contract", own_yard.url, "--token", token, "--only", "official", "--json")
    told = json.loads(ended.stdout)

    assert ended.returncode == 0
    assert [check["name"].rpartition(".")[2] for check in told["checks"] if check["result"] == "passed"] == [
        "by-path",
        "by-name",
        "unknown",
    ]
    assert {check["detail"] for check in told["checks"] if check["result"] == "skipped"} == {
        "this token may not make models official; pass --official owner/name"
    }


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_clears_away_too(own_yard: Yard, end: signal.Signals) -> None:
    own_yard.start()
    command = [sys.executable, "-m", "cogyard", "verify", "contract", "--only", "cancel", "--only", "files.create"]

    options: dict[str, Any] = {"env": own_yard.environment, "stdout": subprocess.PIPE, "preexec_fn": heed_interrupts}
    with own_yard.http as http, subprocess.Popen(command, **options) as child:
        running = wait_until(lambda: http.get("/predictions").json()["results"], what="a prediction")
        child.send_signal(end)
        assert child.wait(60) == 130
        states = {row["status"] for row in http.get("/predictions").json()["results"]}
        files = http.get("/files").json()["results"]
    with closing(sqlite3.connect(own_yard.data / "cogyard.db")) as database:
        models = database.execute("select name from models").fetchall()  # private ones are in no list

    assert running
    assert models == []
    assert states <= {"canceled", "succeeded", "failed"}
    assert files == []


@pytest.mark.slow
def test_a_failed_check_is_told_with_what_was_expected(own_yard: Yard) -> None:
    """The server says that its address is another one than was asked: a token would go elsewhere."""
    own_yard.settings["public_url"] = "http://example.com"
    own_yard.start()
    ended = own_yard.cogyard("verify", "contract", own_yard.url, "--only", "predictions.object.own-host")

    assert ended.returncode == 1
    assert "FAILED predictions.object.own-host (§1.7)" in ended.stdout
    assert 'got "http://example.com/v1/predictions/' in ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("0 passed, 1 failed, 0 skipped in ")


def test_a_server_that_is_not_there_has_its_code() -> None:
    ended = _verify("http://127.0.0.1:9", "--token", "x")

    assert ended.returncode == 5
    assert "No server answers at http://127.0.0.1:9" in ended.stderr
    assert ended.stdout == ""


def test_a_server_that_is_not_there_is_one_document_too() -> None:
    ended = _verify("http://127.0.0.1:9", "--token", "x", "--json")

    assert ended.returncode == 5
    assert json.loads(ended.stdout)["title"] == "Failed"


def test_a_wrong_token_has_its_code(yard: Yard) -> None:
    ended = yard.cogyard("verify", "contract", yard.url, "--token", "wrong-token")

    assert ended.returncode == 4
    assert "does not take this token" in ended.stderr
    assert "wrong-token" not in ended.stderr


def test_this_machines_token_goes_to_no_other_machine(yard: Yard) -> None:
    environment = {name: value for name, value in yard.environment.items() if name != "COGYARD_TOKEN"}
    ended = _verify("http://example.invalid", environment=environment)

    assert ended.returncode == 4
    assert "There is no token" in ended.stderr


def test_an_unknown_check_is_a_mistake_of_usage() -> None:
    ended = _verify("--only", "nonsense", "--token", "x")

    assert ended.returncode == 2
    assert "No check is called nonsense" in ended.stderr


def test_checks_are_listed_without_a_server() -> None:
    lines = _verify("--list").stdout.splitlines()
    documents = json.loads(_verify("--list", "--only", "cancel", "--json").stdout)

    assert len(lines) == len(CHECKS)
    assert lines[0].split("\t") == ["auth.bearer", "§1.1", "`Authorization: Bearer <token>` is accepted."]
    assert {document["name"].partition(".")[0] for document in documents} == {"cancel"}


def _verify(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cogyard", "verify", "contract", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
