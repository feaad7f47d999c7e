"""The command line against a real server: what it prints, where, and its exit codes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.yard import TOKEN, Yard, wait_until


def test_run_prints_the_output_and_nothing_else_on_stdout(yard: Yard, canary: str) -> None:
    ended = yard.cogyard("run", canary, "-i", "text=hi", "-i", "count=5")

    assert ended.returncode == 0
    assert json.loads(ended.stdout) == {"text": "hi", "size": "small", "maybe": None}


def test_run_reads_text_from_a_file_and_streams_the_answer(yard: Yard, canary_stream: str, tmp_path: Path) -> None:
    (tmp_path / "name.txt").write_text("Ada")

    ended = yard.cogyard("run", canary_stream.partition(":")[0], "-i", f"text=@{tmp_path / 'name.txt'}")

    assert ended.returncode == 0
    assert ended.stdout == "hello there, Ada\n"


def test_run_uploads_files_and_saves_files(yard: Yard, canary: str, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("hello")

    read = yard.cogyard("run", canary, "-i", "mode=read", "-i", f"file=@{tmp_path / 'note.txt'}")
    made = yard.cogyard("run", canary, "mode=files", "count=2", "-o", str(tmp_path / "out"))

    assert json.loads(read.stdout)["file"] == ["note.txt", "hello"]
    paths = json.loads(made.stdout)["nested"]["list"]
    assert [Path(path).read_text() for path in paths] == ["0", "1"]
    assert all(Path(path).parent == tmp_path / "out" for path in paths)


def test_run_with_json_prints_the_prediction(yard: Yard, canary: str) -> None:
    ended = yard.cogyard("run", canary, "-i", "text=hi", "--json")

    assert json.loads(ended.stdout)["output"]["text"] == "hi"


def test_run_takes_the_whole_input_as_json(yard: Yard, canary: str) -> None:
    ended = yard.cogyard("run", canary, "--input-json", "-", input='{"text": "from stdin"}')

    assert json.loads(ended.stdout)["text"] == "from stdin"


def test_run_without_waiting_prints_the_id(yard: Yard, canary: str) -> None:
    ended = yard.cogyard("run", canary, "--no-wait")

    assert yard.end_of(ended.stdout.strip())["status"] == "succeeded"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["run", "{canary}", "-i", "mode=raise", "-i", "text=no way"], 1, "ValueError: no way"),
        (["run", "{canary}", "-i", "txt=hi"], 2, "Did you mean text?"),
        (["run", "{canary}", "-i", "count=many"], 2, "count is a whole number"),
        (["run", "{canary}", "-i", "count=-5"], 2, "Must be greater than or equal to 0"),
        (["run", "{canary}", "-i", "size=huge"], 2, 'must be one of the following: "small", "large"'),
        (["run", "{canary}", "-i", "text"], 2, "write key=value"),
        (["run", "{canary}", "-i", "file=@/no/such"], 2, "There is no file /no/such"),
        (["run", "acme"], 2, "write owner/name"),
        (["predictions", "show", "../models"], 2, "is no id"),
        (["logs", ""], 2, "is no id"),
        (["run", "acme/nothing"], 3, "could not be found"),
        (["--token", "wrong", "models", "list"], 4, "valid authentication token"),
        (["--url", "127.0.0.1:9", "models", "list"], 2, "'127.0.0.1:9' is no address of a server"),
        (["--token", "a\nb", "models", "list"], 4, "The token holds characters that no token has"),
        (["--url", "http://127.0.0.1:9", "models", "list"], 5, "No server answers at http://127.0.0.1:9"),
        (["predictions", "show", "zzz"], 3, "could not be found"),
        (["push", "/no/such/folder", "a/b"], 2, "is not a folder"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_an_end_with_a_reason_has_its_code(yard: Yard, canary: str, arguments: list[str], code: int, told: str) -> None:
    ended = yard.cogyard(*(argument.format(canary=canary) for argument in arguments))

    assert ended.returncode == code
    assert told in ended.stderr
    assert ended.stdout == ""
    assert TOKEN not in ended.stderr


def test_a_wait_that_is_over_leaves_the_prediction_running(yard: Yard, canary: str) -> None:
    ended = yard.cogyard("run", canary, "-i", "mode=loop", "--timeout", "1")
    prediction = ended.stderr.rpartition("The prediction ")[2].partition(" ")[0]

    assert ended.returncode == 6
    assert "it goes on" in ended.stderr
    assert yard.get(prediction)["status"] == "processing"
    assert yard.cogyard("predictions", "cancel", prediction).returncode == 0


def test_an_error_with_json_is_one_document(yard: Yard) -> None:
    ended = yard.cogyard("--json", "run", "acme/nothing")

    assert ended.returncode == 3
    assert json.loads(ended.stdout) == {
        "title": "Not Found",
        "detail": "The requested resource could not be found.",
        "status": 404,
    }


def test_an_interrupt_cancels_on_the_server(yard: Yard, canary: str) -> None:
    command = [sys.executable, "-m", "cogyard", "run", canary, "-i", "mode=loop"]
    with subprocess.Popen(command, env=yard.environment, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        assert "running" in child.stderr.readline() + child.stderr.readline()
        child.send_signal(signal.SIGINT)
        said = child.stderr.read()

    assert child.returncode == 130
    prediction = said.rpartition("The prediction ")[2].partition(" ")[0]
    assert yard.end_of(prediction)["status"] == "canceled"


def test_models_and_versions_are_shown(yard: Yard, canary: str) -> None:
    name, _, version = canary.partition(":")

    assert name in yard.cogyard("models", "list").stdout
    assert version[:12] in yard.cogyard("models", "show", name).stdout
    assert yard.cogyard("models", "versions", name).stdout.startswith(version)
    assert "text\tstring\t" in yard.cogyard("models", "schema", name).stdout
    assert json.loads(yard.cogyard("models", "examples", name, "--json").stdout)[0]["status"] == "succeeded"


def test_predictions_are_shown_and_canceled(yard: Yard, canary: str) -> None:
    running = yard.create(canary, {"mode": "loop"}).json()["id"]
    yard.until_status(running, "processing")

    assert running in yard.cogyard("predictions", "list", "--limit", "5").stdout
    assert yard.cogyard("predictions", "cancel", running).stdout == f"{running} canceled\n"
    assert json.loads(yard.cogyard("predictions", "show", running).stdout)["status"] == "canceled"
    assert "looping" in yard.cogyard("predictions", "logs", running).stdout


def test_logs_can_be_followed(yard: Yard, canary: str) -> None:
    prediction = yard.create(canary, {"mode": "logs", "text": "line", "count": 50}).json()["id"]

    followed = yard.cogyard("predictions", "logs", prediction, "--follow").stdout

    assert followed.splitlines() == [f"line {number}" for number in range(50)]


def test_tokens_are_made_and_disabled(yard: Yard) -> None:
    secret = yard.cogyard("token", "create", "laptop").stdout.strip()
    listed = yard.cogyard("token", "list").stdout
    number = next(line.split("\t")[0] for line in listed.splitlines() if "laptop" in line and "valid" in line)

    assert yard.cogyard("--token", secret, "models", "list").returncode == 0
    assert secret not in listed
    yard.cogyard("token", "disable", number)
    assert yard.cogyard("--token", secret, "models", "list").returncode == 4


def test_doctor_finds_a_healthy_server(yard: Yard) -> None:
    ended = yard.cogyard("doctor", "--json")
    checks = {check["name"]: check["state"] for check in json.loads(ended.stdout)}

    assert checks["server"] == checks["token"] == checks["uv"] == "ok"
    assert ended.returncode == 0


def test_doctor_says_what_is_wrong(tmp_path: Path) -> None:
    ended = Yard(tmp_path).cogyard("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(ended.stdout)}

    assert ended.returncode == 1
    assert checks["server"]["state"] == "fail"
    assert "make serve" in checks["server"]["detail"]


def test_the_version_is_told(yard: Yard) -> None:
    assert yard.cogyard("--version").stdout == "cogyard 0.1.0\n"


@pytest.mark.parametrize(
    "command", ["", "push", "run", "serve", "doctor", "models", "predictions", "token", "user", "org"]
)
def test_every_command_has_help(yard: Yard, command: str) -> None:
    ended = yard.cogyard(*([command] if command else []), "--help")

    assert ended.returncode == 0
    assert "Usage: cogyard" in ended.stdout


def test_every_setting_is_an_option_of_serve(yard: Yard) -> None:
    from cogyard.settings import Settings

    shown = yard.cogyard("serve", "--help").stdout

    missing = [name for name in Settings.model_fields if f"--{name.replace('_', '-')}"[:20] not in shown]
    assert not missing


def test_serve_prints_lines_that_a_shell_takes_whatever_the_folder_is_called(tmp_path: Path) -> None:
    yard = Yard(tmp_path / "Ünsere Daten; it's").start()
    try:
        printed = wait_until(lambda: "# curl\n" in yard.log() and yard.log(), 30, "the instructions")
    finally:
        yard.stop()
    exports = "\n".join(line for line in printed.splitlines() if line.startswith("export "))
    names = ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"]
    script = exports + "\n" + "\n".join(f'printf "%s\\n" "${name}"' for name in names)

    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()

    assert [Path(path).is_file() for path in told] == [True, True, True]


def test_a_reader_that_has_enough_ends_the_command_without_a_word(yard: Yard, canary: str) -> None:
    command = [sys.executable, "-m", "cogyard", "run", canary, "-i", "text=hi"]
    read, write = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run(command, env=yard.environment, stdout=write, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(write)

    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_result_that_cannot_be_written_is_told(yard: Yard, canary: str) -> None:
    command = [sys.executable, "-m", "cogyard", "run", canary, "-i", "text=hi"]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(command, env=yard.environment, stdout=full, stderr=subprocess.PIPE, check=False)

    assert ended.returncode == 1
    assert ended.stderr == b"error: The result cannot be written: No space left on device.\n"


def test_files_that_cannot_be_saved_name_the_place_not_the_server(yard: Yard, canary: str, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()

    ended = yard.cogyard("run", canary, "mode=files", "-o", str(tmp_path / "taken"))

    assert ended.returncode == 1
    assert ended.stderr.endswith(f"error: {tmp_path / 'taken'}: File exists.\n")


def test_an_interrupt_while_the_program_loads_is_told_by_the_exit_code_alone() -> None:
    program = (
        "import sys, importlib.abc\n"
        "class Finder(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'cogyard.cli.app': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from cogyard.cli import main\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert (ended.returncode, ended.stderr) == (130, b"")
