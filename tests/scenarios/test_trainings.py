"""Trainings: a real function is trained on a user's file, and the new version runs with what it learned."""

from typing import Any

import pytest

from tests.receiver import receiver
from tests.yard import FOLDERS, Yard, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def destination(yard: Yard) -> str:
    with yard.http as http:
        body = {"owner": "cogyard", "name": "learned", "visibility": "private", "hardware": "cpu"}
        assert http.post("/models", json=body).status_code == 201
    return "cogyard/learned"


def upload(yard: Yard, text: str) -> str:
    with yard.http as http:
        uploaded = http.post("/files", files={"content": ("words.txt", text.encode())}).json()
    url: str = uploaded["urls"]["get"]
    return url


def train(yard: Yard, trainable: str, destination: str | None, model_input: dict[str, Any], **more: Any) -> Any:
    name, _, version = trainable.partition(":")
    body = {"input": model_input, **more} | ({} if destination is None else {"destination": destination})
    with yard.http as http:
        return http.post(f"/models/{name}/versions/{version}/trainings", json=body)


def test_a_training_gives_a_version_that_knows_what_was_learned(yard: Yard, trainable: str, destination: str) -> None:
    response = train(yard, trainable, destination, {"words": upload(yard, "apple banana"), "rounds": 3})
    created = response.json()
    ended = yard.end_of(created["id"])
    with yard.http as http:
        model = http.get(f"/models/{destination}").json()
        listed = http.get("/trainings").json()["results"]
        by_training, by_prediction = (
            http.get(f"/{noun}/{created['id']}").json() for noun in ("trainings", "predictions")
        )
        weights = http.get(ended["output"]["weights"], headers={"Authorization": ""})
        predictions = http.get("/predictions").json()["results"]
    knowing = yard.run(ended["output"]["version"], {"text": "banana split"})
    untrained = yard.run(trainable, {"text": "banana split"})

    assert response.status_code == 201
    assert created["status"] == "starting"
    assert created["urls"]["get"].endswith(f"/v1/trainings/{created['id']}")
    assert ended["status"] == "succeeded", ended["error"]
    assert ended["logs"].startswith("round 1 of 3: 2 words\n")
    assert ended["output"]["version"] == f"{destination}:{model['latest_version']['id']}"
    assert weights.text == "apple\nbanana"
    assert by_training == by_prediction
    assert created["id"] in [row["id"] for row in listed]
    assert created["id"] not in [row["id"] for row in predictions]
    assert knowing["output"] == "banana"
    assert untrained["output"] == "nothing"


def test_a_training_does_not_break_the_callers_of_an_official_model(yard: Yard, trainable: str) -> None:
    name = "acme/trained-official"
    assert yard.push(FOLDERS / "canary-stream", name)
    words = {"words": upload(yard, "apple"), "rounds": 100}
    with yard.http as http:
        before = http.get(f"/models/{name}").json()["latest_version"]["id"]
        meanwhile = train(yard, trainable, name, words).json()["id"]
        http.put(f"/models/{name}/official", json={"is_official": True})
        refused = train(yard, trainable, name, words)
        ended = yard.end_of(meanwhile)
        after = http.get(f"/models/{name}").json()["latest_version"]["id"]
        http.put(f"/models/{name}/official", json={"is_official": False})

    assert refused.status_code == 409
    assert refused.json()["breaking_changes"]
    assert ended["status"] == "failed"
    assert "break" in ended["error"]
    assert after == before


def test_the_same_words_give_the_same_version(yard: Yard, trainable: str, destination: str) -> None:
    one, other, another = (
        yard.end_of(train(yard, trainable, destination, {"words": upload(yard, words)}).json()["id"])["output"]
        for words in ("cherry", "cherry", "date")
    )

    assert one["version"] == other["version"] != another["version"]


