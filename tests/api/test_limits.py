"""Rate limits: told on every answer, and kept."""

import time

import httpx
import pytest

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
