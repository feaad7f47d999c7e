"""`cogyard ps`, `top`, `queue`, `machine`, `logs`, `instances` and `models settings`, as people type them."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from cogyard.cli.overview import name_of, told_bytes, told_time
from tests.yard import FOLDERS, Yard, heed_interrupts, wait_until


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A server of these commands' own: what runs on it is known."""
    chosen = {"cancel_grace": "1", "stop_grace": "1", "rate_creates": "0", "machine_memory": str(8 * 2**30)}
    gpus = '[{"name": "RTX 4090", "memory_gib": 24}]'
    started = Yard(tmp_path_factory.mktemp("kept"), {**chosen, "machine_cpus": "2", "machine_gpus": gpus}).start()
    started.push(FOLDERS / "canary", "acme/canary")
    yield started
    started.stop()


@pytest.fixture
def busy(kept: Yard) -> Iterator[tuple[str, str, str]]:
    """The only instance, the prediction that it runs and one that waits for it."""
    ran(kept, "models", "settings", "acme/canary", "--max-instances", "1")
    running = ran(kept, "run", "--no-wait", "acme/canary", "-i", "mode=loop")
    kept.until_status(running, "processing")
    waiting = ran(kept, "run", "--no-wait", "acme/canary")
    wait_until(lambda: told(kept, "queue")[0]["reason"], 10, "a reason")
    yield told(kept, "ps")[0]["id"], running, waiting
    for prediction in (running, waiting):
        kept.cogyard("predictions", "cancel", prediction)


