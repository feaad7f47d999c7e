"""What is private of one account does not exist for another: every route, every method, every object.

The calls are made out of the application's own route table, so that a new route is tried too, or makes this fail.
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterator

import httpx
import pytest

from cogyard.api.openapi_operations import OPERATIONS
from cogyard.domain.account import Scope
from tests.scenarios.strangers import (
    ADA,
    BODIES,
    DESK,
    ENGINE,
    EVE,
    HARMLESS_QUERIES,
    LOOM,
    OPEN,
    PAGES,
    POEM,
    QUERIES,
    SECRET,
    Call,
    Named,
    Values,
    World,
    absent,
    calls,
    fillings,
    make_world,
)
from tests.yard import Yard

pytestmark = pytest.mark.slow

REFUSED_FOR_EVERY_OBJECT = {
    "POST /models/{owner}/{name}/versions": "pushing for another account",
    "PUT /models/{owner}/{name}/official": "the yard's admins",
    "PATCH /collections/{slug}": "the yard's admins",
    "DELETE /collections/{slug}": "the yard's admins",
    "PUT /collections/{slug}/models/{owner}/{name}": "the yard's admins",
    "DELETE /collections/{slug}/models/{owner}/{name}": "the yard's admins",
    "DELETE /users/{username}": "the yard's admins",
    "DELETE /organizations/{username}": "the yard's admins",
}
"""What is a 403 for every object alike, there or not, because of who asks; and who may."""

FOR_ADMINS = {"GET /users"}
"""Lists that only the yard's admins get."""

OTHERS = ("other prediction", "training", "streamed", f"instance of {LOOM}", f"instance of {POEM}")
"""What of Ada's is not of the model `ENGINE`."""

GUARDED = [call for call in calls() if not call.is_open]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    unlimited = dict.fromkeys(("rate_creates", "rate_requests", "token_rate_creates", "token_rate_requests"), "0")
    yard = Yard(tmp_path_factory.mktemp("strangers"), {"cancel_grace": "1", **unlimited}).start()
    try:
        yield make_world(yard)
    finally:
        yard.stop()


def ask(world: World, http: httpx.Client, call: Call, path: str) -> httpx.Response:
    body = BODIES.get(call.name)
    return http.request(call.method, path, json=None if body is None else body(world))


def renamed(text: bytes, values: Values) -> bytes:
    """The bytes of an answer with the names of an absent object in place of those of the one that is there."""
    for value in values.values():
        if len(value) > 4:  # a token's number is no word that an answer would repeat
            text = text.replace(value.encode(), absent(value).encode())
    return text


def is_of_ada(world: World, value: object) -> bool:
    return isinstance(value, str) and any(mark in value for mark in world.marks if len(mark) > 4)


def test_every_route_and_query_parameter_is_known_here() -> None:
    told = {name for one in OPERATIONS for name in one.parameters}

    unknown = told - set(QUERIES) - HARMLESS_QUERIES
    assert not unknown, f"add {sorted(unknown)} to QUERIES or HARMLESS_QUERIES of tests/scenarios/strangers.py"
    without = [call.name for call in GUARDED if call.scope is None]
    assert not without, f"{without} take no token; say is_open in the OpenAPI operation, or guard them"


@pytest.mark.parametrize("call", [call for call in GUARDED if call.parameters], ids=lambda call: call.name)
def test_to_a_stranger_it_is_as_if_it_did_not_exist(world: World, call: Call) -> None:
    expected = 403 if call.name in REFUSED_FOR_EVERY_OBJECT else 404
    with world.http(world.eve) as http:
        for values in fillings(call, world.victims()):
            there = ask(world, http, call, call.filled(values))
            not_there = ask(world, http, call, call.filled({key: absent(value) for key, value in values.items()}))

            if values.get("slug") and call.method == "GET":
                continue  # everybody sees collections
            if call.method == "PUT" and values.get("owner") == EVE and {"alias", "secret"} & set(values):
                continue  # her own model may have such an alias or secret too; tried below
            assert (there.status_code, not_there.status_code) == (expected, expected), (call, values, there.text)
            assert renamed(there.content, values) == not_there.content
            assert there.headers["content-type"] == not_there.headers["content-type"]


