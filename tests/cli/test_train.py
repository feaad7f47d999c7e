"""`cogyard train` against a real server."""

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
