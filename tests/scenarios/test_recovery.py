"""What a kill or a full disk leaves behind: nothing lost, nothing running, a clear word."""

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from cogyard.instances.scratch import COGLET_SPOOL
from cogyard.store.sqlite import lock_folder
from tests.yard import FOLDERS, TOKEN, Yard, wait_until


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_predictions_outlive_a_killed_server_and_its_models_do_not(own_yard: Yard) -> None:
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")
    model = yard.run(reference, {"mode": "pids"})["output"]
    daemon = yard.run(reference, {"mode": "daemon"})["output"]["pid"]
    running = yard.create(reference, {"mode": "loop"}).json()["id"]
    queued = [yard.create(reference, {"text": str(number)}).json()["id"] for number in range(20)]
    yard.until_status(running, "processing")

    yard.kill()
    wait_until(lambda: not psutil.pid_exists(model["worker"]), 5, "the end of the orphaned model")
    yard.start()
    assert not is_alive(daemon), "it left the model's group, not its instance"
    yard.until_status(running, "processing")
    assert "the server was restarted" in yard.get(running)["logs"]
    with yard.http as http:
        http.post(f"/predictions/{running}/cancel")

    assert yard.end_of(running)["status"] == "canceled"
    assert [yard.end_of(one)["output"]["text"] for one in queued] == [str(number) for number in range(20)]


def test_kills_at_any_moment_lose_nothing_that_was_acknowledged(own_yard: Yard) -> None:
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")
    acknowledged: list[str] = []
    for round_number in range(5):
        count = 20 + 7 * round_number
        acknowledged += [yard.create(reference, {"text": str(number)}).json()["id"] for number in range(count)]
        yard.kill()
        yard.start()

    ends = [yard.end_of(one) for one in acknowledged]

    assert {end["status"] for end in ends} == {"succeeded"}


def test_a_stopped_server_gives_running_predictions_back(own_yard: Yard) -> None:
    own_yard.settings["stop_grace"] = "0.2"
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")
    running = yard.create(reference, {"mode": "loop"}).json()["id"]
    yard.until_status(running, "processing")

    yard.stop()
    yard.start()

    yard.until_status(running, "processing")
    with yard.http as http:
        http.post(f"/predictions/{running}/cancel")
    assert yard.end_of(running)["status"] == "canceled"


def test_output_that_was_shown_is_never_contradicted_by_a_second_run(own_yard: Yard, tmp_path: Path) -> None:
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary-stream", "acme/stream")
    streaming = yard.create(reference, {"text": "you", "gate": str(tmp_path)}).json()["id"]
    wait_until(lambda: yard.get(streaming)["output"] == ["hello "], 30, "the first item")

    yard.kill()
    assert (COGLET_SPOOL / streaming).exists()
    yard.start()
    done = yard.end_of(streaming)

    assert done["status"] == "failed"
    assert done["output"] == ["hello "]
    assert "run it again" in done["error"]
    assert not (COGLET_SPOOL / streaming).exists(), "what the killed one left in the Cog servers' common folder"


def test_a_second_server_on_the_same_folder_says_who_has_it(own_yard: Yard) -> None:
    yard = own_yard.start()
    assert yard.process is not None

    other = Yard(yard.data)
    ended = subprocess.run(
        [sys.executable, "-m", "cogyard", "serve"],
        env=other.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 5
    assert f"in use by another Cogyard server (process {yard.process.pid})" in ended.stderr
    assert "COGYARD_DATA" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_taken_port_is_named_with_what_to_do(yard: Yard, tmp_path: Path) -> None:
    other = Yard(tmp_path, port=yard.port)
    ended = other.cogyard("serve")

    assert ended.returncode == 5
    assert f"Port {yard.port} of 127.0.0.1 cannot be used" in ended.stderr
    assert "COGYARD_PORT" in ended.stderr


def test_a_database_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    other = Yard(tmp_path / "data").start()
    other.stop()
    with sqlite3.connect(tmp_path / "data" / "cogyard.db") as database:
        database.execute("update alembic_version set version_num = '9999'")
    database.close()

    ended = other.cogyard("serve")

    assert ended.returncode == 5
    assert "has schema 9999, which this release of Cogyard does not know" in ended.stderr
    assert "Upgrade Cogyard" in ended.stderr


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "cogyard.db").write_bytes(b"these are not the rows you are looking for" * 100)

    ended = Yard(tmp_path).cogyard("serve")

    assert ended.returncode == 5
    assert "is not a database" in ended.stderr


def test_what_a_server_keeps_is_for_its_own_user(own_yard: Yard) -> None:
    own_yard.data.mkdir(parents=True, mode=0o755)
    own_yard.start()

    assert (own_yard.data / "cogyard.db").stat().st_mode & 0o077 == 0


def test_the_folder_lock_goes_with_its_holder(tmp_path: Path) -> None:
    lock_folder(tmp_path / "cogyard.lock").close()
    lock_folder(tmp_path / "cogyard.lock").close()


