"""Ids that versions have elsewhere: programs that came from there go on using them."""

from collections.abc import Iterator

import httpx
import pytest

from tests.yard import FOLDERS, Yard

FOREIGN = "30e2" + "f" * 60
UNKNOWN = "0" * 64


@pytest.fixture(scope="module")
def http(yard: Yard) -> Iterator[httpx.Client]:
    with yard.http as client:
        yield client


@pytest.fixture(scope="module")
def version(yard: Yard, http: httpx.Client) -> str:
    """The id that our own version has; the other one is its alias."""
    own = yard.push(FOLDERS / "canary-stream", "elsewhere/canary").partition(":")[2]
    made = http.put(f"/models/elsewhere/canary/aliases/{FOREIGN}", json={})
    assert (made.status_code, made.json()["version"]) == (200, own), made.text
    return own


@pytest.mark.parametrize("reference", [f"elsewhere/canary:{FOREIGN}", FOREIGN], ids=["with the name", "bare"])
def test_a_prediction_by_a_foreign_id_runs_our_version_and_says_so(
    yard: Yard, http: httpx.Client, version: str, reference: str
) -> None:
    created = http.post("/predictions", json={"version": reference, "input": {"text": "Ada"}})

    assert created.status_code == 201, created.text
    assert (created.json()["model"], created.json()["version"]) == ("elsewhere/canary", version)
    assert "".join(yard.end_of(created.json()["id"])["output"]) == "hello there, Ada"


def test_the_version_is_found_by_either_id_and_listed_by_its_own(http: httpx.Client, version: str) -> None:
    found = http.get(f"/models/elsewhere/canary/versions/{FOREIGN}")
    listed = http.get("/models/elsewhere/canary/versions").json()["results"]

    assert (found.status_code, found.json()["id"]) == (200, version)
    assert [entry["id"] for entry in listed] == [version]


def test_a_deployment_may_name_it(http: httpx.Client, version: str) -> None:
    body = {
        "name": "by-alias",
        "model": "elsewhere/canary",
        "version": FOREIGN,
        "hardware": "cpu",
        "min_instances": 0,
        "max_instances": 1,
    }
    made = http.post("/deployments", json=body)

    assert made.status_code == 200, made.text
    assert made.json()["current_release"]["version"] == version
    assert http.delete(f"/deployments/{made.json()['owner']}/by-alias").status_code in (204, 400)


def test_a_training_may_name_it(http: httpx.Client, version: str) -> None:
    body = {"destination": "elsewhere/canary", "input": {}}
    refused = http.post(f"/models/elsewhere/canary/versions/{FOREIGN}/trainings", json=body)

    assert "cannot be trained" in refused.json()["detail"]  # so it was found


def test_a_version_that_an_alias_stands_for_stays(yard: Yard, http: httpx.Client) -> None:
    body = {"owner": "cogyard", "name": "called-otherwise", "visibility": "private", "hardware": "cpu"}
    assert http.post("/models", json=body).status_code == 201
    own = yard.push(FOLDERS / "picture", "cogyard/called-otherwise").partition(":")[2]
    assert http.put(f"/models/cogyard/called-otherwise/aliases/{UNKNOWN}", json={"version": own}).status_code == 200

    refused = http.delete(f"/models/cogyard/called-otherwise/versions/{own}")
    assert (refused.status_code, "an alias stands for it" in refused.json()["detail"]) == (400, True)
    assert http.delete(f"/models/cogyard/called-otherwise/aliases/{UNKNOWN}").status_code == 204
    assert http.delete(f"/models/cogyard/called-otherwise/versions/{own}").status_code == 202


def test_other_ids_of_that_model_stay_unknown(http: httpx.Client, version: str) -> None:
    for reference in (f"elsewhere/canary:{UNKNOWN}", UNKNOWN):
        refused = http.post("/predictions", json={"version": reference, "input": {"text": "x"}})
        assert (refused.status_code, refused.json()["title"]) == (422, "Invalid version or not permitted")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"/models/elsewhere/nothing/aliases/{UNKNOWN}", {}, 404),
        (f"/models/elsewhere/canary/aliases/{UNKNOWN}", {"version": UNKNOWN}, 400),
        ("/models/elsewhere/canary/aliases/latest", {}, 400),
        (f"/models/elsewhere/canary/aliases/{UNKNOWN.replace('0', 'A')}", {}, 400),
        ("/models/elsewhere/canary/aliases/{own}", {}, 400),
        (f"/models/elsewhere/canary/aliases/{UNKNOWN}", {"verson": "x"}, 400),
    ],
)
def test_what_cannot_be_an_alias_is_refused(
    http: httpx.Client, version: str, path: str, body: dict[str, str], status: int
) -> None:
    assert http.put(path.format(own=version), json=body).status_code == status


def test_an_alias_is_taken_away_again(yard: Yard, http: httpx.Client, version: str) -> None:
    other = "1" * 64
    set_it = yard.cogyard("models", "alias", "elsewhere/canary", other, version)
    listed = yard.cogyard("models", "aliases", "elsewhere/canary")
    removed = yard.cogyard("models", "alias", "elsewhere/canary", other, "--remove")
    again = yard.cogyard("models", "alias", "elsewhere/canary", other, "--remove")

    assert set_it.stdout == f"elsewhere/canary:{other} runs {version}\n"
    assert [line.split("\t")[:2] for line in listed.stdout.splitlines()] == [[other, version], [FOREIGN, version]]
    assert (removed.returncode, again.returncode) == (0, 3)
    assert http.get(f"/models/elsewhere/canary/versions/{other}").status_code == 404
