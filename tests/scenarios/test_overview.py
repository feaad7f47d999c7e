"""What runs and what waits is told truly, to those who may know it; a model's settings are obeyed."""

import json
import os
import re
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psutil
import pytest

from tests.scenarios.people import People
from tests.yard import FOLDERS, TOKEN, Yard, wait_until

pytestmark = pytest.mark.slow

GPUS = '[{"name": "RTX 4090", "memory_gib": 24}, {"name": "RTX 4090", "memory_gib": 24}]'


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A server with room for a few models, and two GPUs that it believes in."""
    chosen = {"cancel_grace": "1", "stop_grace": "1", "rate_creates": "0", "token_rate_creates": "0"}
    more = {"machine_gpus": GPUS, "max_instances": "6", "hardware_prices": '{"cpu": "0.0001"}', "idle_timeout": "600"}
    started = Yard(tmp_path_factory.mktemp("watched"), {**chosen, **more}).start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def people(watched: Yard) -> People:
    return People(watched)


@pytest.fixture(scope="module")
def ada(people: People) -> str:
    """The token of somebody who owns a private model, `ada/engine`."""
    token = people.user("ada")
    people.done(
        token, "POST", "/models", {"owner": "ada", "name": "engine", "visibility": "private", "hardware": "cpu"}
    )
    pushed = people.yard.cogyard("--token", token, "push", str(FOLDERS / "canary"), "ada/engine")
    assert pushed.returncode == 0, pushed.stderr
    return token


@pytest.fixture(scope="module")
def eve(people: People) -> str:
    """The token of a stranger."""
    return people.user("eve")


@pytest.fixture(scope="module")
def engine(people: People, ada: str) -> str:
    """The version of `ada/engine`."""
    version: str = people.done(ada, "GET", "/models/ada/engine")["latest_version"]["id"]
    return version


def instances(people: People, token: str, every: bool = False) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = people.done(token, "GET", "/instances" + ("?all=true" if every else ""))["results"]
    return found


def only(people: People, token: str, **wanted: Any) -> dict[str, Any]:
    """The one instance that runs and is like that."""
    found = [one for one in instances(people, token) if all(one[name] == value for name, value in wanted.items())]
    assert len(found) == 1, found
    return found[0]


def row(people: People, token: str, **wanted: Any) -> dict[str, Any]:
    """The one row of the queue that is like that."""
    found = people.done(token, "GET", "/queue")["results"]
    found = [one for one in found if all(one[name] == value for name, value in wanted.items())]
    assert len(found) == 1, found
    return dict(found[0])


def create(people: People, token: str, version: str, **model_input: Any) -> str:
    made: str = people.done(token, "POST", "/predictions", {"version": version, "input": model_input})["id"]
    return made


def until(people: People, token: str, prediction: str, *statuses: str) -> dict[str, Any]:
    def there() -> Any:
        found = people.done(token, "GET", f"/predictions/{prediction}")
        return found if found["status"] in statuses else None

    found: dict[str, Any] = wait_until(there, 60, f"{prediction} being {statuses}")
    return found


def until_over(people: People, token: str, instance: str) -> dict[str, Any]:
    """Its life, once it is over."""

    def over() -> Any:
        life = people.done(token, "GET", f"/instances/{instance}")
        return life if life["ended_at"] else None

    found: dict[str, Any] = wait_until(over, 30, f"the end of {instance}")
    return found


def time_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_an_instance_is_told_as_it_is(people: People, ada: str, engine: str) -> None:
    running = create(people, ada, engine, mode="loop")
    began = until(people, ada, running, "processing")
    # its memory is looked at once a second
    wait_until(lambda: only(people, ada, model="ada/engine")["memory"], 10, "a look at its memory")

    told, by_admin = only(people, ada, model="ada/engine"), only(people, TOKEN, model="ada/engine")
    life = people.done(ada, "GET", f"/instances/{told['id']}")
    process = psutil.Process(by_admin["pid"])
    people.done(ada, "POST", f"/predictions/{running}/cancel")
    idle = wait_until(lambda: [one for one in instances(people, ada) if one["state"] == "idle"], 20, "an idle one")[0]

    assert (told["state"], told["kind"], told["deployment"], told["version"]) == ("active", "prediction", None, engine)
    assert told["since"] == began["started_at"]
    assert told["predictions"] == [running]
    assert told["reason"] == "asked for"
    assert (told["hardware"], told["cpus"], told["gpus"], told["slots"]) == ("cpu", min(4, os.cpu_count() or 1), [], 1)
    assert 2**20 < told["memory"] <= told["peak_memory"] < told["memory_limit"]
    assert process.is_running()
    assert set(told["boot"]) == {"spawn", "import", "setup"}
    boot = (time_of(told["ready_at"]) - time_of(told["created_at"])).total_seconds()
    assert 0 < sum(told["boot"].values()) <= boot + 0.1
    assert told["ended_at"] is None
    assert "pid" not in told
    assert life["setup_logs"] == "the canary is set up\n"
    assert [step["state"] for step in life["events"]] == ["setting_up", "idle"]
    assert [time_of(step["at"]) for step in life["events"]] == sorted(time_of(step["at"]) for step in life["events"])
    assert idle["id"] == told["id"]
    assert time_of(idle["since"]) > time_of(told["since"])
    assert idle["predictions"] == []


def test_strangers_see_what_is_public_and_no_more_of_it_than_they_may(
    people: People, ada: str, eve: str, engine: str, watched: Yard
) -> None:
    reference = watched.push(FOLDERS / "canary-async", "acme/public")
    of_ada = create(people, ada, reference.partition(":")[2], text="tweet", wait_for=99)
    of_eve = create(people, eve, reference.partition(":")[2], text="tweet", wait_for=99)
    until(people, ada, of_ada, "processing")
    until(people, eve, of_eve, "processing")
    shown = {who: only(people, token, model="acme/public") for who, token in (("ada", ada), ("eve", eve))}
    life = people.done(eve, "GET", f"/instances/{shown['eve']['id']}")
    everything = [people.ask(eve, "GET", path).text for path in ("/instances?all=true", "/queue", "/machine")]
    refused = people.ask(eve, "POST", f"/instances/{shown['eve']['id']}/stop")
    by_admin = only(people, TOKEN, model="acme/public")
    for token, prediction in ((ada, of_ada), (eve, of_eve)):
        people.done(token, "POST", f"/predictions/{prediction}/cancel")

    assert shown["ada"]["predictions"] == [of_ada]
    assert shown["eve"]["predictions"] == [of_eve]
    assert set(by_admin["predictions"]) == {of_ada, of_eve}
    assert "setup_logs" not in life
    assert life["events"]
    assert refused.status_code == 403
    assert "acme/public" in refused.json()["detail"]
    assert not [text for text in everything if "ada" in text or engine in text]


def test_the_same_source_of_two_accounts_shows_each_its_own_model(people: People, ada: str, engine: str) -> None:
    mina = people.user("mina")
    model = {"owner": "mina", "name": "copy", "visibility": "private", "hardware": "cpu"}
    people.done(mina, "POST", "/models", model)
    pushed = people.yard.cogyard("--token", mina, "push", str(FOLDERS / "canary"), "mina/copy")
    assert pushed.stdout.strip() == f"mina/copy:{engine}"
    until(people, ada, create(people, ada, engine), "succeeded")

    of_ada, of_mina = only(people, ada, version=engine), only(people, mina, version=engine)

    assert of_ada["id"] == of_mina["id"]
    assert (of_ada["model"], of_mina["model"]) == ("ada/engine", "mina/copy")


def test_an_alias_of_a_foreign_version_opens_no_view_of_its_instances(
    people: People, ada: str, eve: str, engine: str
) -> None:
    until(people, ada, create(people, ada, engine), "succeeded")
    foreign = only(people, ada, version=engine)["id"]
    pushed = people.yard.cogyard("--token", eve, "push", str(FOLDERS / "picture"), "eve/pictures")
    assert pushed.returncode == 0, pushed.stderr
    people.done(eve, "PUT", f"/models/eve/pictures/aliases/{engine}", {})

    assert foreign not in [one["id"] for one in instances(people, eve, every=True)]
    assert people.status(eve, f"/instances/{foreign}") == 404


def test_an_official_models_version_is_told_to_those_who_may_change_it(people: People, eve: str, watched: Yard) -> None:
    reference = watched.push(FOLDERS / "lists", "acme/official")
    people.admin("PUT", "/models/acme/official/official", {"is_official": True})
    kept = wait_until(
        lambda: [one for one in instances(people, TOKEN) if one["model"] == "acme/official"], 20, "a warm one"
    )[0]
    of_eve = only(people, eve, model="acme/official")
    people.admin("PUT", "/models/acme/official/official", {"is_official": False})

    assert kept["version"] == reference.partition(":")[2]
    assert kept["reason"] == "kept warm"
    assert (of_eve["id"], of_eve["version"]) == (kept["id"], "hidden")


def test_what_waits_is_told_with_its_reason(people: People, ada: str, eve: str, engine: str) -> None:
    running = create(people, ada, engine, mode="loop")
    until(people, ada, running, "processing")
    people.done(ada, "PATCH", "/models/ada/engine/settings", {"max_instances": 1})
    waiting = [create(people, ada, engine) for _ in range(3)]
    found = wait_until(lambda: explained(people, ada), 10, "a reason")
    shown = people.done(ada, "GET", f"/predictions/{waiting[0]}")
    in_list = {one["id"]: one for one in people.done(ada, "GET", "/predictions")["results"]}
    by_admin = row(people, TOKEN, model="ada/engine")
    of_eve = people.ask(eve, "GET", "/queue").text
    people.done(ada, "POST", f"/predictions/{running}/cancel")
    ended = until(people, ada, waiting[2], "succeeded")
    people.done(ada, "PATCH", "/models/ada/engine/settings", {"max_instances": None})

    assert (found["queued"], found["kind"], found["version"]) == (3, "prediction", engine)
    assert found["reason"] == shown["waiting_reason"] == "waits for a free slot: 1 instance is busy"
    assert found["instances"] == {"active": 1}
    assert [one["id"] for one in found["predictions"]] == waiting
    assert found["oldest"] == found["predictions"][0]["created_at"] == shown["created_at"]
    assert "priority" not in found
    assert in_list[waiting[1]]["waiting_reason"] == shown["waiting_reason"]
    assert "waiting_reason" not in in_list[running]
    assert "waiting_reason" not in ended
    assert ended["timing"]["queue"] > 0
    assert by_admin["queued"] == 3
    assert "predictions" not in by_admin
    assert "ada/engine" not in of_eve


def explained(people: People, token: str) -> dict[str, Any] | None:
    """The row of `ada/engine`, once somebody waits and it is known why."""
    found = row(people, token, model="ada/engine")
    return found if found["queued"] and found["reason"] else None


def test_a_deployments_instances_are_for_those_who_may_use_it(
    people: People, ada: str, eve: str, engine: str, watched: Yard
) -> None:
    limits = {"hardware": "gpu-t4", "min_instances": 1, "max_instances": 1, "priority": 7}
    people.done(ada, "POST", "/deployments", {"name": "desk", "model": "ada/engine", "version": engine, **limits})
    one = wait_until(
        lambda: [one for one in instances(people, ada) if one["deployment"] and one["state"] == "idle"], 20, "one"
    )[0]
    waits, machine = row(people, ada, deployment="ada/desk"), people.done(ada, "GET", "/machine")
    life = people.done(ada, "GET", f"/instances/{one['id']}")
    for_eve = people.done(eve, "GET", "/machine")
    narrow = people.token(ada, name="narrow", scopes=["read"], models=["ada/other"])
    hidden = instances(people, narrow, every=True)
    people.done(ada, "PATCH", "/deployments/ada/desk", {"min_instances": 0, "max_instances": 0})
    over = until_over(people, ada, one["id"])

    assert (one["model"], one["deployment"], one["reason"]) == (None, "ada/desk", "kept warm")
    assert one["gpus"] == [0]
    assert (waits["priority"], waits["queued"], waits["oldest"]) == (7, 0, None)
    assert life["setup_logs"] == "the canary is set up\n"
    assert machine["gpus"] == [
        {"index": 0, "name": "RTX 4090", "memory": 24 * 2**30, "instances": [one["id"]]},
        {"index": 1, "name": "RTX 4090", "memory": 24 * 2**30, "instances": []},
    ]
    assert [gpu["instances"] for gpu in for_eve["gpus"]] == [[], []]
    assert for_eve["instances"] == machine["instances"] > 0
    assert "ada" not in json.dumps(hidden)
    assert over["state"] == "stopped"
    assert people.status(eve, f"/instances/{one['id']}") == 404


def test_the_machine_is_told_as_it_is(people: People, eve: str) -> None:
    machine, running = people.done(eve, "GET", "/machine"), instances(people, TOKEN)
    kinds = {kind["sku"]: kind for kind in machine["hardware"]}

    assert machine["cpus"] == len(os.sched_getaffinity(0))
    assert 0 < machine["memory"] <= psutil.virtual_memory().total
    assert machine["max_instances"] == 6
    assert machine["instances"] == len(running)
    assert machine["memory_reserved"] >= len(running) * 2**20
    assert kinds["cpu"]["price"] == "0.0001"
    assert "price" not in kinds["gpu-t4"]
    assert (kinds["gpu-l40s-2x"]["gpus"], kinds["gpu-t4"]["gpus"], kinds["cpu"]["gpus"]) == (2, 1, 0)
    assert kinds["cpu-small"]["cpus"] == 1


def test_a_training_is_told_apart(people: People, ada: str, watched: Yard) -> None:
    model = {"owner": "ada", "name": "loom", "visibility": "private", "hardware": "cpu"}
    people.done(ada, "POST", "/models", model)
    people.done(ada, "POST", "/models", {**model, "name": "learned"})
    pushed = watched.cogyard("--token", ada, "push", str(FOLDERS / "trainable"), "ada/loom")
    version = pushed.stdout.strip().partition(":")[2]
    body = {"destination": "ada/learned", "input": {"words": "data:text/plain,one%20two", "rounds": 1000}}
    training = people.done(ada, "POST", f"/models/ada/loom/versions/{version}/trainings", body)["id"]
    one = wait_until(lambda: [one for one in instances(people, ada) if one["predictions"] == [training]], 30, "it")[0]
    people.done(ada, "POST", f"/trainings/{training}/cancel")

    assert (one["kind"], one["model"], one["state"]) == ("training", "ada/loom", "active")


def test_an_instance_is_stopped_once_what_it_runs_has_ended(people: People, ada: str, eve: str, engine: str) -> None:
    running = create(people, ada, engine, mode="loop")
    until(people, ada, running, "processing")
    one = only(people, ada, model="ada/engine", state="active")
    by_stranger = people.ask(eve, "POST", f"/instances/{one['id']}/stop")
    reader = people.token(ada, scopes=["read"])
    by_reader = people.ask(reader, "POST", f"/instances/{one['id']}/stop")
    stopping = people.done(ada, "POST", f"/instances/{one['id']}/stop")
    again = people.done(ada, "POST", f"/instances/{one['id']}/stop")
    still = people.done(ada, "GET", f"/predictions/{running}")["status"]
    people.done(ada, "POST", f"/predictions/{running}/cancel")
    life = until_over(people, ada, one["id"])
    refused = people.ask(ada, "POST", f"/instances/{one['id']}/stop")
    listed = {shown["id"]: shown for shown in instances(people, ada, every=True)}
    acts = [act for act in people.done(ada, "GET", "/audit")["results"] if act["action"] == "instances.stop"]

    assert (by_stranger.status_code, by_reader.status_code) == (404, 403)
    assert (stopping["state"], stopping["reason"], again["state"]) == ("stopping", "stopped on request", "stopping")
    assert still == "processing"
    assert (life["state"], life["reason"], life["memory"]) == ("stopped", "stopped on request", None)
    assert life["since"] == life["ended_at"]
    assert [step["state"] for step in life["events"]] == ["setting_up", "idle", "stopping", "stopped"]
    assert [step["reason"] for step in life["events"]][2:] == ["stopped on request"] * 2
    assert one["id"] not in [shown["id"] for shown in instances(people, ada)]
    assert listed[one["id"]]["state"] == "stopped"
    assert (refused.status_code, refused.json()["detail"]) == (409, "The instance is over: stopped on request.")
    assert {act["details"].get("model") for act in acts if act["status"] == 200} == {"ada/engine"}


def test_a_setup_that_failed_is_told_with_what_it_printed(people: People, watched: Yard) -> None:
    reference = watched.push(FOLDERS / "broken-setup", "acme/broken")
    watched.run(reference, {})
    one = next(one for one in instances(people, TOKEN, every=True) if one["model"] == "acme/broken")
    life = people.done(TOKEN, "GET", f"/instances/{one['id']}")

    assert one["state"] == "failed"
    assert "the weights are not there" in one["reason"]
    assert "reading the weights" in life["setup_logs"]
    assert [step["state"] for step in life["events"]] == ["setting_up", "failed"]


def test_all_instances_are_listed_in_pages_newest_first(people: People, ada: str, engine: str) -> None:
    for _ in range(3):
        until(people, ada, create(people, ada, engine), "succeeded")
        one = only(people, ada, version=engine, deployment=None)["id"]
        people.done(ada, "POST", f"/instances/{one}/stop")
        until_over(people, ada, one)
    whole = instances(people, ada, every=True)
    found: list[str] = []
    path: str | None = "/instances?all=true&limit=2"
    while path:
        page = people.done(ada, "GET", path)
        found += [one["id"] for one in page["results"]]
        path = page["next"] and re.sub(r"^.*/v1", "", page["next"])

    assert len(found) == len(set(found)) > 3
    assert found[-len(whole) :] == [one["id"] for one in whole]  # one may have been started meanwhile
    assert [one["created_at"] for one in whole] == sorted((one["created_at"] for one in whole), reverse=True)


def test_settings_of_a_model_are_set_obeyed_and_removed(people: People, ada: str, eve: str, watched: Yard) -> None:
    path, model = "/models/ada/poem/settings", {"owner": "ada", "name": "poem", "visibility": "private"}
    people.done(ada, "POST", "/models", {**model, "hardware": "cpu"})
    pushed = watched.cogyard("--token", ada, "push", str(FOLDERS / "canary-stream"), "ada/poem")
    version = pushed.stdout.strip().partition(":")[2]
    until(people, ada, create(people, ada, version, text="a"), "succeeded")
    one = only(people, ada, model="ada/poem")["id"]
    at_first = people.done(ada, "GET", path)
    changed = people.done(ada, "PATCH", path, {"idle_timeout": 0.5, "max_instances": 2})
    ended = until_over(people, ada, one)
    removed = people.done(ada, "PATCH", path, {"idle_timeout": None, "max_instances": None})
    on_gpu = people.done(ada, "PATCH", path, {"hardware": "gpu-t4"})
    time.sleep(1)  # what the scheduler knows of a model may be half a second old
    until(people, ada, create(people, ada, version, text="a"), "succeeded")
    other = only(people, ada, model="ada/poem")
    people.done(ada, "PATCH", path, {"hardware": "cpu"})
    act = next(a for a in people.done(ada, "GET", "/audit")["results"] if a["action"] == "models.settings.update")

    assert at_first == {"hardware": "cpu", "idle_timeout": None, "max_instances": None}
    assert changed == {"hardware": "cpu", "idle_timeout": 0.5, "max_instances": 2}
    assert ended["reason"] == "idle"
    assert removed == at_first
    assert on_gpu["hardware"] == other["hardware"] == "gpu-t4"
    assert len(other["gpus"]) == 1
    assert act["details"] == {"before": {"hardware": "gpu-t4"}, "after": {"hardware": "cpu"}}
    assert people.status(eve, path) == 404
    assert people.ask(eve, "PATCH", path, {}).status_code == 404


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"idle": 3}, ("/idle", "is not allowed")),
        ({"idle_timeout": -1}, ("/idle_timeout", "must be between 0 and 604800")),
        ({"idle_timeout": "3"}, ("/idle_timeout", "Invalid type. Expected: [null,number], given: string")),
        ({"max_instances": 1001}, ("/max_instances", "must be between 0 and 1000")),
        ({"max_instances": 1.5}, ("/max_instances", "Invalid type. Expected: [null,integer], given: number")),
        ({"max_instances": True}, ("/max_instances", "Invalid type. Expected: [null,integer], given: boolean")),
        ({"hardware": "abacus"}, ("/hardware", "abacus is not a valid hardware SKU.")),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(
    people: People, ada: str, change: dict[str, Any], told: tuple[str, str]
) -> None:
    refused = people.ask(ada, "PATCH", "/models/ada/engine/settings", change)
    (fault,) = refused.json()["errors"]

    assert refused.status_code == 400
    assert fault["pointer"] == told[0]
    assert fault["detail"].startswith(told[1])


def test_settings_are_for_those_who_may_change_the_model(people: People, eve: str, watched: Yard) -> None:
    watched.push(FOLDERS / "canary-async", "acme/public")

    assert people.status(eve, "/models/acme/public/settings") == 403
    assert people.ask(eve, "PATCH", "/models/acme/public/settings", {"max_instances": 0}).status_code == 403


def test_what_is_gone_is_told_to_admins_alone(people: People, ada: str, watched: Yard) -> None:
    model = {"owner": "ada", "name": "shortlived", "visibility": "private", "hardware": "cpu"}
    people.done(ada, "POST", "/models", model)
    pushed = watched.cogyard("--token", ada, "push", str(FOLDERS / "picture-stream"), "ada/shortlived")
    version = pushed.stdout.strip().partition(":")[2]
    until(people, ada, create(people, ada, version), "succeeded")
    one = only(people, ada, model="ada/shortlived")["id"]
    people.done(ada, "DELETE", f"/models/ada/shortlived/versions/{version}")

    told = people.done(TOKEN, "GET", f"/instances/{one}")

    assert (told["model"], told["deployment"], told["version"]) == (None, None, version)
    assert people.status(ada, f"/instances/{one}") == 404
    until_over(people, TOKEN, one)
