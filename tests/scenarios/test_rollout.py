"""Releases of deployments while callers use them: new ones come, bad ones go, and no caller notices."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.receiver import receiver
from tests.yard import FOLDERS, Yard, wait_until

pytestmark = pytest.mark.slow

DESK = "/deployments/cogyard/desk"


class Versions:
    """Versions of one model, pushed when they are first asked for."""

    def __init__(self, yard: Yard) -> None:
        self._yard = yard
        self._pushed: dict[str, str] = {}

    def __getitem__(self, folder: str) -> str:
        if folder not in self._pushed:
            reference = self._yard.push(FOLDERS / folder, "acme/changing", "--no-examples")
            self._pushed[folder] = reference.partition(":")[2]
        return self._pushed[folder]


@pytest.fixture
def versions(own_yard: Yard) -> Versions:
    own_yard.start()
    return Versions(own_yard)


def deploy(http: httpx.Client, version: str, **limits: int) -> None:
    """Make the deployment, and wait until it is warm where it is to be."""
    wanted = {"min_instances": 1, "max_instances": 2, **limits}
    body = {"name": "desk", "model": "acme/changing", "version": version, "hardware": "cpu", **wanted}
    made = http.post("/deployments", json=body)
    assert made.status_code == 200, made.text
    if wanted["min_instances"]:
        ended(http, create(http))


def create(http: httpx.Client, text: str = "x", **more: Any) -> dict[str, Any]:
    response = http.post(f"{DESK}/predictions", json={"input": {"text": text}, **more})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


def ended(http: httpx.Client, prediction: dict[str, Any]) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = http.get(f"/predictions/{prediction['id']}").json()
        return None if found["status"] in ("starting", "processing") else found

    found: dict[str, Any] = wait_until(look, 60, f"the end of {prediction['id']}")
    return found


def release(http: httpx.Client, **changes: Any) -> dict[str, Any]:
    response = http.patch(DESK, json=changes)
    assert response.status_code == 200, response.text
    current: dict[str, Any] = response.json()["current_release"]
    return current


def releases(http: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get(f"{DESK}/releases").json()["results"]
    return found


@contextmanager
def load(yard: Yard) -> Iterator[list[dict[str, Any]]]:
    """Create predictions all the time; what was created so far is in the list."""
    made: list[dict[str, Any]] = []
    faults: list[BaseException] = []
    is_over = threading.Event()

    def work() -> None:
        try:
            with yard.http as http:
                while not is_over.wait(0.03):
                    made.append(create(http))
        except BaseException as fault:  # noqa: BLE001 - told to the test below
            faults.append(fault)

    caller = threading.Thread(target=work)
    caller.start()
    try:
        yield made
    finally:
        is_over.set()
        caller.join()
    assert not faults, faults


def until_served(made: list[dict[str, Any]], version: str) -> None:
    wait_until(lambda: sum(one["version"] == version for one in made) >= 5, 60, f"predictions on {version[:8]}")


def test_a_new_release_serves_once_it_is_ready_and_no_caller_notices(own_yard: Yard, versions: Versions) -> None:
    yard, old, new = own_yard, versions["canary"], versions["canary-async"]
    with yard.http as http:
        deploy(http, old)
        with load(yard) as made:
            current = release(http, version=new)
            told = http.get(DESK).json()["current_release"]["number"]
            first_after = create(http)
            until_served(made, new)
        ends = [ended(http, one) for one in made]

    assert (current["number"], current["version"], told) == (2, new, 2)
    assert first_after["version"] == old
    assert {one["status"] for one in ends} == {"succeeded"}
    order = [one["version"] for one in ends]
    assert order == sorted(order, key=[old, new].index)
    assert [one["version"] for one in ends] == [one["version"] for one in made]
    log = yard.log_events()
    ready = next(n for n, one in enumerate(log) if one["event"] == "instance.ready" and one["version"] == new[:12])
    serves = next(n for n, one in enumerate(log) if one["event"] == "release.serves")
    assert ready < serves
    wait_until(
        lambda: any(
            one["event"] == "instance.over" and one["version"] == old[:12] and not one["died"]
            for one in yard.log_events()
        ),
        30,
        "the end of the old instance",
    )


def test_a_release_whose_setup_fails_is_rolled_back_and_says_so(own_yard: Yard, versions: Versions) -> None:
    yard, good, bad = own_yard, versions["canary"], versions["broken-setup"]
    with yard.http as http:
        deploy(http, good)
        release(http, priority=3)
        with load(yard) as made:
            release(http, version=bad)
            back = wait_until(lambda: next((one for one in releases(http) if one["number"] == 4), None), 60, "it")
            until_served(made, good)
        ends = [ended(http, one) for one in made]
        current = http.get(DESK).json()["current_release"]
        rows = releases(http)
        acts = http.get("/audit", params={"action": "deployments.rollback"}).json()["results"]
    listed = yard.cogyard("deployments", "releases", "cogyard/desk", "--json").stdout
    shown = yard.cogyard("deployments", "show", "cogyard/desk").stdout

    note = "rolled back by itself: the setup of release 3 failed: RuntimeError: the weights are not there"
    assert {(one["status"], one["version"]) for one in ends} == {("succeeded", good)}
    assert (back["version"], back["note"], back["created_by"]["username"]) == (good, note, "cogyard")
    assert back["configuration"] == {"hardware": "cpu", "min_instances": 1, "max_instances": 2, "priority": 3}
    assert current == back
    assert [(one["number"], one["note"]) for one in rows] == [(4, note), (3, None), (2, None), (1, None)]
    assert [(act["account"], act["status"], act["details"]["after"]["note"]) for act in acts] == [
        ("cogyard", 200, note)
    ]
    assert note in listed
    assert note in shown


@pytest.mark.parametrize("folder", ["broken-setup", "exit-setup"], ids=["it raises", "it dies"])
def test_what_waits_for_a_release_that_scales_to_zero_and_fails_runs_on_the_one_before(
    own_yard: Yard, versions: Versions, folder: str
) -> None:
    good, bad = versions["canary"], versions[folder]
    with own_yard.http as http, receiver() as told:
        deploy(http, good, min_instances=0)
        ended(http, create(http))
        release(http, version=bad)
        made = [create(http, str(number), webhook=f"{told.url}/{number}") for number in range(4)]
        ends = [ended(http, one) for one in made]
        rows = releases(http)
        wait_until(lambda: all(len(told.on(f"/{number}")) == 2 for number in range(4)), 10, "the webhooks")

    assert {one["version"] for one in made} == {bad}
    assert [(one["status"], one["version"]) for one in ends] == [("succeeded", good)] * 4
    assert [one["output"]["text"] for one in ends] == ["0", "1", "2", "3"]
    assert [told.on(f"/{number}")[-1].body["status"] for number in range(4)] == ["succeeded"] * 4
    assert [one["version"] for one in rows] == [good, bad, good]
    assert rows[0]["note"].startswith("rolled back by itself: the setup of release 2 failed: ")


def test_who_waits_for_a_release_that_fails_gets_the_answer_of_the_one_before(
    own_yard: Yard, versions: Versions
) -> None:
    good, bad = versions["canary-async"], versions["broken-setup"]
    with own_yard.http as http:
        deploy(http, good, min_instances=0)
        ended(http, create(http))
        release(http, version=bad)
        made = http.post(f"{DESK}/predictions", json={"input": {"text": "you"}}, headers={"Prefer": "wait"}).json()

    assert (made["status"], made["output"], made["version"]) == ("succeeded", ["hello ", "there, ", "you"], good)


def test_a_first_release_that_fails_has_nothing_to_go_back_to(own_yard: Yard, versions: Versions) -> None:
    with own_yard.http as http:
        deploy(http, versions["broken-setup"], min_instances=0)
        end = ended(http, create(http))
        rows = releases(http)

    assert end["error"] == "Model setup failed: RuntimeError: the weights are not there"
    assert [one["number"] for one in rows] == [1]


def test_a_killed_server_goes_on_with_the_roll(own_yard: Yard, versions: Versions) -> None:
    yard, old, new = own_yard, versions["canary"], versions["canary-async"]
    with yard.http as http:
        deploy(http, old)
        release(http, version=new)
        made = [create(http)]
        yard.kill()
        yard.start()
        made.append(create(http))
        with load(yard) as more:
            until_served(more, new)
        ends = [ended(http, one) for one in [*made, *more]]

    assert [one["version"] for one in made] == [old, old]
    assert {one["status"] for one in ends} == {"succeeded"}


def test_a_deployment_that_is_disabled_in_a_roll_ends_what_it_has(own_yard: Yard, versions: Versions) -> None:
    yard = own_yard
    with yard.http as http:
        deploy(http, versions["canary"])
        release(http, version=versions["slow-setup"])
        loop = {"input": {"mode": "loop"}}
        running, queued, last = (http.post(f"{DESK}/predictions", json=loop).json() for _ in range(3))
        yard.until_status(running["id"], "processing")
        release(http, min_instances=0, max_instances=0)
        refused = http.post(f"{DESK}/predictions", json={"input": {}})
        ends = [ended(http, one)["status"] for one in (running, queued, last)]
        again = release(http, min_instances=0, max_instances=1, version=versions["canary"])
        after = ended(http, create(http))

    assert ends == ["canceled"] * 3
    assert (refused.status_code, refused.json()["title"]) == (400, "Deployment is disabled")
    assert again["number"] == 4
    assert (after["status"], after["version"]) == ("succeeded", versions["canary"])


def test_another_release_in_a_roll_drops_the_one_between(own_yard: Yard, versions: Versions) -> None:
    yard, old, new = own_yard, versions["canary"], versions["canary-async"]
    with yard.http as http:
        deploy(http, old)
        release(http, version=versions["slow-setup"])
        with load(yard) as made:
            until_served(made, old)
            between = release(http, max_instances=1)
            current = release(http, version=new)
            until_served(made, new)
        ends = [ended(http, one) for one in made]

    assert (between["number"], current["number"]) == (3, 4)
    assert {one["status"] for one in ends} == {"succeeded"}
    assert [one["version"] for one in ends] == sorted((one["version"] for one in ends), key=[old, new].index)


def test_a_release_back_to_what_serves_ends_the_roll(own_yard: Yard, versions: Versions) -> None:
    with own_yard.http as http:
        deploy(http, versions["canary"])
        release(http, version=versions["slow-setup"])
        back = http.post(f"{DESK}/rollback", json={"number": 1}).json()["current_release"]
        end = ended(http, create(http))
        changed = release(http, max_instances=1)

    assert (back["number"], back["version"], "note" in back) == (3, versions["canary"], False)
    assert (end["status"], end["version"]) == ("succeeded", versions["canary"])
    assert changed["number"] == 4


def test_a_priority_makes_a_release_and_is_told_where_there_is_one(own_yard: Yard, versions: Versions) -> None:
    with own_yard.http as http:
        deploy(http, versions["canary"], min_instances=0, priority=-100)
        made = http.get(DESK).json()["current_release"]
        same, changed, none = (release(http, priority=priority) for priority in (-100, 5, 0))
        refused = [http.patch(DESK, json={"priority": wrong}) for wrong in (101, -101, "high")]
        rolled = http.post(f"{DESK}/rollback", json={"number": 2}).json()["current_release"]
    told = own_yard.cogyard("deployments", "update", "cogyard/desk", "--priority", "9")
    shown = own_yard.cogyard("deployments", "show", "cogyard/desk", "--json").stdout

    assert made["configuration"]["priority"] == -100
    assert [one["number"] for one in (same, changed, none, rolled)] == [1, 2, 3, 4]
    assert changed["configuration"]["priority"] == rolled["configuration"]["priority"] == 5
    assert "priority" not in none["configuration"]
    assert {answer.status_code for answer in refused} == {400}
    assert "priority: must be between -100 and 100" in refused[0].json()["detail"]
    assert told.stdout.strip() == "cogyard/desk release 5"
    assert '"priority":9' in shown.replace(" ", "")


def test_whatever_is_created_while_it_is_disabled_ends(own_yard: Yard, versions: Versions) -> None:
    yard, made = own_yard, list[dict[str, Any]]()
    refused = threading.Event()

    def hammer() -> None:
        with yard.http as http:
            while not refused.is_set():
                response = http.post(f"{DESK}/predictions", json={"input": {"text": "x"}})
                if response.status_code == 201:
                    made.append(response.json())
                else:
                    assert response.json()["title"] == "Deployment is disabled"
                    refused.set()

    with yard.http as http:
        deploy(http, versions["canary"])
        callers = [threading.Thread(target=hammer) for _ in range(4)]
        for caller in callers:
            caller.start()
        wait_until(lambda: len(made) > 20, 30, "some predictions")
        release(http, min_instances=0, max_instances=0)
        for caller in callers:
            caller.join(30)
        ends = [ended(http, one)["status"] for one in made]
        kept = wait_until(
            lambda: (found := http.delete(DESK)).status_code == 400 and "minutes ago" in found.text, 30, "its being off"
        )

    assert set(ends) <= {"succeeded", "canceled"}
    assert kept
