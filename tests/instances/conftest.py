"""An environment with Cog, built once, and folders to start models from."""

from pathlib import Path

import pytest

from tests.instances.cogs import Cogs, build_environment


@pytest.fixture(scope="session")
def cog_environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("environments")
    build_environment(root)
    return root


@pytest.fixture
def cogs(cog_environments: Path, tmp_path: Path) -> Cogs:
    return Cogs(cog_environments, tmp_path)
