"""An environment that has cog, for what is learnt by importing."""

import subprocess
from pathlib import Path

import pytest
import uv

from tests.yard import UV_CACHE


@pytest.fixture(scope="session")
def cog_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has cog."""
    place = tmp_path_factory.mktemp("cog") / "venv"
    command = [uv.find_uv_bin()]
    subprocess.run([*command, "venv", "-q", "--python", "3.11", str(place)], check=True)
    cache = ["--cache-dir", str(UV_CACHE)]
    packages = ["cog==0.23.1", "coglet==0.23.1"]
    subprocess.run([*command, "pip", "install", "-q", *cache, "--python", str(place), *packages], check=True)
    return place / "bin" / "python"
