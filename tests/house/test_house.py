"""The rules of the house, held by tools."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from cogyard.accounts import RESERVED
from cogyard.api.openapi_operations import OPERATIONS
from cogyard.settings import Settings
from tests.yard import ROOT

SOURCE = ROOT / "src" / "cogyard"
BIN = Path(sys.executable).parent

MAX_FILE_LINES = 420
MAX_FUNCTION_LINES = 60


def tool(*command: str) -> str:
    done = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "format", "--check", "src", "tests", "bench"),
        ("ruff", "check", "src", "tests", "bench"),
        ("mypy",),
        ("lint-imports",),
        ("deptry", "."),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_tool_has_nothing_to_say(command: tuple[str, ...]) -> None:
    assert tool(*command) == ""


def test_the_lock_is_current() -> None:
    uv = ROOT / ".tools" / "bin" / "uv"
    if not uv.exists():
        pytest.skip("uv is brought by make setup")
    done = subprocess.run([str(uv), "lock", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_and_functions_are_short_enough_to_read(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        is_literal = {"wiring", "versions"} & set(path.parts)  # tables of parts and of columns
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_literal:
            assert (node.end_lineno or 0) - node.lineno <= MAX_FUNCTION_LINES, node.name


def test_importing_any_module_does_nothing(tmp_path: Path) -> None:
    modules = [
        ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
        for path in SOURCE.rglob("*.py")
        if not {"wrapper", "probes"} & set(path.parts)  # these run inside the environments of models
        and "migrations" not in path.parts
        and path.name not in ("__main__.py", "by_import.py")
    ]
    program = "import socket\nsocket.socket.connect = None\n" + "\n".join(f"import {name}" for name in modules)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""
    assert not list(tmp_path.iterdir())


def test_a_flag_wins_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cogyard.toml").write_text('port = 1\nhost = "file"\nowner = "file"\n')
    monkeypatch.setenv("COGYARD_PORT", "2")
    monkeypatch.setenv("COGYARD_HOST", "environment")

    settings = Settings(data=tmp_path, port=3)

    assert (settings.port, settings.host, settings.owner, settings.max_instances) == (3, "environment", "file", 4)


def test_banned_names_are_not_used_for_our_classes() -> None:
    for path in SOURCE.rglob("*.py"):
        if "wrapper" in path.parts:
            continue  # Cog looks these names up there
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                assert not any(word in node.name for word in ("Worker", "Runner", "Manager", "Util", "Helper")), (
                    node.name
                )


def test_no_word_that_is_a_path_can_be_somebodys_name() -> None:
    assert {operation.path.split("/")[1] for operation in OPERATIONS} - {""} <= RESERVED
