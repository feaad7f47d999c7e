"""Models that do not come up."""

import psutil

from tests.yard import FOLDERS, Yard, wait_until


def test_a_setup_that_raises_fails_what_waits_and_tells_why(yard: Yard) -> None:
    done = yard.run(yard.push(FOLDERS / "broken-setup", "acme/broken"), {})

    assert done["status"] == "failed"
    assert done["error"] == "Model setup failed: RuntimeError: the weights are not there"
    assert "reading the weights" in done["logs"]
    assert "Traceback" in done["logs"]


def test_a_setup_that_ends_its_process_is_tried_three_times(yard: Yard) -> None:
    done = yard.run(yard.push(FOLDERS / "exit-setup", "acme/leaver"), {})

    assert done["status"] == "failed"
    assert "exit code 7" in done["error"]
    assert "about to leave" in done["logs"]


def test_a_setup_that_does_not_end_is_killed_with_its_whole_group(own_yard: Yard) -> None:
    own_yard.settings["setup_timeout"] = "4"
    yard = own_yard.start()

    done = yard.run(yard.push(FOLDERS / "slow-setup", "acme/slow"), {})

    assert done["status"] == "failed"
    assert done["error"] == "Model setup failed: setup did not end within 4 seconds"
    assert "setting up for ever" in done["logs"]
    assert yard.process is not None
    server = psutil.Process(yard.process.pid)
    wait_until(lambda: not server.children(recursive=True), 5, "the end of the model's processes")


def test_a_model_that_nobody_asks_for_stops_and_comes_back(own_yard: Yard) -> None:
    own_yard.settings["idle_timeout"] = "1"
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")
    first = yard.run(reference, {"mode": "pids"})["output"]["worker"]

    wait_until(lambda: not psutil.pid_exists(first), 15, "the end of the idle instance")

    assert yard.run(reference, {"mode": "pids"})["output"]["worker"] != first


def test_a_model_makes_room_for_another_when_all_places_are_taken(own_yard: Yard) -> None:
    own_yard.settings["max_instances"] = "1"
    yard = own_yard.start()
    one = yard.push(FOLDERS / "canary", "acme/one", "--no-examples")
    other = yard.push(FOLDERS / "canary-stream", "acme/other")

    assert yard.run(one, {})["status"] == "succeeded"
    assert yard.run(other, {"text": "you"})["status"] == "succeeded"
    assert yard.run(one, {})["status"] == "succeeded"