def ran(yard: Yard, *words: str) -> str:
    """What a command that works prints."""
    done = yard.cogyard(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def told(yard: Yard, *words: str) -> Any:
    return json.loads(ran(yard, "--json", *words))


def test_ps_and_queue_tell_what_runs_and_what_waits(kept: Yard, busy: tuple[str, str, str]) -> None:
    instance, running, waiting = busy
    (row,) = ran(kept, "ps").splitlines()
    (queue,) = ran(kept, "queue").splitlines()

    id_, model, state, since, memory, predictions, reason = row.split("\t")
    assert (id_, model, state, predictions, reason) == (instance, "acme/canary", "active", running, "asked for")
    assert re.fullmatch(r"\d+ s", since)
    assert re.fullmatch(r"\d+\.\d MiB|0 B", memory)
    waited = queue.split("\t")
    assert re.fullmatch(r"\d+ s", waited[2])
    assert [*waited[:2], *waited[3:]] == ["acme/canary", "1", "1 active", "waits for a free slot: 1 instance is busy"]
    assert told(kept, "queue")[0]["predictions"][0]["id"] == waiting
    assert told(kept, "ps")[0]["predictions"] == [running]


def test_top_once_is_one_frame_of_everything(kept: Yard, busy: tuple[str, str, str]) -> None:
    instance, running, _waiting = busy
    frame, document = ran(kept, "top", "--once"), told(kept, "top", "--once")

    assert frame.splitlines()[0] == "2 CPUs, 1.0 GiB of 8.0 GiB of memory reserved, 1 of 4 instances"
    assert "GPU 0: RTX 4090, 24.0 GiB" in frame
    row = next(line for line in frame.splitlines() if line.startswith(instance))
    assert "acme/canary" in row
    assert running in row
    assert "waits for a free slot: 1 instance is busy" in frame
    assert [one["id"] for one in document["instances"]] == [instance]
    assert document["queue"][0]["queued"] == 1
    assert document["machine"]["cpus"] == 2


def test_top_is_drawn_anew_each_second_until_it_is_interrupted(kept: Yard, busy: tuple[str, str, str]) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cogyard", "top"]
    environment = {**kept.environment, "TERM": "xterm", "COLUMNS": "160", "LINES": "40"}
    outputs: dict[str, Any] = {"stdout": theirs, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, preexec_fn=heed_interrupts, **outputs) as child:  # noqa: PLW1509
        os.close(theirs)
        shown, end = b"", time.monotonic() + 20
        while shown.count(b"2 CPUs") < 3 and time.monotonic() < end:
            shown += os.read(ours, 65536)
        child.send_signal(signal.SIGINT)
        while chunk := _read(ours):  # or the program would wait for somebody to read
            shown += chunk
        child.wait(10)
    os.close(ours)

    assert shown.count(b"2 CPUs") >= 3
    assert busy[0].encode() in shown
    assert child.returncode == 130
    assert b"\x1b[?1049l" in shown  # the screen is as it was before


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


def test_ids_are_told_whole_on_a_narrow_terminal(kept: Yard, busy: tuple[str, str, str]) -> None:
    for command in (["ps"], ["top", "--once"]):
        ours, theirs = pty.openpty()
        environment = {**kept.environment, "COLUMNS": "80", "TERM": "xterm"}
        with subprocess.Popen([sys.executable, "-m", "cogyard", *command], env=environment, stdout=theirs) as child:
            os.close(theirs)
            shown = b""
            while chunk := _read(ours):
                shown += chunk
        os.close(ours)

        assert child.returncode == 0
        assert busy[0].encode() in shown, command


def test_machine_tells_what_there_is(kept: Yard) -> None:
    lines = ran(kept, "machine").splitlines()

    assert re.fullmatch(r"2 CPUs, .* of 8.0 GiB of memory reserved, \d of 4 instances", lines[0])
    assert lines[1] == "GPU 0: RTX 4090, 24.0 GiB"
    assert "cpu-small\tCPU (Small)\t1\t2.0 GiB\t0\t" in lines
    assert {kind["sku"] for kind in told(kept, "machine")["hardware"]} >= {"cpu", "gpu-t4"}


def test_logs_are_of_an_instance_or_of_a_prediction(kept: Yard, busy: tuple[str, str, str]) -> None:
    instance, running, _waiting = busy

    assert ran(kept, "logs", instance) == "the canary is set up"
    assert told(kept, "logs", instance) == {"instance": instance, "setup_logs": "the canary is set up\n"}
    assert wait_until(lambda: ran(kept, "logs", running), 10, "a log") == "looping"
    assert told(kept, "logs", running) == {"prediction": running, "status": "processing", "logs": "looping\n"}


def test_logs_are_followed_to_the_end_of_a_prediction(kept: Yard) -> None:
    prediction = ran(kept, "run", "--no-wait", "acme/canary", "-i", "mode=logs", "-i", "count=3", "-i", "text=line")

    assert ran(kept, "logs", "-f", prediction).splitlines() == ["line 0", "line 1", "line 2"]
    assert told(kept, "logs", "-f", prediction)["status"] == "succeeded"


def test_an_instance_is_shown_stopped_and_listed_when_it_is_over(kept: Yard, busy: tuple[str, str, str]) -> None:
    instance, running, waiting = busy
    shown = json.loads(ran(kept, "instances", "show", instance))
    kept.cogyard("predictions", "cancel", waiting)
    stopping = ran(kept, "instances", "stop", instance)
    kept.cogyard("predictions", "cancel", running)
    wait_until(lambda: told(kept, "instances", "show", instance)["ended_at"], 20, "its end")
    listed = [line.split("\t")[:3] for line in ran(kept, "instances", "list", "--all").splitlines()]
    again = kept.cogyard("instances", "stop", instance)

    assert [step["state"] for step in shown["events"]] == ["setting_up", "idle"]
    assert stopping == f"{instance} stopping"
    assert [instance, "acme/canary", "stopped"] in listed
    assert instance not in ran(kept, "instances", "list")
    assert len(ran(kept, "instances", "list", "--all", "--limit", "1").splitlines()) == 1
    assert again.returncode == 1
    assert again.stderr == "error: The instance is over: stopped on request.\n"


def test_settings_of_a_model_are_shown_changed_and_given_back(kept: Yard) -> None:
    settings = ("models", "settings", "acme/canary")
    changed = ran(kept, *settings, "--idle-timeout", "1.5", "--max-instances", "2", "--hardware", "cpu-small")
    back = told(kept, *settings, "--idle-timeout", "default", "--max-instances", "default", "--hardware", "cpu")

    assert changed == "hardware\tcpu-small\nidle_timeout\t1.5\nmax_instances\t2"
    assert back == {"hardware": "cpu", "idle_timeout": None, "max_instances": None}
    assert ran(kept, *settings) == "hardware\tcpu\nidle_timeout\tdefault\nmax_instances\tdefault"


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["logs", "zzz"], 3, "There is no instance and no prediction zzz of yours."),
        (["instances", "show", "zzz"], 3, "could not be found"),
        (["instances", "stop", "zzz"], 3, "could not be found"),
        (["models", "settings", "acme/nothing"], 3, "could not be found"),
        (["models", "settings", "acme/canary", "--idle-timeout", "soon"], 2, "--idle-timeout: 'soon' is not a number"),
        (
            ["models", "settings", "acme/canary", "--max-instances", "1.5"],
            2,
            "--max-instances: '1.5' is not a whole number",
        ),
        (["models", "settings", "acme/canary", "--idle-timeout", "nan"], 2, "--idle-timeout: 'nan' is not a number"),
        (["models", "settings", "acme/canary", "--max-instances", "-1"], 2, "must be between 0 and 1000"),
        (["models", "settings", "acme/canary", "--hardware", "abacus"], 2, "Your options are: cpu, "),
    ],
)
def test_a_command_that_cannot_be_done_says_why(kept: Yard, words: list[str], code: int, why: str) -> None:
    ended = kept.cogyard(*words)

    assert ended.returncode == code
    assert why in ended.stderr
    assert ended.stdout == ""


def test_setup_logs_of_others_models_are_refused_by_name(kept: Yard, busy: tuple[str, str, str]) -> None:
    stranger = ran(kept, "user", "create", "stranger")

    refused = kept.cogyard("--token", stranger, "logs", busy[0])

    assert refused.returncode == 4
    assert refused.stderr == "error: What the setup printed is for those who may change acme/canary.\n"


def test_amounts_are_told_in_the_unit_that_fits() -> None:
    now = datetime(2026, 1, 2, 12, tzinfo=UTC)

    assert [told_bytes(value) for value in (0, 1536, 5 * 2**20, 3 * 2**30, None)] == [
        *("0 B", "1.5 KiB", "5.0 MiB", "3.0 GiB", "")
    ]
    assert told_time("2026-01-02T11:59:30Z", now) == "30 s"
    assert told_time("2026-01-02T11:57:00Z", now) == "3.0 min"
    assert told_time("2026-01-01T00:00:00Z", now) == "1.5 d"
    assert told_time("2026-01-02T12:00:01Z", now) == "0 s"  # the server's clock is a little ahead
    assert told_time(None, now) == ""


def test_what_has_no_model_any_more_is_named_by_its_version() -> None:
    assert name_of({"model": None, "deployment": None, "version": "ab" * 32}) == "version abababababab"
    assert name_of({"model": "a/b", "deployment": None, "kind": "training"}) == "a/b (training)"
    assert name_of({"model": None, "deployment": "a/desk"}) == "deployment a/desk"
