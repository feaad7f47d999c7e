"""Secrets reach the model that they are for, and nobody else by any way."""

import stat
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.receiver import receiver
from tests.yard import FOLDERS, Yard, wait_until

pytestmark = pytest.mark.slow

KEY = "sk-5ecret-0123456789"
PEM = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n-----END KEY-----"
PASSWORD = "pa55word-of-a-caller"
FOLDER = FOLDERS / "secretive"
LENGTHS = {"FLAVOUR": 5}


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A server whose one model with a secret is `acme/secretive`."""
    made = Yard(tmp_path_factory.mktemp("secrets") / "yard", {"cancel_grace": "1", "max_instances": "8"}).start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def reference(keeper: Yard) -> str:
    pushed = keeper.push(FOLDER, "acme/secretive")
    put(keeper, "models/acme/secretive", API_KEY=KEY)
    return pushed


def put(yard: Yard, holder: str, **values: str) -> None:
    with yard.http as http:
        for name, value in values.items():
            assert http.put(f"/{holder}/secrets/{name}", json={"value": value}).status_code == 200


def create(yard: Yard, path: str, **body: Any) -> dict[str, Any]:
    with yard.http as http:
        response = http.post(path, json=body, headers={"Prefer": "wait"})
    assert response.status_code in (201, 202), response.text
    return yard.end_of(response.json()["id"])


def as_user(yard: Yard, username: str) -> httpx.Client:
    """A client with a token of another account."""
    with yard.http as http:
        assert http.post("/users", json={"username": username}).status_code == 201
        scopes = ["read", "run", "write"]
        token = http.post("/tokens", json={"name": "hers", "account": username, "scopes": scopes}).json()["token"]
    return httpx.Client(
        base_url=f"{yard.url}/v1", headers={"Authorization": f"Bearer {token}"}, timeout=90, trust_env=False
    )


def kept(yard: Yard) -> dict[str, bytes]:
    """All that the server has written: its database, its log, its other files."""
    folders = [yard.data / "cogyard.db", yard.data / "cogyard.db-wal", yard.data / "server.log"]
    return {path.name: path.read_bytes() for path in folders if path.exists()}


def deploy(yard: Yard, reference: str, name: str, **more: Any) -> str:
    model, _, version = reference.partition(":")
    limits = {"min_instances": 0, "max_instances": 1}
    with yard.http as http:
        body = {"name": name, "model": model, "version": version, "hardware": "cpu", **limits, **more}
        assert http.post("/deployments", json=body).status_code == 200
    return f"deployments/cogyard/{name}"


# --- whom they reach ------------------------------------------------------------------------------------------------
def test_a_secret_is_in_the_models_environment_and_is_listed_without_its_value(keeper: Yard, reference: str) -> None:
    told = keeper.run(reference, {"mode": "names"})
    with keeper.http as http:
        response = http.get("/models/acme/secretive/secrets")

    assert told["output"] == {**LENGTHS, "API_KEY": len(KEY)}
    (only,) = response.json()["results"]
    assert (only["name"], only["updated_by"], sorted(only)) == (
        "API_KEY",
        "cogyard",
        ["created_at", "name", "updated_at", "updated_by"],
    )


def test_another_model_with_the_same_version_does_not_run_with_it(keeper: Yard, reference: str) -> None:
    same = keeper.push(FOLDER, "other/secretive")

    assert same.partition(":")[2] == reference.partition(":")[2]
    assert keeper.run(same, {"mode": "names"})["output"] == LENGTHS
    assert keeper.run(reference, {"mode": "names"})["output"] == {**LENGTHS, "API_KEY": len(KEY)}
    assert keeper.run(same, {"mode": "names"})["output"] == LENGTHS


def test_a_change_reaches_what_is_created_after_it(keeper: Yard) -> None:
    reference = keeper.push(FOLDER, "acme/changing")
    model = "models/acme/changing"
    found = []
    for length in (10, 20):
        put(keeper, model, API_KEY="x" * length)
        found.append(keeper.run(reference, {"mode": "names"})["output"]["API_KEY"])
    put(keeper, model, OTHER="y" * 5)
    both = keeper.run(reference, {"mode": "names"})["output"]
    with keeper.http as http:
        gone = [http.delete(f"/{model}/secrets/{name}").status_code for name in ("API_KEY", "OTHER", "OTHER")]

    assert found == [10, 20]
    assert both == {**LENGTHS, "API_KEY": 20, "OTHER": 5}
    assert gone == [204, 204, 404]
    assert keeper.run(reference, {"mode": "names"})["output"] == LENGTHS


def test_a_secret_goes_before_what_cog_yaml_sets(keeper: Yard) -> None:
    reference = keeper.push(FOLDER, "acme/flavoured")
    put(keeper, "models/acme/flavoured", FLAVOUR="strawberry")

    assert keeper.run(reference, {"mode": "names"})["output"] == {"FLAVOUR": len("strawberry")}


def test_a_deployment_has_its_models_secrets_and_its_own_over_them(keeper: Yard) -> None:
    with keeper.http as http:
        assert http.post(
            "/models", json={"owner": "cogyard", "name": "mine", "visibility": "private", "hardware": "cpu"}
        ).is_success
    reference = keeper.push(FOLDER, "cogyard/mine")
    path = deploy(keeper, reference, "secretive")
    runs = f"/{path}/predictions"
    put(keeper, "models/cogyard/mine", API_KEY="m" * 11, OTHER="m" * 12)
    inherited = create(keeper, runs, input={"mode": "names"})["output"]
    put(keeper, path, API_KEY="d" * 21)
    overridden = create(keeper, runs, input={"mode": "names"})["output"]
    put(keeper, "models/cogyard/mine", OTHER="m" * 31)
    changed = create(keeper, runs, input={"mode": "names"})["output"]

    assert inherited == {**LENGTHS, "API_KEY": 11, "OTHER": 12}
    assert overridden == {**LENGTHS, "API_KEY": 21, "OTHER": 12}
    assert changed == {**LENGTHS, "API_KEY": 21, "OTHER": 31}
    assert keeper.run(reference, {"mode": "names"})["output"] == {**LENGTHS, "API_KEY": 11, "OTHER": 31}


def test_a_deployment_of_somebody_elses_model_has_its_own_secrets_only(keeper: Yard, reference: str) -> None:
    path = deploy(keeper, reference, "of-acmes")
    put(keeper, path, OTHER="o" * 9)

    assert create(keeper, f"/{path}/predictions", input={"mode": "names"})["output"] == {**LENGTHS, "OTHER": 9}


def test_a_training_has_the_secrets_of_the_model_that_it_trains(keeper: Yard, reference: str) -> None:
    with keeper.http as http:
        goal = {"owner": "cogyard", "name": "trained", "visibility": "private", "hardware": "cpu"}
        assert http.post("/models", json=goal).status_code == 201
        path = f"/models/{reference.replace(':', '/versions/')}/trainings"
        training = http.post(path, json={"destination": "cogyard/trained", "input": {"text": "a"}}).json()["id"]

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = http.get(f"/trainings/{training}").json()
            return found if found["completed_at"] else None

        done = wait_until(ended, 60, "the training")

    assert (done["status"], "training with [secret]" in done["logs"]) == ("succeeded", True), done
    assert keeper.run(done["output"]["version"], {"mode": "names"})["output"] == LENGTHS


def test_an_official_model_is_kept_warm_with_its_secrets(keeper: Yard) -> None:
    keeper.push(FOLDER, "acme/official")
    with keeper.http as http:
        assert http.put("/models/acme/official/official", json={"is_official": True}).status_code == 200

    def starting() -> list[dict[str, Any]]:
        return [event for event in keeper.log_events() if event["event"] == "instance.starting"]

    def warm() -> set[str]:
        ready = {event["instance"] for event in keeper.log_events() if event["event"] == "instance.ready"}
        return {one["queue"] for one in starting() if one["instance"] in ready}

    def has_more(than: int) -> bool:
        return len(warm()) > than

    for value in (KEY, KEY + "!"):
        before = len(warm())
        put(keeper, "models/acme/official", API_KEY=value)
        wait_until(partial(has_more, before), 30, "an instance with the new secret")
    starts = len(starting())
    told = create(keeper, "/models/acme/official/predictions", input={"mode": "names"})
    with keeper.http as http:
        http.put("/models/acme/official/official", json={"is_official": False})

    assert told["output"]["API_KEY"] == len(KEY) + 1
    assert len(starting()) == starts


# --- what is told of them -------------------------------------------------------------------------------------------
def test_whatever_the_model_does_with_it_nobody_is_told(keeper: Yard, reference: str) -> None:
    with receiver() as hooks, keeper.http as http:
        ends = [
            create(keeper, "/predictions", version=reference, input={"mode": mode}, webhook=f"{hooks.url}/{mode}")
            for mode in ("return", "print", "split", "raise", "metric", "file")
        ]
        wait_until(lambda: len([one for one in hooks.got if one.body["completed_at"]]) == 6, 30, "the webhooks")
        said = b"".join(one.raw for one in hooks.got)
        listed = http.get("/predictions").content + http.get("/audit").content
    returned, printed, split, raised, metric, file = ends

    assert returned["output"] == {"value": "[secret]", "in": ["<[secret]>"], "[secret]": 1}
    assert sorted(printed["logs"].splitlines()) == ["and in an error [secret]", "the key is [secret]!"]
    assert split["logs"] == "it is [secret], I say"
    assert raised["error"] == "ValueError: [secret] is wrong"
    assert metric["metrics"]["key"] == "[secret]"
    assert httpx.get(file["output"], trust_env=False).text == "hello"
    for text in (said, listed, repr(ends).encode(), *kept(keeper).values()):
        assert KEY.encode() not in text
        assert b"5ecret" not in text


def test_an_error_is_not_cut_through_a_secret(keeper: Yard, reference: str) -> None:
    told = [keeper.run(reference, {"mode": "raise_late", "name": f"{number}"})["error"] for number in (9980, 9990)]

    assert [KEY[:4] in one for one in told] == [False, False]
    assert [len(one) for one in told] == [10_002, 10_002]


def test_a_secret_input_larger_than_a_secret_is_refused(keeper: Yard, reference: str) -> None:
    answer = keeper.create(reference, {"password": "x" * 70_000})

    assert answer.status_code == 422
    assert answer.json()["invalid_fields"][0]["field"] == "input.password"
    assert "xxxx" not in answer.text


def test_a_stream_that_tells_it_in_tokens_has_as_many_and_tells_nothing(keeper: Yard) -> None:
    reference = keeper.push(FOLDERS / "secretive-stream", "acme/streaming")
    put(keeper, "models/acme/streaming", API_KEY=KEY)

    told = keeper.run(reference, {})
    streamed = httpx.get(told["urls"]["stream"], headers={"Accept": "text/event-stream"}, trust_env=False).text

    assert "".join(told["output"]) == "the key is [secret], and s"
    assert len(told["output"]) == -(-len(f"the key is {KEY}, and s") // 3)
    assert "[secret]" in streamed
    assert not [text for text in kept(keeper).values() if b"ret-0" in text]


def test_a_value_of_several_lines_is_known_by_each_of_them(keeper: Yard) -> None:
    reference = keeper.push(FOLDER, "acme/lines")
    put(keeper, "models/acme/lines", API_KEY=PEM)

    told = keeper.run(reference, {"mode": "split"})

    assert told["logs"] == "it is [secret], I say"
    assert not [text for text in kept(keeper).values() if b"MIIEvQ" in text]


def test_a_setup_that_tells_it_tells_nothing(keeper: Yard) -> None:
    reference = keeper.push(FOLDER, "acme/breaking")
    put(keeper, "models/acme/breaking", API_KEY=KEY, BREAK_SETUP="1")

    told = keeper.run(reference, {"mode": "names"})

    assert told["status"] == "failed"
    assert "cannot work with [secret]" in told["error"]
    assert "setting up with [secret]" in told["logs"]
    assert KEY not in repr(told)
    assert not [name for name, text in kept(keeper).items() if KEY.encode() in text]


def test_no_command_line_on_this_machine_holds_it(keeper: Yard, reference: str) -> None:
    with keeper.http as http:
        waiting = http.post("/predictions", json={"version": reference, "input": {"mode": "wait"}}).json()["id"]
        keeper.until_status(waiting, "processing")
        lines = [line for one in psutil.process_iter(["cmdline"]) for line in one.info["cmdline"] or ()]
        http.post(f"/predictions/{waiting}/cancel")

    assert any("cogyard_server.py" in line for line in lines)
    assert not [line for line in lines if KEY in line]


def test_the_key_lies_in_a_file_of_its_own_that_others_cannot_read(keeper: Yard, reference: str) -> None:
    key = keeper.data / "secrets.key"

    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert not [name for name, text in kept(keeper).items() if key.read_bytes().strip() in text]


# --- who may set them, and what -------------------------------------------------------------------------------------
def test_strangers_are_told_nothing(keeper: Yard, reference: str) -> None:
    with keeper.http as http:
        hidden = {"owner": "cogyard", "name": "hidden", "visibility": "private", "hardware": "cpu"}
        http.post("/models", json=hidden)
    path = deploy(keeper, reference, "private")
    with as_user(keeper, "eve") as eve:
        for holder, status in (("models/cogyard/hidden", 404), ("models/no/such", 404), (path, 404)):
            calls = [
                eve.get(f"/{holder}/secrets"),
                eve.put(f"/{holder}/secrets/API_KEY", json={"value": "hers"}),
                eve.put(f"/{holder}/secrets/API_KEY", json={}),
                eve.delete(f"/{holder}/secrets/API_KEY"),
            ]
            assert [call.status_code for call in calls] == [status] * 4
        public = [eve.get("/models/acme/secretive/secrets"), eve.delete("/models/acme/secretive/secrets/API_KEY")]

    assert [call.status_code for call in public] == [403, 403]


@pytest.mark.parametrize("name", ["PATH", "home", "COG_LOG_LEVEL", "PYTHONPATH", "LD_PRELOAD", "1ST", "A-B", "x" * 129])
def test_a_name_that_cannot_be_is_refused(keeper: Yard, reference: str, name: str) -> None:
    with keeper.http as http:
        refused = http.put(f"/models/acme/secretive/secrets/{name}", json={"value": "value"})

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/secret")


@pytest.mark.parametrize("value", ["", "a\0b", "x" * (64 * 1024 + 1), 5, None])
def test_a_value_that_cannot_be_is_refused(keeper: Yard, reference: str, value: Any) -> None:
    with keeper.http as http:
        refused = http.put("/models/acme/secretive/secrets/OTHER", json={"value": value})

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/value")


def test_the_largest_value_that_can_be_runs(keeper: Yard) -> None:
    reference = keeper.push(FOLDER, "acme/large")
    put(keeper, "models/acme/large", **{f"LARGE_{number}": "ü" * 32 * 1024 for number in range(7)})
    with keeper.http as http:
        refused = http.put("/models/acme/large/secrets/LARGE_7", json={"value": "x" * 64 * 1024})

    assert keeper.run(reference, {"mode": "names"})["output"] == LENGTHS
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/value")


def test_the_command_line_reads_values_and_never_shows_them(keeper: Yard, tmp_path: Path) -> None:
    keeper.push(FOLDER, "acme/told")
    (tmp_path / "key").write_text(KEY + "\n")

    done = [
        keeper.cogyard("secrets", "set", "acme/told", "API_KEY", input=f"{KEY}\n"),
        keeper.cogyard("secrets", "set", "acme/told", "OTHER", "--value-file", str(tmp_path / "key")),
        keeper.cogyard("secrets", "list", "acme/told"),
        keeper.cogyard("secrets", "remove", "acme/told", "OTHER"),
        keeper.cogyard("secrets", "list", "acme/told", "--json"),
        keeper.cogyard("secrets", "list", "acme/told", "--deployment"),
    ]

    assert [one.returncode for one in done] == [0, 0, 0, 0, 0, 3], done
    assert [line.split("\t")[0] for line in done[2].stdout.splitlines()] == ["API_KEY", "OTHER"]
    assert "OTHER" not in done[4].stdout
    assert keeper.run("acme/told:" + told_version(keeper), {"mode": "names"})["output"]["API_KEY"] == len(KEY)
    assert not [one for one in done if KEY in one.stdout + one.stderr]


def told_version(yard: Yard) -> str:
    with yard.http as http:
        return str(http.get("/models/acme/told").json()["latest_version"]["id"])


# --- the key --------------------------------------------------------------------------------------------------------
def test_secrets_outlive_a_kill_but_not_their_key(own_yard: Yard) -> None:
    yard = own_yard.start()
    reference = yard.push(FOLDER, "acme/secretive")
    put(yard, "models/acme/secretive", API_KEY=KEY)
    yard.kill()
    yard.start()
    survived = yard.run(reference, {"mode": "names"})["output"]
    sealed = yard.create(reference, {"mode": "password", "password": PASSWORD}).json()["id"]
    yard.end_of(sealed)
    yard.stop()
    key = (yard.data / "secrets.key").read_text()
    told = []
    for text in ("0" * 64 + "\n", "no key", None):
        (yard.data / "secrets.key").unlink(missing_ok=True)
        if text is not None:
            (yard.data / "secrets.key").write_text(text)
        yard.start()
        told.append(yard.run(reference, {"mode": "names"}))
        yard.stop()
    yard.settings["secrets_key_file"] = str(yard.data / "elsewhere.key")
    (yard.data / "elsewhere.key").write_text(key)
    yard.start()

    assert survived == {**LENGTHS, "API_KEY": len(KEY)}
    assert {one["status"] for one in told} == {"failed"}
    for one, why in zip(told, ("another key", "holds no key|not hex", "is gone"), strict=True):
        assert any(part in one["error"] for part in why.split("|")), one["error"]
        assert str(yard.data) not in one["error"]
    assert "set the secrets again" in told[0]["error"]
    assert yard.run(reference, {"mode": "names"})["output"] == survived


# --- secret inputs --------------------------------------------------------------------------------------------------
def test_a_secret_input_is_shown_to_its_model_alone(keeper: Yard, reference: str) -> None:
    with receiver() as hooks, keeper.http as http:
        given = {"version": reference, "input": {"mode": "password", "password": PASSWORD}}
        created = http.post("/predictions", json={**given, "webhook": f"{hooks.url}/"}).json()
        done = keeper.end_of(created["id"])
        failed = keeper.run(reference, {"mode": "password_raise", "password": PASSWORD})
        listed = http.get("/predictions").text
        http.post("/models/acme/secretive/examples", json={"prediction": done["id"]})
        example = http.get("/models/acme/secretive").text
        wait_until(lambda: hooks.got and hooks.got[-1].body["completed_at"], 30, "the webhook")
        said = b"".join(one.raw for one in hooks.got).decode()

    assert created["input"] == done["input"] == {"mode": "password", "password": "[REDACTED]"}
    assert done["output"] == {"length": len(PASSWORD), "value": "[secret]"}
    assert done["logs"] == "[secret]\n"
    assert failed["error"] == "ValueError: [secret]"
    assert PASSWORD not in repr([created, done, failed]) + listed + example + said
    assert not [name for name, text in kept(keeper).items() if PASSWORD.encode() in text]


def test_a_secret_input_is_there_for_another_attempt(own_yard: Yard) -> None:
    yard = own_yard.start()
    reference = yard.push(FOLDER, "acme/secretive")
    waiting = yard.create(reference, {"mode": "wait"}).json()["id"]
    yard.until_status(waiting, "processing")
    queued = yard.create(reference, {"mode": "password", "password": PASSWORD}).json()["id"]
    time.sleep(0.2)
    found = [name for name, text in kept(yard).items() if PASSWORD.encode() in text]
    yard.kill()
    yard.start()
    with yard.http as http:
        http.post(f"/predictions/{waiting}/cancel")

    assert found == []
    assert yard.end_of(queued)["output"] == {"length": len(PASSWORD), "value": "[secret]"}