@pytest.mark.parametrize("call", [call for call in GUARDED if not call.parameters], ids=lambda call: call.name)
def test_no_query_parameter_tells_whether_something_is_there(world: World, call: Call) -> None:
    told = next(one.parameters for one in OPERATIONS if f"{one.method} {one.path}" == call.name)
    with world.http(world.eve) as http:
        for name in set(told) & set(QUERIES):
            for value in QUERIES[name](world):
                there = http.request(call.method, call.path, params={name: value})
                not_there = http.request(call.method, call.path, params={name: absent(value)})

                assert there.status_code == not_there.status_code
                assert renamed(there.content, {name: value}) == not_there.content


@pytest.mark.parametrize("call", [call for call in calls() if not call.parameters], ids=lambda call: call.name)
@pytest.mark.parametrize("who", ["fay", "nobody"])
def test_nothing_of_it_is_in_what_a_stranger_can_list(world: World, call: Call, who: str) -> None:
    if call.method not in ("GET", "QUERY"):
        return
    queries: list[dict[str, str]] = [{}]
    if call.path == "/search":
        queries = [{"query": mark} for mark in (ADA, ENGINE, LOOM, "canary", "learns words", "shelf")]
    if call.path == "/usage":
        queries = [{"by": "account,model,deployment,token,day", "format": form} for form in ("json", "csv")]
    if call.path == "/instances":
        queries = [{"all": every} for every in ("true", "false")]
    with world.http(world.fay if who == "fay" else None) as http:
        for query in queries:
            body = ENGINE.encode() if call.method == "QUERY" else None
            answer = http.request(call.method, call.path, params=query, content=body)
            shown = answer.content.lower()
            if "query" in query:  # which the answer repeats
                shown = shown.replace(f'"query":"{query["query"]}"'.encode(), b"")

            expected = 403 if call.name in FOR_ADMINS else 200
            assert answer.status_code == (401 if who == "nobody" and not call.is_open else expected), answer.text
            assert not [mark for mark in world.marks if len(mark) > 4 and mark.encode() in shown]


def test_a_private_model_in_a_collection_is_not_shown_there(world: World) -> None:
    with world.http(world.eve) as http:
        shown = http.get("/collections/shelf")

    assert shown.json()["models"] == []
    assert ADA not in shown.text


def test_bodies_that_name_it_are_answered_as_for_what_does_not_exist(world: World) -> None:
    engine, version = f"{ADA}/{ENGINE}", world.versions[ENGINE]
    limits = {"hardware": "cpu", "min_instances": 0, "max_instances": 1}
    named: list[tuple[str, str, dict[str, object]]] = [
        ("POST", "/predictions", {"input": {}, "version": version}),
        ("POST", "/predictions", {"input": {}, "version": engine}),
        ("POST", "/predictions", {"input": {}, "version": f"{engine}:{version}"}),
        ("POST", "/deployments", {"name": "x", "model": engine, "version": version, **limits}),
        ("POST", f"/models/{EVE}/ownmodel/examples", {"prediction": world.ids["prediction"]}),
        ("POST", "/tokens", {"name": "x", "account": ADA}),
        ("PUT", "/budgets", {"account": ADA, "kind": "seconds", "period": "day", "limit": "1"}),
    ]
    with world.http(world.eve) as http:
        for method, path, body in named:
            values = {key: str(value) for key, value in body.items() if is_of_ada(world, value)}
            there = http.request(method, path, json=body)
            absent_body = {**body, **{key: absent(value) for key, value in values.items()}}
            not_there = http.request(method, path, json=absent_body)

            assert there.status_code == not_there.status_code >= 400, (path, body, there.text)
            assert renamed(there.content, values) == not_there.content