@pytest.fixture
def small_disk(own_yard: Yard) -> Iterator[Callable[[int], None]]:
    """Gives `own_yard` a disk of so many megabytes."""

    def mount(megabytes: int) -> None:
        own_yard.data.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(own_yard.data)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("this user may not mount a small disk")

    yield mount
    own_yard.stop()
    subprocess.run(["umount", str(own_yard.data)], capture_output=True, check=False)


def test_a_full_disk_at_push_leaves_nothing_and_the_server_up(
    own_yard: Yard, small_disk: Callable[[int], None]
) -> None:
    small_disk(24)
    yard = own_yard.start()
    pushed = yard.cogyard("push", str(FOLDERS / "canary"), "acme/canary")

    assert pushed.returncode != 0
    assert "no space left" in pushed.stderr.lower()
    assert not list((yard.data / "environments").iterdir())
    assert not list((yard.data / "sources").iterdir())
    with yard.http as http:
        assert http.get("/account", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert http.get("/models/acme/canary").status_code == 404


def test_a_disk_that_is_full_for_a_while_ends_nothing_that_runs(
    own_yard: Yard, small_disk: Callable[[int], None]
) -> None:
    small_disk(64)
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")
    running = yard.create(reference, {"mode": "loop"}).json()["id"]
    yard.until_status(running, "processing")

    filling = fill(yard.data)
    wait_until(lambda: yard.create(reference, {"text": "x" * 20_000}).status_code == 507, 10, "a full disk")
    wait_until(lambda: any(event["event"] == "leases.not_extended" for event in yard.log_events()), 20, "a lease")
    filling.unlink()

    wait_until(lambda: yard.create(reference, {}).status_code == 201, 10, "room")
    assert yard.get(running)["status"] == "processing"
    with yard.http as http:
        http.post(f"/predictions/{running}/cancel")
    assert yard.end_of(running)["status"] == "canceled"
    assert not [event for event in yard.log_events() if event["event"] in ("instance.broken", "instance.over")]


def fill(folder: Path) -> Path:
    """Use up what is left of the disk."""
    filling = folder / "filling"
    with contextlib.suppress(OSError), filling.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filling


def test_what_a_full_disk_keeps_from_starting_waits_for_room(own_yard: Yard, small_disk: Callable[[int], None]) -> None:
    small_disk(64)
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")
    with yard.http as http:
        http.patch("/models/acme/canary/settings", json={"max_instances": 0})
        # the log of the database has grown, and is used again from its beginning: there is always room for a row
        for _ in range(9):
            made = http.post("/predictions", json={"version": reference, "input": {"text": "x" * 2_000_000}}).json()
            http.post(f"/predictions/{made['id']}/cancel")
        waiting = [yard.create(reference, {"text": str(number)}).json()["id"] for number in range(5)]
        filling = fill(yard.data)
        assert http.patch("/models/acme/canary/settings", json={"max_instances": 1}).status_code == 200
        wait_until(
            lambda: (fill(yard.data), "3 times" in str(yard.get(waiting[0]).get("waiting_reason")))[1], 20, "rest"
        )
        told = yard.get(waiting[0])
        filling.unlink()

    yard.stop()
    yard.start()  # it would try again by itself after its rest
    assert told["status"] == "starting"
    assert "there is no room on the disk of the data folder" in told["waiting_reason"]
    assert {yard.end_of(one)["status"] for one in waiting} == {"succeeded"}


def test_an_instance_that_ends_while_the_disk_is_full_is_over_later(
    own_yard: Yard, small_disk: Callable[[int], None]
) -> None:
    small_disk(64)
    own_yard.settings["max_instances"] = "1"
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")
    model = yard.run(reference, {"mode": "pids"})["output"]
    filling = fill(yard.data)
    wait_until(lambda: yard.create(reference, {"text": "x" * 20_000}).status_code == 507, 10, "a full disk")

    psutil.Process(model["worker"]).kill()
    with yard.http as http:
        wait_until(lambda: not http.get("/instances").json()["results"], 10, "its end")
        filling.unlink()
        every = "/instances?all=true"
        wait_until(lambda: http.get(every).json()["results"][0]["ended_at"] is not None, 10, "its end in the store")
        assert yard.run(reference, {})["status"] == "succeeded"
    assert httpx.get(f"{yard.url}/health", trust_env=False).status_code == 200


def test_a_log_that_cannot_be_written_ends_nothing(own_yard: Yard) -> None:
    yard = own_yard
    with Path("/dev/full").open("w") as full:  # what is written there finds no room
        command = [sys.executable, "-m", "cogyard", "serve"]
        yard.process = subprocess.Popen(command, env=yard.environment, stdout=subprocess.DEVNULL, stderr=full)
    wait_until(yard.is_ready, 30, "the start of the server")

    reference = yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")

    assert yard.run(reference, {})["status"] == "succeeded"
    assert yard.is_ready()
