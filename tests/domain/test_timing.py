"""What a prediction waited for before an instance took it."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cogyard.domain.timing import waited
from cogyard.domain.values import JsonObject

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


BOOT: JsonObject = {"spawn": 1.0, "import": 2.0, "setup": 4.0}


def test_who_caused_the_boot_waited_for_all_of_it() -> None:
    assert waited(at(0), at(8), at(0.5), BOOT) == {"queue": 1.0, "spawn": 1.0, "import": 2.0, "setup": 4.0}


def test_who_came_in_the_middle_of_it_waited_for_the_rest() -> None:
    assert waited(at(2), at(7), at(0), BOOT) == {"queue": 0.0, "import": 1.0, "setup": 4.0}


def test_who_found_the_instance_ready_waited_for_the_queue_alone() -> None:
    assert waited(at(100), at(101.5), at(0), BOOT) == {"queue": 1.5}
    assert waited(at(100), at(101.5), at(0), None) == {"queue": 1.5}


@given(st.floats(0, 50), st.floats(0, 50), st.floats(0, 50))
def test_the_parts_are_the_whole(created: float, wait: float, begun: float) -> None:
    parts = waited(at(created), at(created + wait), at(begun), BOOT)

    assert abs(sum(float(str(part)) for part in parts.values()) - wait) < 0.003
    assert all(float(str(part)) >= 0 for part in parts.values())
