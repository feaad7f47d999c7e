"""The scheduler with real models: who gets the room, who waits and why, and what becomes of what cannot run."""

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.yard import FOLDERS, Yard, wait_until

pytestmark = pytest.mark.slow


def post(yard: Yard, reference: str, model_input: dict[str, Any]) -> str:
    response = yard.create(reference, model_input)
    assert response.status_code == 201, response.text
    found: str = response.json()["id"]
    return found


def cancel(yard: Yard, prediction: str) -> None:
    with yard.http as http:
        http.post(f"/predictions/{prediction}/cancel")


def reason(yard: Yard, prediction: str) -> str:
    """Why it waits, once that is known."""
    found: str = wait_until(lambda: yard.get(prediction).get("waiting_reason"), 10, "a reason")
    return found


def test_what_was_waited_for_is_told_with_the_prediction(own_yard: Yard) -> None:
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")
    cold, warm = yard.run(reference, {}), yard.run(reference, {})

    timing = cold["timing"]
    assert set(timing) == {"queue", "spawn", "import", "setup", "run"}
    assert timing["spawn"] > 0.05
    assert timing["run"] == cold["metrics"]["predict_time"]
    waited = sum(timing[part] for part in ("queue", "spawn", "import", "setup"))
    assert waited == pytest.approx(cold["metrics"]["total_time"] - cold["metrics"]["predict_time"], abs=0.1)
    assert set(warm["timing"]) == {"queue", "run"}
    assert warm["timing"]["queue"] < 0.5


def test_a_full_queue_refuses_with_a_time_to_come_back(own_yard: Yard) -> None:
    own_yard.settings["max_queue"] = "3"
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")
    running = post(yard, reference, {"mode": "loop"})
    yard.until_status(running, "processing")
    waiting = [post(yard, reference, {"text": str(number)}) for number in range(3)]

    refused = yard.create(reference, {"text": "one too many"})
    cancel(yard, running)

    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "10"
    assert refused.json()["title"] == "Queue is full"
    assert "3 predictions wait for acme/canary already" in refused.json()["detail"]
    assert {yard.end_of(one)["status"] for one in waiting} == {"succeeded"}
    assert yard.run(reference, {})["status"] == "succeeded"


def test_one_model_does_not_starve_another(own_yard: Yard) -> None:
    own_yard.settings.update(max_instances="1", turn="1")
    yard = own_yard.start()
    greedy = yard.push(FOLDERS / "canary", "acme/greedy", "--no-examples")
    modest = yard.push(FOLDERS / "canary-stream", "acme/modest", "--no-examples")
    first = post(yard, greedy, {"mode": "loop"})
    many = [post(yard, greedy, {"text": str(number)}) for number in range(10)]
    yard.until_status(first, "processing")

    one = post(yard, modest, {"text": "you"})
    time.sleep(2)  # the greedy one has had its turn, and is told to come to an end
    assert yard.get(one)["status"] == "starting"
    assert reason(yard, one) == "waits for room for 1 instance: 1 of 1 in use by acme/greedy"
    cancel(yard, first)

    assert yard.end_of(one)["status"] == "succeeded"
    assert [yard.get(waiting)["status"] for waiting in many] == ["starting"] * 10 or yard.end_of(many[0])
    assert {yard.end_of(waiting)["status"] for waiting in many} == {"succeeded"}


def test_what_runs_when_its_turn_is_over_ends_in_its_own_time(own_yard: Yard) -> None:
    own_yard.settings.update(max_instances="1", turn="0.5", stop_grace="0.5")
    yard = own_yard.start()
    greedy = yard.push(FOLDERS / "canary", "acme/greedy", "--no-examples")
    modest = yard.push(FOLDERS / "canary-stream", "acme/modest", "--no-examples")
    running = post(yard, greedy, {"mode": "loop"})
    yard.until_status(running, "processing")
    one = post(yard, modest, {"text": "you"})

    time.sleep(3)  # far longer than turn and grace
    untouched = yard.get(running)
    cancel(yard, running)

    assert (untouched["status"], "interrupted" in untouched["logs"]) == ("processing", False)
    assert yard.end_of(one)["status"] == "succeeded"


