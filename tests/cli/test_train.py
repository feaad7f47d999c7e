"""`cogyard train` against a real server."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.yard import Yard

pytestmark = pytest.mark.slow


@pytest.fixture
def words(tmp_path: Path) -> str:
    path = tmp_path / "words.txt"
    path.write_text("apple banana")
    return f"words=@{path}"


def test_train_makes_the_destination_and_prints_the_new_version(yard: Yard, trainable: str, words: str) -> None:
    ended = yard.cogyard("train", trainable, "--destination", "cogyard/cli-learned", "-i", words, "-i", "rounds=2")
    with yard.http as http:
        model = http.get("/models/cogyard/cli-learned").json()
    again = yard.cogyard("train", trainable, "--destination", "cogyard/cli-learned", "-i", words)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"cogyard/cli-learned:{model['latest_version']['id']}\n"
    assert model["visibility"] == "private"
    assert ended.stderr == (
        "made the private model cogyard/cli-learned\nround 1 of 2: 2 words\nround 2 of 2: 2 words\n"
    )
    assert "made" not in again.stderr


def test_train_shows_each_line_whole(yard: Yard, trainable: str, words: str) -> None:
    ended = yard.cogyard("train", trainable, "--destination", "cogyard/cli-lines", "-i", words, "-i", "rounds=150")
    lines = ended.stderr.splitlines()[1:]

    assert lines == [f"round {number} of 150: 2 words" for number in range(1, 151)]


def test_train_makes_no_model_for_a_destination_that_is_no_name(yard: Yard, trainable: str, words: str) -> None:
    ended = yard.cogyard("train", trainable, "--destination", "nonsense", "-i", words)

    assert ended.returncode == 3
    assert "The specified training destination does not exist" in ended.stderr


def test_train_tells_why_a_training_failed(yard: Yard, trainable: str, words: str) -> None:
    ended = yard.cogyard("train", trainable, "--destination", "cogyard/cli-bad", "-i", words, "-i", "mode=raise")

    assert ended.returncode == 1
    assert "these words cannot be learned" in ended.stderr


def test_an_interrupt_cancels_the_training(yard: Yard, trainable: str, words: str) -> None:
    command = [sys.executable, "-m", "cogyard", "train", trainable, "--destination", "cogyard/cli-cut"]
    command += ["-i", words, "-i", "rounds=1000"]
    with subprocess.Popen(command, env=yard.environment, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        assert "made the private model" in child.stderr.readline()
        assert "round 1 of 1000" in child.stderr.readline()
        child.send_signal(signal.SIGINT)
        said = child.stderr.read()

    assert child.returncode == 130
    assert yard.end_of(said.rpartition("The training ")[2].partition(" ")[0])["status"] == "canceled"


def test_train_says_what_cannot_be_trained(yard: Yard, canary: str, words: str) -> None:
    no_function = yard.cogyard("train", canary, "--destination", "cogyard/cli-none", "-i", words)
    no_model = yard.cogyard("train", "canary", "--destination", "cogyard/cli-none", "-i", words)

    assert no_function.returncode == no_model.returncode == 2
    assert "cannot be trained: its cog.yaml names no train function" in no_function.stderr
    assert "'canary' names no model" in no_model.stderr
