"""cog.yaml, good and bad."""

import pytest

from cogyard.cogfolder.cogyaml import Line, parse_cog_yaml
from cogyard.domain.batching import Batch
from cogyard.domain.errors import BuildFailed

GOOD = """
build:
  gpu: false
  python_version: "3.11"
  python_packages:
    - numpy==2.4.6
  system_packages: [ffmpeg]
  run:
    - pip install --no-deps x
    - command: echo hi
environment:
  - A=b
  - EMPTY=
predict: "predict.py:Predictor"
concurrency:
  max: 4
"""


def test_a_good_file_is_read_with_its_lines() -> None:
    found = parse_cog_yaml(GOOD)

    assert found.predict == "predict.py:Predictor"
    assert found.python_version == "3.11"
    assert found.python_packages == [Line("numpy==2.4.6", 6)]
    assert found.run == [Line("pip install --no-deps x", 9), Line("echo hi", 10)]
    assert found.system_packages == [Line("ffmpeg", 7)]
    assert found.environment == {"A": "b", "EMPTY": ""}
    assert found.max_concurrency == 4
    assert not found.warnings


def test_the_new_word_run_wins_and_an_unknown_key_is_a_warning() -> None:
    found = parse_cog_yaml('run: "run.py:Runner"\npredict: "predict.py:P"\nbuild:\n  colour: red\n')

    assert found.predict == "run.py:Runner"
    assert found.warnings == ["cog.yaml:4: build.colour is not a key of cog.yaml that Cogyard knows; it is ignored."]


def test_keys_that_are_no_texts_are_unknown_like_others() -> None:
    found = parse_cog_yaml("predict: p.py:P\n1: x\nnull: x\nbuild:\n  true: x\n")

    assert [warning.partition(" is not")[0] for warning in found.warnings] == [
        "cog.yaml:2: 1", "cog.yaml: None", "cog.yaml: build.True",
    ]  # fmt: skip


def test_a_batch_is_declared_under_a_key_of_our_own() -> None:
    found = parse_cog_yaml("predict: p.py:P\nx-cogyard:\n  batch: {input: texts, max: 16, max_items: 64}\n")

    assert found.batch == Batch(input="texts", max=16, max_items=64)
    assert found.batch_line == 3
    assert not found.warnings
    assert parse_cog_yaml("predict: p.py:P\nx-cogyard: {batch: {input: texts, max: 2}}").batch == Batch(
        input="texts", max=2
    )
    assert parse_cog_yaml("predict: p.py:P\nx-cogyard:").batch is None


def test_an_unknown_key_of_our_own_is_a_warning_too() -> None:
    assert parse_cog_yaml("predict: p.py:P\nx-cogyard:\n  bach: {}\n").warnings == [
        "cog.yaml:3: x-cogyard.bach is not a key of cog.yaml that Cogyard knows; it is ignored."
    ]


@pytest.mark.parametrize(
    ("batch", "told"),
    [
        ("16", "cog.yaml:3: x-cogyard.batch must hold keys of its own: input and max."),
        ("{max: 16}", "cog.yaml:3: x-cogyard.batch.input must name the input that is a list"),
        ("{input: [], max: 16}", "cog.yaml:3: x-cogyard.batch.input must name the input"),
        ("{input: texts}", "cog.yaml: x-cogyard.batch.max must say how many predictions run together"),
        ("{input: texts, max: 1}", "cog.yaml:3: x-cogyard.batch.max must say how many predictions run together at most, a number from 2 to 1000."),
        ("{input: texts, max: 1001}", "cog.yaml:3: x-cogyard.batch.max must say"),
        ("{input: texts, max: true}", "cog.yaml:3: x-cogyard.batch.max must say"),
        ("{input: texts, max: '4'}", "cog.yaml:3: x-cogyard.batch.max must say"),
        ("\n    input: texts\n    max: 4\n    max_items: 1", "cog.yaml:6: x-cogyard.batch.max_items must be a number from 2 to 1000000"),
        ("\n    input: texts\n    max: 4\n    wait: 1", "cog.yaml:6: x-cogyard.batch has no wait; its keys are input, max, max_items."),
    ],
)  # fmt: skip
def test_a_batch_that_cannot_be_says_what_to_write(batch: str, told: str) -> None:
    with pytest.raises(BuildFailed) as failure:
        parse_cog_yaml(f"predict: p.py:P\nx-cogyard:\n  batch: {batch}")

    assert str(failure.value).startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "cog.yaml:1: the file must hold keys"),
        ("build: [", "cog.yaml:1: this is not valid YAML"),
        ("build:\n  python_version: 3.7\npredict: p.py:P", 'cog.yaml:2: build.python_version: 3.7 is not supported; write one of "3.10"'),
        ('build:\n  python_version: "3"\npredict: p.py:P', "cog.yaml:2: build.python_version: 3 is not supported"),
        ("build: 5\npredict: p.py:P", "cog.yaml:1: build must hold keys of its own"),
        ("build: {}", "nothing says what to run"),
        ("predict: predict", "cog.yaml:1: predict: 'predict' names no predictor; write file.py:ClassName"),
        ("predict: p.py:P\nbuild:\n  python_packages: x", "cog.yaml:3: build.python_packages must be a list"),
        (
            "predict: p.py:P\nbuild:\n  python_packages: [a]\n  python_requirements: r.txt",
            "cog.yaml:4: build.python_requirements and build.python_packages cannot both be set",
        ),
        ("predict: p.py:P\nconcurrency: {max: 0}", "cog.yaml:2: concurrency.max must be a number from 1"),
        ("predict: p.py:P\nenvironment:\n  - PATH=/x", "cog.yaml:3: environment: PATH cannot be set"),
        ("predict: p.py:P\nenvironment: [R8_X=1]", "R8_X cannot be set"),
        ("predict: p.py:P\nenvironment: [COGYARD_NONCE=1]", "COGYARD_NONCE cannot be set"),
        ("predict: p.py:P\nbuild:\n  run:\n    - command: x\n      mounts: []", "cog.yaml:4: mounts of secrets"),
        ("predict: p.py:P\nbuild: {}\npredict: q.py:P", "cog.yaml:3: predict stands here a second time"),
        ("predict: p.py:P\nbuild:\n  gpu: true\n  gpu: false", "cog.yaml:4: gpu stands here a second time"),
        ("predict: p.py:P\nbuild:\n  python_packages:\n  - a\n  -", "cog.yaml:5: an entry of build.python_packages is empty"),
        ("predict: p.py:P\nbuild:\n  run: [null]", "cog.yaml:3: an entry of build.run is empty"),
        ("a: &a [x]\nb: *a\npredict: p.py:P", "anchors and aliases are not supported"),
        ("predict: p.py:P\nx: " + "y" * 300_000, "larger than 256 KiB"),
    ],
)  # fmt: skip
def test_a_fault_names_its_line_and_what_to_write(text: str, told: str) -> None:
    with pytest.raises(BuildFailed) as caught:
        parse_cog_yaml(text)

    assert told in str(caught.value)


def test_a_python_version_without_quotes_loses_no_digit() -> None:
    assert parse_cog_yaml("build:\n  python_version: 3.10\npredict: p.py:P").python_version == "3.10"


def test_a_model_may_set_what_its_cog_server_reads() -> None:
    found = parse_cog_yaml("predict: p.py:P\nenvironment: [COG_SETUP_TIMEOUT=5]")

    assert found.environment == {"COG_SETUP_TIMEOUT": "5"}
