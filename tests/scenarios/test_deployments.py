"""Deployments: endpoints of one's own, their releases, and what may be done to them when."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.yard import FOLDERS, Yard, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def http(yard: Yard) -> Iterator[httpx.Client]:
    with yard.http as client:
        yield client


def body(reference: str, called: str, **changes: Any) -> dict[str, Any]:
    model, _, version = reference.partition(":")
    limits = {"min_instances": 0, "max_instances": 1}
    return {"name": called, "model": model, "version": version, "hardware": "cpu", **limits, **changes}


def test_a_deployment_is_created_used_changed_and_rolled_back(
    yard: Yard, http: httpx.Client, canary: str, canary_stream: str
) -> None:
    response = http.post("/deployments", json=body(canary, "lifecycle"))
    created = response.json()
    run = http.post(
        "/deployments/cogyard/lifecycle/predictions", json={"input": {"text": "hi"}}, headers={"Prefer": "wait"}
    ).json()
    other = canary_stream.partition(":")[2]
    same = http.patch("/deployments/cogyard/lifecycle", json={"max_instances": 1}).json()
    changed = http.patch("/deployments/cogyard/lifecycle", json={"max_instances": 3, "hardware": "gpu-t4"}).json()
    rolled = http.post("/deployments/cogyard/lifecycle/rollback", json={"number": 1}).json()
    releases = http.get("/deployments/cogyard/lifecycle/releases").json()["results"]
    wrong = http.patch("/deployments/cogyard/lifecycle", json={"version": other})

    assert response.status_code == 200
    assert created["owner"] == "cogyard"
    assert created["current_release"]["number"] == 1
    assert created["current_release"]["created_by"]["username"] == "cogyard"
    assert created["current_release"]["configuration"] == {
        "hardware": "cpu",
        "min_instances": 0,
        "max_instances": 1,
    }
    assert run["deployment"] == "cogyard/lifecycle"
    assert (run["model"], run["version"]) == tuple(canary.split(":"))
    assert yard.end_of(run["id"])["output"]["text"] == "hi"
    assert same["current_release"]["number"] == 1  # nothing changed, so nothing was released
    assert changed["current_release"]["number"] == 2
    assert changed["current_release"]["configuration"]["max_instances"] == 3
    assert rolled["current_release"]["number"] == 3
    assert rolled["current_release"]["configuration"] == created["current_release"]["configuration"]
    assert [release["number"] for release in releases] == [3, 2, 1]
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (400, "/version")


def test_a_deployment_keeps_its_instances_warm(yard: Yard, http: httpx.Client, canary_async: str) -> None:
    http.post("/deployments", json=body(canary_async, "warm", min_instances=1))
    path = "/deployments/cogyard/warm"
    wait_until(lambda: any(str(event.get("queue")).startswith("deployment/") for event in yard.log_events()), 20, "it")
    refused = http.delete(path)
    run = http.post(f"{path}/predictions", json={"input": {"text": "hi"}}, headers={"Prefer": "wait"}).json()
    http.patch(path, json={"min_instances": 0})

    assert (refused.status_code, "offline" in refused.json()["detail"]) == (400, True)
    assert yard.end_of(run["id"])["status"] == "succeeded"


def test_both_limits_zero_disable_it_and_cancel_what_runs(yard: Yard, http: httpx.Client, canary: str) -> None:
    http.post("/deployments", json=body(canary, "off"))
    path = "/deployments/cogyard/off"
    running, queued = (http.post(f"{path}/predictions", json={"input": {"mode": "loop"}}).json() for _ in range(2))
    yard.until_status(running["id"], "processing")
    disabled = http.patch(path, json={"min_instances": 0, "max_instances": 0})
    refused = http.post(f"{path}/predictions", json={"input": {}})

    assert disabled.status_code == 200
    assert (refused.status_code, refused.json()["title"]) == (400, "Deployment is disabled")
    assert yard.end_of(running["id"])["status"] == "canceled"
    assert yard.end_of(queued["id"])["status"] == "canceled"


def test_a_release_with_another_version_drops_no_prediction(own_yard: Yard) -> None:
    yard = own_yard.start()
    old = yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")
    new = yard.push(FOLDERS / "canary-async", "acme/canary")
    with yard.http as http:
        http.post("/deployments", json=body(old, "rolling"))
        path = "/deployments/cogyard/rolling"
        before = [http.post(f"{path}/predictions", json={"input": {"text": "a"}}).json() for _ in range(5)]
        released = http.patch(path, json={"version": new.partition(":")[2]})
        after = [http.post(f"{path}/predictions", json={"input": {"text": "b"}}).json() for _ in range(5)]

    assert released.json()["current_release"]["number"] == 2
    assert {yard.end_of(one["id"])["status"] for one in [*before, *after]} == {"succeeded"}
    assert {one["version"] for one in before} == {old.partition(":")[2]}
    assert {one["version"] for one in after} == {new.partition(":")[2]}


def test_an_unused_one_is_deleted_and_a_used_one_is_not(yard: Yard, http: httpx.Client, canary: str) -> None:
    http.post("/deployments", json=body(canary, "brief"))
    listed = [row["name"] for row in http.get("/deployments").json()["results"]]
    gone = http.delete("/deployments/cogyard/brief")
    http.post("/deployments", json=body(canary, "used"))
    run = http.post("/deployments/cogyard/used/predictions", json={"input": {}}).json()
    yard.end_of(run["id"])
    http.patch("/deployments/cogyard/used", json={"min_instances": 0, "max_instances": 0})
    wait_until(lambda: "minutes ago" in http.delete("/deployments/cogyard/used").text, 20, "its being offline")

    assert "brief" in listed
    assert (gone.status_code, gone.content) == (204, b"")
    assert http.get("/deployments/cogyard/brief").status_code == 404
    assert http.post("/deployments/cogyard/brief/predictions", json={"input": {}}).status_code == 404


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ({"min_instances": 6, "max_instances": 6}, 400, "min_instances: must be between 0 and 5"),
        ({"max_instances": 21}, 400, "max_instances: must be between 0 and 20"),
        ({"max_instances": -1}, 400, "max_instances: must be between 0 and 20"),
        ({"min_instances": 2}, 400, "max_instances: must be greater than or equal to min_instances"),
        ({"hardware": "abacus"}, 400, "hardware: abacus is not a valid hardware SKU"),
        ({"model": "acme/none"}, 400, "model: there is no model acme/none"),
        ({"model": "x"}, 400, "model: 'x' is not a model name"),
        ({"model": ""}, 400, "model: '' is not a model name"),
        ({"hardware": ""}, 400, "hardware:  is not a valid hardware SKU"),
        ({"version": "0" * 64}, 400, "version: acme/canary has no version"),
        ({"version": ""}, 400, "version: acme/canary has no version ''"),
        ({"name": "a/b"}, 400, "name: use letters"),
        ({"name": None}, 400, "name: Invalid type. Expected: string, given: null"),
        ({"min_instances": "1"}, 400, "min_instances: Invalid type. Expected: integer, given: string"),
        ({"min_instances": 0.5}, 400, "min_instances: Invalid type. Expected: integer, given: number"),
    ],
)
def test_what_cannot_be_deployed_is_told(
    http: httpx.Client, canary: str, change: dict[str, Any], status: int, told: str
) -> None:
    response = http.post("/deployments", json=body(canary, "never", **change))

    assert response.status_code == status
    assert told in response.json()["detail"]
    assert http.get("/deployments/cogyard/never").status_code == 404


def test_a_name_is_taken_once_and_missing_fields_are_all_named(http: httpx.Client, canary: str) -> None:
    http.post("/deployments", json=body(canary, "taken"))
    again = http.post("/deployments", json=body(canary, "TAKEN"))
    empty = http.post("/deployments", json={})

    changed = http.patch("/deployments/cogyard/taken", json={"version": ""})

    assert changed.status_code == 400
    assert again.status_code == 409
    assert again.json()["errors"][0]["detail"] == "A deployment with that name and owner already exists."
    assert empty.status_code == 400
    assert [fault["detail"] for fault in empty.json()["errors"]] == ["is required"] * 6
    assert empty.json()["errors"][0]["pointer"] == "/name"
