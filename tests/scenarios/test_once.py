"""Creates that come twice and must happen once."""

import time

import httpx
import pytest

from tests.yard import FOLDERS, Yard

pytestmark = pytest.mark.slow


def create(yard: Yard, reference: str, text: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with yard.http as http:
        return http.post("/predictions", json={"version": reference, "input": {"text": text}}, headers=named)


def test_a_key_gives_the_first_prediction_again(yard: Yard, canary: str) -> None:
    first = create(yard, canary, "one", Idempotency_Key="order-1")
    yard.end_of(first.json()["id"])
    again = create(yard, canary, "one", Idempotency_Key="order-1")
    other = create(yard, canary, "one", Idempotency_Key="order-2")
    changed = create(yard, canary, "two", Idempotency_Key="order-1")

    assert again.status_code == 201
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["status"] == "succeeded"
    assert other.json()["id"] != first.json()["id"]
    assert changed.status_code == 409
    assert "Idempotency-Key" in changed.json()["detail"]
    assert "errors" not in changed.json()  # no field of the body is at fault


def test_many_at_once_with_one_key_make_one_prediction(yard: Yard, canary: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: create(yard, canary, "race", Idempotency_Key="race"), range(16)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_a_key_is_its_accounts_whichever_token_brings_it(yard: Yard, canary: str) -> None:
    first = create(yard, canary, "one", Idempotency_Key="both").json()["id"]
    with yard.http as http:
        token = http.post("/tokens", json={"name": "another"}).json()["token"]

    again = create(yard, canary, "one", Idempotency_Key="both", Authorization=f"Bearer {token}")

    assert again.json()["id"] == first


def test_a_key_outlives_a_kill(own_yard: Yard) -> None:
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary", "acme/canary")
    first = create(yard, reference, "one", Idempotency_Key="k").json()["id"]
    yard.kill()
    yard.start()

    assert create(yard, reference, "one", Idempotency_Key="k").json()["id"] == first


def test_the_clients_own_retry_is_known(yard: Yard, canary: str) -> None:
    first = create(yard, canary, "retried", X_Stainless_Retry_Count="0").json()["id"]
    retried = [create(yard, canary, "retried", X_Stainless_Retry_Count=str(n)).json()["id"] for n in (1, 2)]
    wanted_again = create(yard, canary, "retried", X_Stainless_Retry_Count="0").json()["id"]
    other_body = create(yard, canary, "other", X_Stainless_Retry_Count="1").json()["id"]

    assert retried == [first, first]
    assert wanted_again != first
    assert other_body not in (first, wanted_again)


def test_the_retry_of_a_create_that_was_refused_is_a_new_one(own_yard: Yard) -> None:
    own_yard.settings["rate_creates"] = "60"
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary", "acme/canary")

    def ask(count: int) -> httpx.Response:
        return create(yard, reference, "same", X_Stainless_Retry_Count=str(count))

    def patient(count: int) -> tuple[str, int]:
        """What a client gets that waits as long as it is told, and the number of retries that it took."""
        while (answer := ask(count)).status_code == 429:
            time.sleep(int(answer.headers["retry-after"]))
            count += 1
        return answer.json()["id"], count

    accepted = [patient(0)[0]]
    while (answer := ask(0)).status_code != 429:
        accepted.append(answer.json()["id"])
    second, retries = patient(1)
    lost, _ = patient(retries + 1)

    assert second not in accepted
    assert lost == second


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_a_key_that_cannot_be_is_400(yard: Yard, canary: str, key: str) -> None:
    response = create(yard, canary, "x", Idempotency_Key=key)

    assert response.status_code == 400
    assert "Idempotency-Key" in response.json()["detail"]
