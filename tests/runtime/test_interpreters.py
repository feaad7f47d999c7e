"""The Python that a model gets: one of this machine, wherever it is kept."""

import os
import sys
from pathlib import Path

import pytest
import uv

from cogyard.domain.errors import BuildFailed
from cogyard.runtime.interpreters import find_interpreter

pytestmark = pytest.mark.anyio

UV = Path(uv.find_uv_bin())
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"


def variables(home: Path) -> dict[str, str]:
    """A machine that has no Python but those below `home`."""
    cache = os.environ.get("UV_CACHE_DIR", str(home / "cache"))
    return {"PATH": "/nowhere", "HOME": str(home), "UV_CACHE_DIR": cache, "UV_PYTHON_DOWNLOADS": "never"}


@pytest.fixture
def kept_by_pyenv(tmp_path: Path) -> Path:
    """A home folder in which pyenv keeps this very Python."""
    place = tmp_path / ".pyenv" / "versions" / "some" / "bin"
    place.mkdir(parents=True)
    (place / f"python{MINOR}").symlink_to(Path(sys.executable).resolve())
    return tmp_path


async def test_a_python_that_pyenv_keeps_is_found(kept_by_pyenv: Path) -> None:
    found, warning = await find_interpreter(UV, MINOR, 2, kept_by_pyenv, variables(kept_by_pyenv))
    assert found.startswith(str(kept_by_pyenv))
    assert warning is None


async def test_another_patch_release_does_and_is_told(kept_by_pyenv: Path) -> None:
    found, warning = await find_interpreter(UV, f"{MINOR}.99", 2, kept_by_pyenv, variables(kept_by_pyenv))
    assert found.startswith(str(kept_by_pyenv))
    assert warning == (
        f"cog.yaml:2: build.python_version: Python {MINOR}.99 is not installed on this machine; "
        f"Python {MINOR} is used instead."
    )


async def test_who_names_no_python_gets_one_that_is_there(kept_by_pyenv: Path) -> None:
    default = "3.13" if MINOR != "3.13" else "3.12"
    found, warning = await find_interpreter(UV, default, None, kept_by_pyenv, variables(kept_by_pyenv))
    assert found.startswith(str(kept_by_pyenv))
    assert warning is not None
    assert f"Python {MINOR} is used instead" in warning


async def test_one_that_is_not_there_is_refused_with_what_is(kept_by_pyenv: Path) -> None:
    other = "3.10" if MINOR != "3.10" else "3.12"
    with pytest.raises(BuildFailed, match=rf"cog.yaml:2: .* Python {other} is not installed .*: {MINOR}\."):
        await find_interpreter(UV, other, 2, kept_by_pyenv, variables(kept_by_pyenv))
