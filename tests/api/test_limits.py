"""Rate limits: told on every answer, and kept."""

import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogyard.limits import LocalLimiter
from cogyard.ports import Rate
from tests.yard import Yard


@pytest.fixture
def limited(own_yard: Yard) -> Yard:
    own_yard.settings |= {"rate_requests": "60", "rate_creates": "30", "rate_polls": "600"}
    return own_yard.start()


def test_what_is_left_is_told_and_too_many_are_refused(limited: Yard) -> None:
    with limited.http as http:
        first = http.get("/account")
        missing = http.get("/models/acme/none")
        answers = [http.get("/account") for _ in range(70)]
        refused = next(answer for answer in answers if answer.status_code == 429)
        other_kind = http.get("/predictions/nothing")
        create = http.post("/predictions", json={})
        time.sleep(int(refused.headers["retry-after"]))
        later = http.get("/account")

    assert (first.headers["ratelimit-remaining"], first.headers["ratelimit-reset"]) == ("59", "1")
    assert missing.status_code == 404
    assert missing.headers["ratelimit-remaining"] in ("58", "59")  # a second gives one back
    seconds = int(refused.headers["retry-after"])
    assert refused.json() == {
        "detail": f"Request was throttled. Your rate limit resets in ~{seconds}s.",
        "status": 429,
        "retry_after": seconds,
    }
    assert (other_kind.status_code, other_kind.headers["ratelimit-remaining"]) == (404, "599")
    assert (create.status_code, create.headers["ratelimit-remaining"]) == (422, "29")
    assert later.status_code == 200


def test_a_refused_token_is_not_counted(limited: Yard) -> None:
    answer = httpx.get(f"{limited.url}/v1/account", headers={"Authorization": "Bearer x"}, trust_env=False)

    assert answer.status_code == 401
    assert "ratelimit-remaining" not in answer.headers


def test_a_token_has_a_limit_of_its_own_within_that_of_its_account(own_yard: Yard) -> None:
    own_yard.settings |= {"rate_requests": "90", "token_rate_requests": "30"}
    yard = own_yard.start()
    with yard.http as http:
        secrets = [http.post("/tokens", json={"name": name}).json()["token"] for name in ("a", "b", "c", "d")]

    def use_up(secret: str) -> tuple[int, list[httpx.Response]]:
        """How many requests of a token are answered before the first refusal, and all answers."""
        headers = {"Authorization": f"Bearer {secret}"}
        with httpx.Client(base_url=f"{yard.url}/v1", headers=headers, trust_env=False) as http:
            answers = [http.get("/account") for _ in range(40)]
        statuses = [answer.status_code for answer in answers]
        return statuses.index(429) if 429 in statuses else len(statuses), answers

    taken = [use_up(secret)[0] for secret in secrets]
    first = use_up(secrets[3])[1][0]

    assert all(30 <= number <= 36 for number in taken[:2])  # it fills again meanwhile
    assert taken[3] < 30  # the others have used up what the account has
    assert first.status_code == 200 or int(first.headers["retry-after"]) >= 1


def test_a_request_that_the_account_has_no_room_for_costs_its_token_nothing() -> None:
    now = 0.0
    limiter = LocalLimiter(lambda: now)
    account, token = ("account", Rate("r", 2)), ("token", Rate("r", 5))

    assert [limiter.take([account, token]).is_allowed for _ in range(4)] == [True, True, False, False]
    assert limiter.take([token]).remaining == 2
    now = 30.0
    assert limiter.take([account, token]).remaining == 0


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.floats(0, 20)), max_size=200))
def test_no_window_holds_more_than_two_minutes_worth(arrivals: list[tuple[str, float]]) -> None:
    """A full bucket may come at once, and a minute's worth flows in after it."""
    now = 0.0
    limiter = LocalLimiter(lambda: now)
    rate, allowed = Rate("r", 10), []
    for who, pause in arrivals:
        now += pause
        allowance = limiter.take([("all", rate), (who, rate)])
        if allowance.is_allowed:
            allowed.append(now)
        else:
            assert allowance.wait > 0
    for start in allowed:
        assert sum(start <= time < start + 60 for time in allowed) <= 20


def test_a_search_without_a_token_is_counted_by_its_address(limited: Yard) -> None:
    answers = [httpx.get(f"{limited.url}/v1/search?query=x", trust_env=False) for _ in range(75)]
    with limited.http as http:
        mine = http.get("/search?query=x")

    assert answers[0].headers["ratelimit-remaining"] == "59"
    assert 429 in [answer.status_code for answer in answers]
    assert (mine.status_code, mine.headers["ratelimit-remaining"]) == (200, "59")