def test_who_waits_for_a_gpu_is_told_who_has_it(own_yard: Yard) -> None:
    own_yard.settings.update(
        machine_gpus='[{"name": "RTX 4090", "memory_gib": 24}]', hardware='{"gpu-4090": {"gpus": 1}}'
    )
    yard = own_yard.start()
    with yard.http as http:
        for name in ("one", "two"):
            made = {"owner": "cogyard", "name": name, "visibility": "public", "hardware": "gpu-4090"}
            assert http.post("/models", json=made).status_code == 201
    one = yard.push(FOLDERS / "canary", "cogyard/one", "--no-examples")
    two = yard.push(FOLDERS / "canary-stream", "cogyard/two", "--no-examples")
    running = post(yard, one, {"mode": "loop"})
    yard.until_status(running, "processing")
    waiting = post(yard, two, {"text": "you"})

    told = reason(yard, waiting)
    cancel(yard, running)

    assert told == "waits for 1 GPU: 1 of 1 in use by cogyard/one"
    assert yard.end_of(waiting)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ({"gpus": 1}, "needs 1 GPU, more than this machine has (none)"),
        ({"cpus": 4096}, "needs 4096 CPUs, more than this machine has"),
        ({"memory_gib": 40960}, "needs 40960.0 GiB of memory, more than this machine has"),
    ],
)
def test_hardware_that_does_not_fit_is_refused_by_name(own_yard: Yard, kind: dict[str, int], fault: str) -> None:
    own_yard.settings.update(machine_gpus="[]", hardware=json.dumps({"huge": kind}))
    yard = own_yard.start()
    with yard.http as http:
        refused = http.post(
            "/models", json={"owner": "cogyard", "name": "m", "visibility": "private", "hardware": "huge"}
        )

    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"] == "/hardware"
    assert fault in refused.json()["errors"][0]["detail"]


def test_hardware_that_went_away_ends_what_waits_for_it(own_yard: Yard) -> None:
    own_yard.settings.update(
        machine_gpus='[{"name": "RTX 4090", "memory_gib": 24}]', hardware='{"gpu-4090": {"gpus": 1}}'
    )
    yard = own_yard.start()
    with yard.http as http:
        http.post("/models", json={"owner": "cogyard", "name": "m", "visibility": "private", "hardware": "gpu-4090"})
    reference = yard.push(FOLDERS / "canary", "cogyard/m", "--no-examples")
    yard.stop()
    yard.settings["machine_gpus"] = "[]"
    yard.start()

    ended = yard.run(reference, {})

    assert ended["status"] == "failed"
    assert ended["error"] == (
        "This can never run here: hardware gpu-4090 needs 1 GPU, more than this machine has (none)."
    )


def test_a_model_whose_setup_fails_each_time_is_left_alone_for_longer_and_longer(own_yard: Yard) -> None:
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "broken-setup", "acme/broken", "--no-examples")
    failed = [yard.run(reference, {}) for _ in range(3)]
    fourth = post(yard, reference, {})

    told = reason(yard, fourth)
    starts = sum(event.get("event") == "instance.starting" for event in yard.log_events())
    ended = yard.end_of(fourth, 40)

    assert {one["error"] for one in failed} == {"Model setup failed: RuntimeError: the weights are not there"}
    assert "its setup failed 3 times in a row, last: RuntimeError: the weights are not there" in told
    assert "the next try is in" in told
    assert starts == 3
    assert ended["error"] == "Model setup failed: RuntimeError: the weights are not there"


