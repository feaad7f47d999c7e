"""What a push compiles."""

import sys
from pathlib import Path

import pytest

from cogyard.runtime.bytecode import compile_bytecode

pytestmark = pytest.mark.anyio


async def test_files_are_compiled_and_one_that_cannot_be_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "good.py").write_text("x = 1\n")
    (tmp_path / "bad.py").write_text("x = (\n")
    await compile_bytecode(Path(sys.executable), [tmp_path])

    assert [path.name.split(".")[0] for path in tmp_path.rglob("*.pyc")] == ["good"]


async def test_an_interpreter_that_is_not_there_is_no_fault(tmp_path: Path) -> None:
    await compile_bytecode(tmp_path / "python", [tmp_path])
