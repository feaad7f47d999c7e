"""The log of administrative acts: it has all of them, and nobody changes it."""

import pytest

from tests.scenarios.people import People
from tests.yard import TOKEN, Yard

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def people(yard: Yard) -> People:
    return People(yard)


def test_the_log_has_every_act_with_who_from_where_and_what_came_of_it(people: People) -> None:
    zoe = people.user("zoe")
    reader = people.token(zoe, name="reads", scopes=["read"])
    model = {"owner": "zoe", "name": "logged", "visibility": "private", "hardware": "cpu"}

    people.done(zoe, "POST", "/models", model)
    people.ask(zoe, "POST", "/models", model)
    people.ask(reader, "POST", "/models", model)
    people.ask(zoe, "DELETE", "/models/zoe/nothing?force=true")
    people.ask(zoe, "PATCH", "/users/zoe", {"name": "Zoe Z."})
    people.ask(zoe, "GET", "/models/zoe/logged")

    acts = people.done(zoe, "GET", "/audit")["results"]
    told = [(one["action"], one["target"], one["token"]["name"], one["status"]) for one in reversed(acts)]
    assert told == [
        ("tokens.create", "/tokens", "made", 201),
        ("models.create", "/models", "made", 201),
        ("models.create", "/models", "made", 409),
        ("models.create", "/models", "reads", 403),
        ("models.delete", "/models/zoe/nothing?force=true", "made", 404),
        ("users.update", "/users/zoe", "made", 200),
    ]
    assert {(one["account"], one["address"]) for one in acts} == {("zoe", "127.0.0.1")}
    changed = acts[0]["details"]
    assert (changed["before"]["name"], changed["after"]["name"]) == ("zoe", "Zoe Z.")
    assert zoe not in str(acts)


def test_the_log_tells_what_was_there_before_and_after(people: People) -> None:
    yan = people.user("yan")
    people.done(yan, "POST", "/models", {"owner": "yan", "name": "m", "visibility": "private", "hardware": "cpu"})
    people.done(yan, "PATCH", "/models/yan/m", {"description": "It draws.", "readme": "x" * 5000})
    people.admin("POST", "/collections", {"slug": "yans", "name": "Yan's"})
    people.admin("PATCH", "/collections/yans", {"name": "Of Yan"})

    changed = people.done(yan, "GET", "/audit?action=models.update")["results"][0]["details"]
    renamed = people.done(TOKEN, "GET", "/audit?action=collections.update")["results"][0]["details"]

    assert changed["before"] == {"description": None, "readme": None}
    assert changed["after"]["description"] == "It draws."
    assert len(changed["after"]["readme"]) == 201
    assert renamed == {"before": {"name": "Yan's"}, "after": {"name": "Of Yan"}}


def test_the_log_cannot_be_changed(people: People) -> None:
    people.token(people.user("unchanging"), name="x")
    (before,) = people.done(TOKEN, "GET", "/audit?account=unchanging")["results"]

    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert people.admin(method, "/audit", {}).status_code == 405
        assert people.admin(method, f"/audit/{before['number']}", {}).status_code == 404
    assert people.done(TOKEN, "GET", "/audit?account=unchanging")["results"] == [before]
