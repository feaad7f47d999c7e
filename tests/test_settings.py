"""Settings of the server: what cannot be is refused in words that say what to write, before anything starts."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from cogyard.settings import MOST_SECONDS, Settings
from tests.yard import Yard


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("turn", "inf", f"write a number up to {MOST_SECONDS}"),
        ("retention", "1e300", f"write a number up to {MOST_SECONDS}"),
        ("longest_idle", "1e12", f"write a number up to {MOST_SECONDS}"),
        ("max_instances", "9" * 25, "write a number up to"),
        ("machine_memory", "9" * 25, "write a number up to"),
        ("hardware", "[]", "write a JSON object such as"),
        ("hardware", "{", "write a JSON object such as"),
        ("machine_gpus", "5", "write a JSON list such as"),
        ("machine_gpus", '[{"memory_gib": Infinity}]', "less than or equal to"),
        ("machine_gpus", '[{"memory_gib": 1e-300}]', "greater than or equal to"),
        ("hardware", '{"x": {"memory_gib": 1e308}}', "less than or equal to"),
        ("hardware", '{"x": {"memory_gib": 1e-12}}', "greater than or equal to"),
        ("hardware", '{"x": {"cpus": 1e400}}', "less than or equal to"),
        ("hardware", '{"x": {"gpus": 1, "gpu_memory_gib": Infinity}}', "less than or equal to"),
        ("hardware", '{"x": {"gpu_memory_gib": 4}}', 'write "gpus": 1 too'),
        ("hardware", '{"x": {"name": "a\\nb"}}', "write a name in one line"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, name: str, text: str, why: str) -> None:
    with pytest.raises(ValidationError, match=name) as refused:
        Settings.model_validate({"data": tmp_path, name: text})

    assert why in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [("turn", str(MOST_SECONDS)), ("hardware", ""), ("machine_gpus", ""), ("hardware", '{"x": {"gpus": 2}}')],
)
def test_what_can_be_is_taken(tmp_path: Path, name: str, text: str) -> None:
    assert getattr(Settings.model_validate({"data": tmp_path, name: text}), name) is not None


def test_the_server_says_it_without_a_traceback(own_yard: Yard) -> None:
    own_yard.settings["idle_timeout"] = "inf"

    ended = subprocess.run(
        [sys.executable, "-m", "cogyard", "serve"],
        env=own_yard.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert ended.stderr == f"error: The settings are not usable: idle_timeout: write a number up to {MOST_SECONDS}\n"
