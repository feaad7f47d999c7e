"""What is used is charged, told and limited, on a real server."""

import csv
import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.scenarios.people import People
from tests.yard import FOLDERS, TOKEN, Yard, wait_until

pytestmark = pytest.mark.slow

PRICES = '{"cpu": "0.01", "gpu-t4": 1}'


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A server on which things cost something."""
    chosen = {"cancel_grace": "1", "rate_creates": "0", "token_rate_creates": "0", "hardware_prices": PRICES}
    started = Yard(tmp_path_factory.mktemp("priced"), chosen).start()
    started.push(FOLDERS / "canary", "acme/canary")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def people(priced: Yard) -> People:
    return People(priced)


@pytest.fixture(scope="module")
def version(priced: Yard) -> str:
    with priced.http as http:
        found: str = http.get("/models/acme/canary").json()["latest_version"]["id"]
    return found


def run(people: People, token: str, version: str, path: str = "/predictions", **model_input: Any) -> dict[str, Any]:
    body = {"version": version, "input": model_input} if path == "/predictions" else {"input": model_input}
    made = people.done(token, "POST", path, body)

    def ended() -> Any:
        found = people.done(token, "GET", f"/predictions/{made['id']}")
        return found if found["completed_at"] else None

    found: dict[str, Any] = wait_until(ended, 60)
    return found


def usage(people: People, token: str, **query: str) -> dict[str, Any]:
    answer = people.ask(token, "GET", "/usage", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_every_prediction_is_charged_for_its_seconds(people: People, version: str) -> None:
    ann = people.user("ann")
    done = [run(people, ann, version, text="hi"), run(people, ann, version, mode="raise", text="no")]

    told = [people.done(ann, "GET", f"/predictions/{one['id']}/usage") for one in done]
    report = usage(people, ann, by="model,kind,hardware")

    assert [one["seconds"] for one in told] == [one["metrics"]["predict_time"] for one in done]
    assert told[0]["price"] == "0.01"
    assert [Decimal(one["cost"]) for one in told] == [Decimal(str(one["seconds"])) / 100 for one in told]
    [row] = report["results"]
    assert (row["model"], row["kind"], row["hardware"], row["predictions"]) == ("acme/canary", "prediction", "cpu", 2)
    assert Decimal(row["cost"]) == sum(Decimal(one["cost"]) for one in told)
    assert report["total"]["cost"] == row["cost"]
    assert "cost" not in done[0]


def test_what_is_canceled_before_its_start_costs_nothing(people: People, version: str) -> None:
    bob = people.user("bob")
    people.yard.push(FOLDERS / "slow-setup", "acme/slow")
    slow = people.done(TOKEN, "GET", "/models/acme/slow")["latest_version"]["id"]
    made = people.done(bob, "POST", "/predictions", {"version": slow, "input": {}})
    people.done(bob, "POST", f"/predictions/{made['id']}/cancel")

    told = people.done(bob, "GET", f"/predictions/{made['id']}/usage")
    assert (told["status"], told["seconds"], told["cost"]) == ("canceled", 0, "0.00")


def test_an_official_model_is_charged_by_the_unit(people: People, version: str) -> None:
    people.yard.push(FOLDERS / "canary", "acme/counted")
    set_official = ("PUT", "/models/acme/counted/official")
    foreign = people.admin(*set_official, {"is_official": True, "price": _price(currency="EUR")})
    people.done(TOKEN, *set_official, {"is_official": True, "price": _price()})
    cat = people.user("cat")

    done = run(people, cat, version, "/models/acme/counted/predictions", mode="metrics", count=3)
    told = people.done(cat, "GET", f"/predictions/{done['id']}/usage")
    people.done(TOKEN, *set_official, {"is_official": False})

    assert foreign.status_code == 400
    assert "must be USD" in foreign.text
    assert (told["unit"], told["quantity"], told["price"], told["per"]) == ("image_count", 3, "0.015", "image_count")
    assert told["cost"] == "0.045"
    assert usage(people, cat)["results"][0]["units"] == {"image_count": 3}


def _price(**changes: object) -> dict[str, object]:
    return {"unit": "image_count", "amount": 0.015, **changes}


def test_a_deployment_is_charged_for_its_instances(people: People, version: str) -> None:
    dan = people.user("dan")
    limits = {"hardware": "gpu-t4", "min_instances": 0, "max_instances": 1}
    people.done(dan, "POST", "/deployments", {"name": "app", "model": "acme/canary", "version": version, **limits})
    done = run(people, dan, version, "/deployments/dan/app/predictions", text="hi")

    def booked() -> Any:
        rows = usage(people, dan, by="deployment,kind,hardware")["results"]
        return [row for row in rows if row["kind"] == "instance"]

    [row] = wait_until(booked, 30, "the uptime of the instance being booked")

    assert people.done(dan, "GET", f"/predictions/{done['id']}/usage")["cost"] == "0.00"
    assert (row["deployment"], row["hardware"], row["predictions"]) == ("dan/app", "gpu-t4", 0)
    assert row["uptime_seconds"] > 0
    assert Decimal(row["cost"]) == Decimal(str(row["uptime_seconds"]))


def test_who_sees_what(people: People, version: str) -> None:
    eve, other = people.user("eve"), people.user("other")
    limited = people.token(eve, scopes=["read"], models=["acme/none"])
    run(people, eve, version, text="hi")

    assert usage(people, eve)["total"]["predictions"] == 1
    assert usage(people, other)["total"]["predictions"] == 0
    assert usage(people, limited)["total"]["predictions"] == 0
    assert people.ask(other, "GET", "/usage?account=eve").status_code == 404
    everybody = usage(people, TOKEN, by="account,token")["results"]
    [row] = [row for row in everybody if row["account"] == "eve"]
    assert (row["token_name"], row["predictions"]) == ("made", 1)
    assert usage(people, TOKEN, account="eve")["total"]["predictions"] == 1


def test_days_are_chosen_and_told(people: People, version: str) -> None:
    fay = people.user("fay")
    run(people, fay, version, text="hi")
    today = datetime.now(UTC).date()
    tomorrow = str(today + timedelta(days=1))

    assert [row["day"] for row in usage(people, fay, by="day")["results"]] == [str(today)]
    assert usage(people, fay, **{"from": tomorrow})["results"] == []
    assert usage(people, fay, to=str(today), **{"from": "2026-01-01"})["results"] == []


@pytest.mark.parametrize(
    "query", ["by=colour", "by=", "from=yesterday", "to=2026-13-01", "from=2026-02-01&to=2026-01-01", "format=xml"]
)
def test_a_question_that_makes_no_sense_is_refused_by_its_parameter(people: People, query: str) -> None:
    answer = people.ask(TOKEN, "GET", f"/usage?{query}")

    assert answer.status_code == 400
    assert answer.json()["detail"].partition(":")[0] in query


def test_the_csv_has_a_header_and_no_formulas(people: People, version: str) -> None:
    gil = people.user("gil")
    run(people, people.token(gil, name="=2+3"), version, text="hi")

    answer = people.ask(gil, "GET", "/usage?by=day,token&format=csv")
    [line] = csv.DictReader(io.StringIO(answer.text))

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(line) == [
        *("day", "token", "token_name", "predictions", "seconds", "uptime_seconds", "units", "cost", "currency")
    ]
    assert (line["token_name"], line["predictions"], line["currency"]) == ("'=2+3", "1", "USD")


# --- budgets ------------------------------------------------------------------------------------------------------


def test_of_many_requests_for_the_last_cent_one_is_taken(people: People, version: str) -> None:
    hal = people.user("hal")
    people.done(TOKEN, "PUT", "/budgets", {"account": "hal", "kind": "money", "period": "month", "limit": "0.01"})
    body = {"version": version, "input": {"mode": "sleep"}}

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: people.ask(hal, "POST", "/predictions", body), range(10)))
    taken = [answer for answer in answers if answer.status_code == 201]
    refused = next(answer for answer in answers if answer.status_code != 201)
    runs_on = people.done(hal, "GET", f"/predictions/{taken[0].json()['id']}")["status"]
    people.done(hal, "POST", f"/predictions/{taken[0].json()['id']}/cancel")

    assert [answer.status_code for answer in answers if answer not in taken] == [402] * 9
    assert len(taken) == 1
    assert runs_on in ("starting", "processing")
    told = refused.json()
    assert list(told) == ["detail", "status", "title", "retry_after"]
    assert (told["status"], told["title"]) == (402, "Monthly spend limit reached")
    assert told["detail"].startswith("This account's monthly budget of 0.01 USD is used up: ")
    assert refused.headers["retry-after"] == str(told["retry_after"])
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_repetition_of_what_was_accepted_is_answered(people: People, version: str) -> None:
    ida = people.user("ida")
    people.done(TOKEN, "PUT", "/budgets", {"account": "ida", "kind": "seconds", "period": "day", "limit": 1})
    body = {"version": version, "input": {"mode": "sleep"}}
    key = {"Authorization": f"Bearer {ida}", "Idempotency-Key": "once"}
    with httpx.Client(base_url=f"{people.yard.url}/v1", headers=key, trust_env=False) as http:
        first, second = (http.post("/predictions", json=body) for _ in range(2))
    refused = people.ask(ida, "POST", "/predictions", body)
    people.done(ida, "POST", f"/predictions/{first.json()['id']}/cancel")

    assert first.json()["id"] == second.json()["id"]
    assert (refused.status_code, refused.json()["title"]) == (402, "Daily time limit reached")


def test_nobody_lifts_her_own_limit(people: People, version: str) -> None:
    jim = people.user("jim")
    weak = people.done(jim, "POST", "/tokens", {"name": "weak", "scopes": ["read", "run"]})
    of_account = {"kind": "money", "period": "month", "limit": 5}
    mine = people.done(TOKEN, "PUT", "/budgets", {"account": "jim", **of_account})
    of_token = people.done(jim, "PUT", "/budgets", {"token": weak["id"], **of_account})

    assert people.ask(jim, "PUT", "/budgets", of_account).status_code == 403
    assert people.ask(jim, "DELETE", f"/budgets/{mine['id']}").status_code == 403
    assert people.ask(weak["token"], "PUT", "/budgets", {"token": weak["id"], **of_account}).status_code == 403
    assert people.ask(people.user("kim"), "DELETE", f"/budgets/{mine['id']}").status_code == 404
    assert people.ask(jim, "PUT", "/budgets", {"token": 1, **of_account}).status_code == 400
    seen = people.done(weak["token"], "GET", "/budgets")["results"]
    assert [(one["id"], one["token_name"], one["limit"], one["left"]) for one in seen] == [
        (mine["id"], None, "5.00", "5.00"),
        (of_token["id"], "weak", "5.00", "5.00"),
    ]
    assert people.ask(jim, "DELETE", f"/budgets/{of_token['id']}").status_code == 204


@pytest.mark.parametrize("limit", [-1, "much", "nan", "1e400", "0" * 41 + "5000", True, None])
def test_a_limit_that_is_none_is_refused(people: People, limit: object) -> None:
    answer = people.admin("PUT", "/budgets", {"kind": "money", "period": "day", "limit": limit})

    assert answer.status_code == 400
    assert "limit" in answer.json()["detail"]


def test_the_command_line_shows_usage_and_sets_budgets(priced: Yard, people: People, version: str) -> None:
    people.user("lea")
    made = priced.cogyard("budgets", "set", "2.5", "--account", "lea", "--period", "day", "--json")
    listed = priced.cogyard("budgets", "list", "--account", "lea")
    removed = priced.cogyard("budgets", "remove", listed.stdout.partition("\t")[0])
    shown = priced.cogyard("usage", "--by", "account,model", "--account", "lea")
    table = priced.cogyard("usage", "--csv", "--account", "lea")

    assert '"limit": "2.50"' in made.stdout, made.stderr
    assert "\tlea\t\tmoney\tday\t2.50\t0.00\t0.00\t2.50\t" in listed.stdout
    assert removed.returncode == 0
    assert shown.stdout == "total\t0\t0\t0\t\t0.00\n"
    assert table.stdout == "model,predictions,seconds,uptime_seconds,units,cost,currency\n"


# --- servers that end, and that do not start -------------------------------------------------------------------------


def test_a_crash_loses_no_charge_and_makes_none_twice(own_yard: Yard) -> None:
    own_yard.settings["hardware_prices"] = PRICES
    reference = own_yard.start().push(FOLDERS / "canary", "acme/canary")
    done = [own_yard.run(reference, {"text": "hi"}) for _ in range(3)]
    running = own_yard.create(reference, {"mode": "sleep"}).json()["id"]
    own_yard.until_status(running, "processing")
    people = People(own_yard)
    before = usage(people, TOKEN, by="kind")
    own_yard.kill()
    time.sleep(1)
    own_yard.start()
    own_yard.until_status(running, "processing")
    with own_yard.http as http:
        http.post(f"/predictions/{running}/cancel")
    own_yard.end_of(running)

    costs = [people.done(TOKEN, "GET", f"/predictions/{one}/usage")["cost"] for one in _ids(people)]
    after = usage(people, TOKEN, by="kind")

    assert before["total"]["predictions"] >= len(done)
    assert after["total"]["predictions"] == len(costs)
    assert Decimal(after["total"]["cost"]) == sum(map(Decimal, costs))


def _ids(people: People) -> list[str]:
    return [one["id"] for one in people.done(TOKEN, "GET", "/predictions")["results"]]


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        ('{"warp": 1}', "warp is no hardware of this yard"),
        ('{"cpu": -1}', "the price of cpu must be a number from 0 to 1000"),
        ("cpu=1", "write a JSON object"),
        ('{"cpu": "NaN"}', "hardware_prices"),
    ],
)
def test_a_server_with_prices_that_are_none_does_not_start(own_yard: Yard, prices: str, told: str) -> None:
    started = own_yard.cogyard("serve", "--hardware-prices", prices)
    own_yard.settings["hardware_prices"] = prices
    by_variable = own_yard.cogyard("serve")

    assert (started.returncode, by_variable.returncode) == (2, 2)
    assert told in started.stderr
    assert told in by_variable.stderr