def test_a_strangers_alias_does_not_tell_which_versions_exist(world: World) -> None:
    version = world.versions[ENGINE]
    pushed = world.yard.cogyard("--token", world.eve, "push", "tests/folders/picture", f"{EVE}/pictures")
    assert pushed.returncode == 0, pushed.stderr
    aliases = f"/models/{EVE}/pictures/aliases"
    with world.http(world.eve) as http, world.http(world.ada) as ada:
        there, not_there = (http.put(f"{aliases}/{one}", json={}) for one in (version, absent(version)))
        runs = [http.post("/predictions", json={"version": one, "input": {}}) for one in (version, absent(version))]
        of_ada = ada.post("/predictions", json={"version": version, "input": {}})

    assert (there.status_code, not_there.status_code) == (200, 200)
    assert [run.status_code for run in runs] == [201, 201]
    assert {run.json()["model"] for run in runs} == {f"{EVE}/pictures"}
    assert of_ada.json()["model"] == f"{ADA}/{ENGINE}"


def test_a_strangers_alias_does_not_take_over_ones_own(world: World) -> None:
    foreign = "c3" * 32
    pushed = world.yard.cogyard("--token", world.eve, "push", "tests/folders/picture", f"{EVE}/pictures")
    assert pushed.returncode == 0, pushed.stderr
    with world.http(world.eve) as http, world.http(world.ada) as ada:
        for who, model in ((http, f"{EVE}/pictures"), (ada, f"{ADA}/{ENGINE}")):
            assert who.put(f"/models/{model}/aliases/{foreign}", json={}).status_code == 200
        run = ada.post("/predictions", json={"version": foreign, "input": {}})

    assert run.json()["model"] == f"{ADA}/{ENGINE}"


