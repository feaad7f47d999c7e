"""What every tier may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.yard import FOLDERS, Yard


@pytest.fixture(scope="session")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A server that all tests of this process share."""
    started = Yard(
        tmp_path_factory.mktemp("yard"), {"cancel_grace": "1", "max_instances": "8", "rate_creates": "0"}
    ).start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def canary(yard: Yard) -> str:
    """The reference of a model that does what it is told."""
    return yard.push(FOLDERS / "canary", "acme/canary")


@pytest.fixture(scope="session")
def canary_stream(yard: Yard) -> str:
    """The reference of a model that streams text."""
    return yard.push(FOLDERS / "canary-stream", "acme/canary-stream")


@pytest.fixture(scope="session")
def canary_async(yard: Yard) -> str:
    """The reference of an async model that streams text, four at a time."""
    return yard.push(FOLDERS / "canary-async", "acme/canary-async")


@pytest.fixture(scope="session")
def trainable(yard: Yard) -> str:
    """The reference of a model that learns words."""
    return yard.push(FOLDERS / "trainable", "acme/trainable")


@pytest.fixture(scope="session")
def picture_stream(yard: Yard) -> str:
    """The reference of a model that yields files."""
    return yard.push(FOLDERS / "picture-stream", "acme/picture-stream")


@pytest.fixture
def own_yard(tmp_path: Path) -> Iterator[Yard]:
    """A server of this test's own, not started."""
    made = Yard(tmp_path / "yard", {"cancel_grace": "1"})
    yield made
    made.stop()


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio."""
    return "asyncio"
