"""Finding models, curating them, and what it means to be official."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.yard import FOLDERS, Yard, wait_until


@pytest.fixture(scope="module")
def http(yard: Yard) -> Iterator[httpx.Client]:
    with yard.http as client:
        yield client


@pytest.fixture(scope="module")
def upscaler(yard: Yard, http: httpx.Client) -> str:
    """A public model whose words are those of an upscaler."""
    name = yard.push(FOLDERS / "picture", "acme/upscaler", "--no-examples").partition(":")[0]
    words = {
        "description": "Enlarges images four times",
        "readme": "# Upscaler\n\nSuper resolution of photos with a small network.\n",
    }
    assert http.patch(f"/models/{name}", json=words).status_code == 200
    return name


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [f"{row['owner']}/{row['name']}" for row in rows]


@pytest.mark.parametrize(
    "question", ["make picture bigger", "upscaler", "super resolution", "enlarge photo", "upsc", "UPSCALE!"]
)
def test_a_model_is_found_by_what_it_does(yard: Yard, upscaler: str, canary: str, question: str) -> None:
    found = httpx.get(f"{yard.url}/v1/search", params={"query": question}, trust_env=False).json()

    assert names([hit["model"] for hit in found["models"]])[0] == upscaler
    scores = [hit["metadata"]["score"] for hit in found["models"]]
    assert scores == sorted(scores, reverse=True)
    assert found["query"] == question
    assert found["models"][0]["metadata"]["generated_description"].endswith("Takes title (string); gives a file.")


def test_a_search_needs_words_and_a_sane_limit(yard: Yard, http: httpx.Client, upscaler: str, canary: str) -> None:
    missing = httpx.get(f"{yard.url}/v1/search", trust_env=False)
    one = http.get("/search", params={"query": "acme", "limit": 1})
    bad = [http.get("/search", params={"query": "x", "limit": limit}).status_code for limit in ("0", "51", "x")]
    bad_token = httpx.get(
        f"{yard.url}/v1/search", params={"query": "x"}, headers={"Authorization": "Bearer no"}, trust_env=False
    )

    assert (missing.status_code, missing.json()) == (400, {"detail": 'Query parameter "query" is required'})
    assert len(one.json()["models"]) == 1
    assert bad == [400, 400, 400]
    assert bad_token.status_code == 401


@pytest.mark.parametrize(
    "question", ['"', "AND OR NOT", "a*b:c^(d)", "NEAR(x y)", "'; drop table models; --", "é" * 3000]
)
def test_no_question_breaks_the_search(http: httpx.Client, question: str) -> None:
    assert http.get("/search", params={"query": question}).status_code == 200
    assert http.request("QUERY", "/models", content=question.encode()).status_code in (200, 400)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("upscaler", "text/plain"),
        ('"upscaler"', "text/plain"),
        ('"upscaler"', "application/json"),
        ('"upscaler" or "enlarger"', "text/plain"),
    ],
)
def test_the_older_search_takes_every_clients_form(
    http: httpx.Client, upscaler: str, body: str, content_type: str
) -> None:
    found = http.request("QUERY", "/models", content=body, headers={"Content-Type": content_type}).json()

    assert names(found["results"])[0] == upscaler
    assert found["next"] is None
    assert "is_official" not in found["results"][0]


def test_models_are_sorted_as_asked_and_pages_keep_it(http: httpx.Client, upscaler: str, canary: str) -> None:
    def listed(**query: str) -> list[str]:
        return names(http.get("/models", params=query).json()["results"])

    newest = listed(sort_by="model_created_at")

    assert listed(sort_by="model_created_at", sort_direction="asc") == newest[::-1]
    assert http.get("/models", params={"sort_by": "name"}).status_code == 400
    assert http.get("/models", params={"sort_direction": "up"}).status_code == 400


def test_collections_are_curated_by_admins(http: httpx.Client, upscaler: str, canary: str) -> None:
    name = canary.partition(":")[0]
    words = {"slug": "super-resolution", "name": "Upscale images", "description": "They enlarge."}
    created = http.post("/collections", json=words)
    again = http.post("/collections", json=words)
    for model in (upscaler, name, upscaler):
        http.put(f"/collections/super-resolution/models/{model}")
    whole = http.get("/collections/super-resolution").json()
    http.patch("/collections/super-resolution", json={"full_description": "## Why"})
    out = http.delete(f"/collections/super-resolution/models/{name}")
    later = http.get("/collections/super-resolution").json()
    listed = http.get("/collections").json()["results"]
    found = http.get("/search", params={"query": "enlarge"}).json()["collections"]
    missing = http.put("/collections/super-resolution/models/acme/none")
    gone = http.delete("/collections/super-resolution")

    assert (created.status_code, again.status_code) == (201, 409)
    assert names(whole["models"]) == [upscaler, name]
    assert (out.status_code, names(later["models"])) == (204, [upscaler])
    assert later["full_description"] == "## Why"
    assert [row["slug"] for row in listed] == ["official", "super-resolution"]
    assert set(listed[0]) == {"name", "slug", "description"}
    assert found == [{**{k: words[k] for k in ("name", "slug", "description")}, "models": [upscaler]}]
    assert (missing.status_code, gone.status_code) == (404, 204)
    assert http.get("/collections/super-resolution").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/collections", 409),
        ("DELETE", "/collections/official", 400),
        ("PUT", "/collections/official/models/acme/canary", 400),
        ("DELETE", "/collections/none", 404),
    ],
)
def test_the_official_collection_is_always_there(
    http: httpx.Client, canary: str, method: str, path: str, status: int
) -> None:
    body = {"slug": "official", "name": "x"} if method == "POST" else None

    assert http.request(method, path, json=body).status_code == status
    assert http.get("/collections/official").status_code == 200


def test_a_models_words_are_changed_and_only_those(http: httpx.Client, canary_async: str) -> None:
    name = canary_async.partition(":")[0]
    changed = http.patch(
        f"/models/{name}",
        json={"description": "Sings.", "paper_url": "https://example.com/p", "readme": "# Canary", "github_url": None},
    )
    wrong = http.patch(f"/models/{name}", json={"visibility": "private", "description": 7})

    assert changed.json()["description"] == "Sings."
    assert changed.json()["paper_url"] == "https://example.com/p"
    assert changed.json()["github_url"] is None
    assert http.get(f"/models/{name}/readme").text == "# Canary"
    assert wrong.status_code == 400
    assert {fault["pointer"] for fault in wrong.json()["errors"]} == {"/visibility", "/description"}


def test_only_private_models_without_versions_are_deleted(yard: Yard, http: httpx.Client, canary: str) -> None:
    body = {"owner": "cogyard", "name": "passing", "visibility": "private", "hardware": "cpu"}
    http.post("/models", json=body)
    reference = yard.push(FOLDERS / "picture", "cogyard/passing", "--no-examples")
    version = reference.partition(":")[2]
    yard.run(reference, {})
    public = http.delete(f"/models/{canary.partition(':')[0]}")
    with_version = http.delete("/models/cogyard/passing")
    deleted = http.delete(f"/models/cogyard/passing/versions/{version}")
    gone = http.get(f"/models/cogyard/passing/versions/{version}")
    emptied = http.get("/models/cogyard/passing").json()
    removed = http.delete("/models/cogyard/passing")

    assert (public.status_code, "public" in public.json()["detail"]) == (400, True)
    assert (with_version.status_code, "versions" in with_version.json()["detail"]) == (400, True)
    assert (deleted.status_code, deleted.content) == (202, b"")
    assert gone.status_code == 404
    assert emptied["latest_version"] is None
    assert (removed.status_code, removed.content) == (204, b"")
    assert http.get("/models/cogyard/passing").status_code == 404


def test_versions_of_public_models_and_those_in_use_stay(yard: Yard, http: httpx.Client, canary: str) -> None:
    name, _, version = canary.partition(":")
    public = http.delete(f"/models/{name}/versions/{version}")
    body = {"owner": "cogyard", "name": "used", "visibility": "private", "hardware": "cpu"}
    http.post("/models", json=body)
    mine = yard.push(FOLDERS / "canary", "cogyard/used", "--no-examples").partition(":")[2]
    http.post(
        "/deployments",
        json={"name": "holds", "model": "cogyard/used", "version": mine, "hardware": "cpu"}
        | {"min_instances": 0, "max_instances": 1},
    )
    deployed = http.delete(f"/models/cogyard/used/versions/{mine}")

    assert (public.status_code, "public" in public.json()["detail"]) == (400, True)
    assert (deployed.status_code, "deployment" in deployed.json()["detail"]) == (400, True)


def test_an_official_model_is_called_by_name_and_kept_warm(own_yard: Yard) -> None:
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary-stream", "acme/voice", "--no-examples")
    version = reference.partition(":")[2]
    with yard.http as http:
        body = {"input": {"text": "you"}}
        refused = http.post("/predictions", json={"version": "acme/voice", **body})
        unknown = http.post("/models/acme/voice/predictions", json=body)
        made = http.put(
            "/models/acme/voice/official", json={"is_official": True, "price": {"unit": "image_count", "amount": 0.01}}
        )
        wait_until(lambda: '"event":"instance.ready"' in yard.log().replace(" ", ""), 30, "its warm instance")
        by_name = http.post("/predictions", json={"version": "acme/voice", **body}, headers={"Prefer": "wait"}).json()
        by_model = http.post("/models/acme/voice/predictions", json=body, headers={"Prefer": "wait"}).json()
        versions = http.get("/models/acme/voice/versions")
        curated = http.get("/models/acme/voice/versions", params={"curator": "true"}).json()["results"]
        shown = http.get("/models/acme/voice").json()
        one = http.get(f"/models/acme/voice/versions/{version}")
        official = http.get("/collections/official").json()["models"]

    assert (refused.status_code, unknown.status_code) == (422, 404)
    assert unknown.json() == {"detail": "The requested resource could not be found.", "status": 404}
    assert made.json()["is_official"] is True
    assert {by_name["version"], by_model["version"]} == {"hidden"}
    assert by_name["output"] == by_model["output"] == ["hello ", "there, ", "you"]
    assert versions.status_code == 404
    assert [row["id"] for row in curated] == [version]
    assert shown["latest_version"]["id"] == version
    assert one.status_code == 200
    assert names(official) == ["acme/voice"]


def test_an_official_models_outputs_are_counted_unless_it_counts_itself(own_yard: Yard) -> None:
    yard = own_yard.start()
    for folder, name in (("picture-stream", "acme/painter"), ("canary", "acme/counter")):
        yard.push(FOLDERS / folder, name, "--no-examples")
    with yard.http as http:
        by_hand = yard.run(http.get("/models/acme/painter").json()["latest_version"]["id"], {"count": 3})
        for name in ("painter", "counter"):
            price = {"unit": "image_count", "amount": 0.01}
            http.put(f"/models/acme/{name}/official", json={"is_official": True, "price": price}).raise_for_status()
        painted = yard.run("acme/painter", {"count": 3})
        counted = yard.run("acme/counter", {"mode": "metrics", "count": 7})

    assert "image_count" not in by_hand["metrics"]
    assert painted["metrics"]["image_count"] == len(painted["output"]) == 3
    assert counted["metrics"]["image_count"] == 7


def test_a_version_that_breaks_callers_is_not_promoted_unless_forced(own_yard: Yard) -> None:
    yard = own_yard.start()
    first = yard.push(FOLDERS / "canary", "acme/bird", "--no-examples").partition(":")[2]
    with yard.http as http:
        http.put("/models/acme/bird/official", json={"is_official": True})
        refused = yard.cogyard("push", str(FOLDERS / "canary-stream"), "acme/bird", "--no-examples")
        after = http.get("/models/acme/bird").json()["latest_version"]["id"]
        left = [path.name for path in (yard.data / "sources").iterdir()]
        forced = yard.cogyard("push", str(FOLDERS / "canary-stream"), "acme/bird", "--no-examples", "--force")
        latest = http.get("/models/acme/bird").json()["latest_version"]["id"]
        back = http.post(f"/models/acme/bird/versions/{first}/promote")
        forced_back = http.post(f"/models/acme/bird/versions/{first}/promote", params={"force": "true"})

    assert refused.returncode != 0
    assert "input mode is gone" in refused.stderr
    assert "--force" in refused.stderr
    assert after == first
    assert [name for name in left if not name.startswith(first)] == []
    assert forced.returncode == 0, forced.stderr
    assert latest != first
    assert back.status_code == 409
    assert "the output: its type was array and is object" in back.json()["breaking_changes"]
    assert forced_back.json()["latest_version"]["id"] == first