def test_addresses_that_carry_their_own_right_cannot_be_guessed(world: World) -> None:
    stream, output = httpx.URL(world.stream), httpx.URL(world.output)
    token = stream.path.rpartition("/")[2]
    swapped = re.sub(r"/delivery/[^/]+/", f"/delivery/{world.ids['file']}/", str(output))
    guesses = [
        *(
            str(stream).replace(token, token[:at] + ("b" if token[at] == "a" else "a") + token[at + 1 :])
            for at in (0, 7, len(token) // 2, len(token) - 2)
        ),
        swapped,
        str(output.copy_with(query=b"")),
        str(output)[:-1] + ("0" if str(output)[-1] != "0" else "1"),
    ]
    with world.http(world.eve) as http:
        with http.stream("GET", str(stream)) as opened:
            assert opened.status_code == 200
        assert http.get(str(output)).status_code == 200
        for guess in guesses:
            assert http.get(guess).status_code == 404, guess
        key, expiry = http.get("/files/default/secret").json()["key"], int(time.time()) + 60
        for owner in (ADA, EVE, "nobody"):
            signed = hmac.new(key.encode(), f"{owner} {world.ids['file']} {expiry}".encode(), hashlib.sha256)
            query = {"owner": owner, "expiry": str(expiry), "signature": base64.b64encode(signed.digest()).decode()}
            refused = http.get(f"/files/{world.ids['file']}/download", params=query)
            assert (refused.status_code, refused.json()["detail"]) == (404, "File not found")


@pytest.mark.parametrize("call", calls(), ids=lambda call: call.name)
def test_without_a_valid_token_only_what_is_open_answers(world: World, call: Call) -> None:
    values = dict.fromkeys(call.parameters, "x")
    with world.http(None) as nobody, world.http(world.disabled) as disabled:
        statuses = [http.request(call.method, call.filled(values)).status_code for http in (nobody, disabled)]

    if call.is_open:
        assert 401 not in statuses or call.path == "/search"  # which looks at a token that is there
    else:
        assert statuses == [401, 401]


@pytest.mark.parametrize("call", [call for call in GUARDED if call.scope is not Scope.read], ids=lambda call: call.name)
def test_a_token_that_only_reads_does_nothing_else(world: World, call: Call) -> None:
    with world.http(world.reader) as http:
        for values in fillings(call, world.victims()) if call.parameters else [{}]:
            refused = ask(world, http, call, call.filled(values))

            assert refused.status_code == 403
            assert f"the scope {call.scope}" in refused.json()["detail"]


@pytest.mark.parametrize("call", GUARDED, ids=lambda call: call.name)
def test_a_token_for_one_model_neither_sees_nor_touches_the_others(world: World, call: Call) -> None:
    others = [LOOM, POEM, DESK, world.versions[LOOM], world.versions[POEM]]
    others += [world.ids[name] for name in OTHERS]
    victims: Named = {
        ("owner", "name"): [(ADA, LOOM), (ADA, POEM), (ADA, DESK)],
        ("version",): [(world.versions[LOOM],), (world.versions[POEM],)],
        ("alias",): [(world.versions[LOOM],)],
        ("id",): [(world.ids[name],) for name in OTHERS],
        ("username",): [(ADA,)],
        ("member",): [(ADA,)],
        ("slug",): [("shelf",)],
        ("secret",): [(SECRET,)],
    }
    with world.http(world.narrow) as http:
        if not call.parameters:
            if call.method in ("GET", "QUERY") and call.scope is not Scope.admin:
                query = {"all": "true"} if call.path == "/instances" else {}
                answer = http.request(call.method, call.path, params=query)
                assert not [mark for mark in others if mark in answer.text]
            return
        if call.path in ("/users/{username}", "/collections/{slug}"):
            return
        for values in fillings(call, victims):
            refused = ask(world, http, call, call.filled(values))
            assert refused.status_code in (403, 404), (call, values, refused.text)


def test_a_token_for_one_model_runs_that_one_alone(world: World) -> None:
    limits = {"hardware": "cpu", "min_instances": 0, "max_instances": 1}
    with world.http(world.narrow) as http:
        own = http.post("/predictions", json={"version": f"{ADA}/{ENGINE}:{world.versions[ENGINE]}", "input": {}})
        other = http.post("/predictions", json={"version": world.versions[LOOM], "input": {"text": "x"}})
        deployment = {"name": "x", "model": f"{ADA}/{LOOM}", "version": world.versions[LOOM], **limits}
        deployed = http.post("/deployments", json=deployment)
        model = {"owner": ADA, "name": "another", "visibility": "private", "hardware": "cpu"}
        created = http.post("/models", json=model)
        listed = http.get("/predictions").json()["results"]

    assert own.status_code == 201
    assert [one.status_code for one in (other, deployed, created)] == [422, 400, 403]
    assert {one["model"] for one in listed} == {f"{ADA}/{ENGINE}"}


def test_pages_for_people_are_the_same_for_every_object(world: World) -> None:
    there = world.ids["prediction"]
    with world.http(None) as http:
        shown = [http.get(f"/p/{one}").text for one in (there, absent(there))]

    assert PAGES.isdisjoint(OPEN)
    assert shown[0].replace(there, absent(there)) == shown[1]


def test_what_ada_has_is_there_for_herself(world: World) -> None:
    """The tests above would pass on an empty server too."""
    with world.http(world.ada) as http:
        paths = [
            f"/models/{ADA}/{ENGINE}",
            f"/models/{ADA}/{LOOM}/versions/{world.versions[LOOM]}",
            f"/deployments/{ADA}/{DESK}/releases",
            f"/predictions/{world.ids['prediction']}",
            f"/trainings/{world.ids['training']}",
            f"/files/{world.ids['file']}",
            f"/instances/{world.ids[f'instance of {ENGINE}']}",
            f"/models/{ADA}/{ENGINE}/settings",
            "/organizations/labofada",
            f"/users/{ADA}",
        ]
        assert [http.get(path).status_code for path in paths] == [200] * len(paths)
        assert len(http.get(f"/models/{ADA}/{ENGINE}/examples").json()["results"]) > 1
        assert http.get("/audit").json()["results"]