@pytest.mark.parametrize(
    ("mode", "error"),
    [("raise", "these words cannot be learned"), ("forget", "words.txt"), ("tell", "The training gave no weights")],
)
def test_a_training_that_fails_says_why_and_makes_no_version(
    yard: Yard, trainable: str, destination: str, mode: str, error: str
) -> None:
    with yard.http as http:
        before = http.get(f"/models/{destination}/versions").json()["results"]
    ended = yard.end_of(train(yard, trainable, destination, {"words": upload(yard, "x"), "mode": mode}).json()["id"])
    with yard.http as http:
        after = http.get(f"/models/{destination}/versions").json()["results"]

    assert ended["status"] == "failed"
    assert error in ended["error"]
    assert ended["output"] is None
    assert before == after


def test_a_training_is_canceled(yard: Yard, trainable: str, destination: str) -> None:
    created = train(yard, trainable, destination, {"words": upload(yard, "x"), "rounds": 1000}).json()
    yard.until_status(created["id"], "processing")
    with yard.http as http:
        canceled = http.post(f"/trainings/{created['id']}/cancel")

    assert canceled.status_code == 200
    assert yard.end_of(created["id"])["status"] == "canceled"


def test_a_trainings_webhook_tells_what_reading_it_tells(yard: Yard, trainable: str, destination: str) -> None:
    with receiver() as told:
        hook = {"webhook": told.url, "webhook_events_filter": ["start", "completed"]}
        created = train(yard, trainable, destination, {"words": upload(yard, "elder")}, **hook).json()
        wait_until(lambda: len(told.got) == 2, 20, "two deliveries")
        with yard.http as http:
            ended = http.get(f"/trainings/{created['id']}").json()
    start, completed = (one.body for one in told.got)

    assert (start["status"], start["output"]) == ("processing", None)
    assert completed["status"] == "succeeded"
    assert completed["output"]["version"].startswith(f"{destination}:")
    assert {**completed, "output": None, "urls": None} == {**ended, "output": None, "urls": None}


@pytest.mark.parametrize("goal", ["acme/none", "nonsense", "", None, "acme/../x"])
def test_a_destination_that_is_not_there_is_404(yard: Yard, trainable: str, goal: str | None) -> None:
    response = train(yard, trainable, goal, {"words": "https://example.com/x.txt"})

    assert response.status_code == 404
    assert response.json() == {"detail": "The specified training destination does not exist", "status": 404}


def test_bad_input_is_told_by_the_training_schema(yard: Yard, trainable: str, destination: str) -> None:
    response = train(yard, trainable, destination, {"rounds": 0})

    assert response.status_code == 422
    assert response.json()["detail"] == (
        "- input: words is required\n- input.rounds: Must be greater than or equal to 1\n"
    )


def test_a_version_without_a_train_function_is_422(yard: Yard, canary: str, destination: str) -> None:
    response = train(yard, canary, destination, {})

    assert response.status_code == 422
    assert "train" in response.json()["detail"]


def test_a_training_outlives_a_killed_server_and_so_does_its_version(own_yard: Yard) -> None:
    own_yard.start()
    base = own_yard.push(FOLDERS / "trainable", "cogyard/trainable")
    goal = "cogyard/learned"
    with own_yard.http as http:
        body = {"owner": "cogyard", "name": "learned", "visibility": "private", "hardware": "cpu"}
        assert http.post("/models", json=body).status_code == 201
    created = train(own_yard, base, goal, {"words": upload(own_yard, "fig"), "rounds": 200}).json()
    wait_until(lambda: "round 2 of 200" in (own_yard.get(created["id"])["logs"] or ""), 60, "the training's begin")
    own_yard.kill()
    own_yard.start()
    ended = own_yard.end_of(created["id"])
    own_yard.kill()
    own_yard.start()
    with own_yard.http as http:
        versions = http.get(f"/models/{goal}/versions").json()["results"]

    assert ended["status"] == "succeeded", ended["error"]
    assert [f"{goal}:{version['id']}" for version in versions] == [ended["output"]["version"]]
    assert own_yard.run(ended["output"]["version"], {"text": "fig tree"})["output"] == "fig"
