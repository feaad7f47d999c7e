"""Which retries are those of creates that were refused."""

from datetime import UTC, datetime, timedelta

from starlette.requests import Request

from cogyard.api.refusals import RETRIES, Refusals

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def attempt(count: int, size: int = 80) -> Request:
    headers = [(b"content-length", str(size).encode()), (RETRIES.encode(), str(count).encode())]
    return Request({"type": "http", "path": "/v1/predictions", "headers": headers})


def test_the_retry_of_a_refused_create_is_known_once() -> None:
    refusals = Refusals()
    refusals.note(attempt(0), NOW)
    refusals.note(attempt(1), NOW + timedelta(seconds=1))

    assert not refusals.take(attempt(2, size=81), NOW)
    assert refusals.take(attempt(2), NOW + timedelta(seconds=2))
    assert not refusals.take(attempt(3), NOW + timedelta(seconds=3))


def test_each_of_several_alike_is_known() -> None:
    refusals = Refusals()
    refusals.note(attempt(0), NOW)
    refusals.note(attempt(0), NOW)

    assert [refusals.take(attempt(1), NOW) for _ in range(3)] == [True, True, False]


def test_a_refused_retry_of_an_accepted_create_is_still_a_repetition() -> None:
    refusals = Refusals()
    refusals.note(attempt(1), NOW)

    assert not refusals.take(attempt(2), NOW)


def test_a_refusal_is_forgotten_when_its_retry_does_not_come() -> None:
    refusals = Refusals()
    refusals.note(attempt(0), NOW)

    assert not refusals.take(attempt(1), NOW + timedelta(minutes=4))