def test_a_model_that_ends_as_soon_as_it_is_ready_fails_what_waits_after_three_tries(own_yard: Yard) -> None:
    yard = own_yard.start()
    ended = yard.run(yard.push(FOLDERS / "exit-ready", "acme/leaver", "--no-examples"), {})

    assert ended["status"] == "failed"
    assert "exit code 9" in ended["error"]
    starts = sum(event.get("event") == "instance.starting" for event in yard.log_events())
    assert starts == 3


def test_ten_thousand_that_wait_for_a_version_that_is_gone_end_and_nothing_hangs(own_yard: Yard) -> None:
    yard = own_yard.start()
    gone = yard.push(FOLDERS / "slow-setup", "acme/gone", "--no-examples")
    other = yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")
    first = post(yard, gone, {})
    yard.stop()
    with sqlite3.connect(yard.data / "cogyard.db") as database:
        names = [
            row[1] for row in database.execute("pragma table_info(predictions)") if row[1] not in ("sequence", "id")
        ]
        kept = ", ".join(names)
        database.execute(
            f"with recursive n(i) as (select 1 union all select i + 1 from n where i < 9999) "
            f"insert into predictions (id, {kept}) select printf('%026d', i), {kept} from n, predictions where id = ?",
            [first],
        )
        database.execute("delete from model_versions where version = ?", [gone.partition(":")[2]])
        database.execute("delete from versions where id = ?", [gone.partition(":")[2]])
    database.close()
    yard.start()

    assert yard.run(other, {})["status"] == "succeeded"
    ended = yard.end_of(first)
    last = yard.end_of("0" * 22 + "9999")

    assert {ended["error"], last["error"]} == {"The version was deleted before the prediction began."}


def test_an_official_model_is_warm_before_anybody_asks_also_after_a_kill(own_yard: Yard) -> None:
    yard = own_yard.start()
    yard.push(FOLDERS / "canary", "cogyard/canary", "--no-examples")
    with yard.http as http:
        assert http.put("/models/cogyard/canary/official", json={"is_official": True}).status_code == 200
    is_ready = lambda: any(event.get("event") == "instance.ready" for event in yard.log_events())  # noqa: E731
    wait_until(is_ready, 20, "the first warm instance")

    yard.kill()
    (yard.data / "server.log").write_text("")
    yard.start()
    wait_until(is_ready, 20, "a warm instance after the restart")
    with yard.http as http:
        ran = http.post(
            "/models/cogyard/canary/predictions", json={"input": {"text": "hi"}}, headers={"Prefer": "wait"}
        ).json()

    assert "spawn" not in ran["timing"]


def test_no_model_outlives_a_killed_server(own_yard: Yard) -> None:
    yard = own_yard.start()
    one = yard.push(FOLDERS / "canary", "acme/one", "--no-examples")
    running = post(yard, one, {"mode": "loop"})
    booting = post(yard, yard.push(FOLDERS / "slow-setup", "acme/slow", "--no-examples"), {})
    yard.until_status(running, "processing")
    assert yard.process is not None
    family = psutil.Process(yard.process.pid).children(recursive=True)
    assert len(family) >= 3

    yard.kill()

    wait_until(lambda: not any(_is_alive(one) for one in family), 10, "the end of all processes")
    assert Path(f"/proc/{yard.process.pid}").exists() is False or yard.process.poll() is not None
    yard.start()
    for waiting in (running, booting):
        cancel(yard, waiting)
    assert {yard.end_of(waiting)["status"] for waiting in (running, booting)} == {"canceled"}


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def test_a_queued_prediction_is_canceled_at_once(own_yard: Yard) -> None:
    yard = own_yard.start()
    waiting = post(yard, yard.push(FOLDERS / "slow-setup", "acme/slow", "--no-examples"), {})

    with yard.http as http:
        begun = time.monotonic()
        answer: httpx.Response = http.post(f"/predictions/{waiting}/cancel")

    assert answer.json()["status"] == "canceled"
    assert time.monotonic() - begun < 0.5
