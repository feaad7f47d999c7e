"""Ada, who has one of everything, and Eve, a stranger on the same server; and how routes name what is Ada's.

A route or parameter that is not known here makes `test_visibility` fail with what to add: `VICTIMS` for a part of a
path, `QUERIES` for a query parameter, `BODIES` for a body without which a call is refused before it is looked at.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, cast

import httpx

from cogyard.api.app import create_app
from cogyard.api.openapi_operations import OPERATIONS
from cogyard.api.yard import Yard as ApiYard
from cogyard.domain.account import Scope
from tests.receiver import receiver
from tests.reference import check_answer
from tests.yard import FOLDERS, Yard, wait_until

ADA, EVE, FAY, LAB = "adalovelace", "evelistens", "fayisnew", "labofada"
ENGINE, LOOM, POEM = "analyticalengine", "jacquardloom", "longpoem"
DESK, WORDS = "writingdesk", "learnedwords"
ALIAS = "a1" * 32
SECRET, HIDDEN = "ENGINE_KEY", "brass-and-steam"

Values = dict[str, str]

Named = Mapping[tuple[str, ...], Sequence[tuple[str, ...]]]
"""What parts of paths can name. Parts that belong together stand together."""


# --- the routes -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Call:
    """One method of one path of the application, and the scope that it takes; None where it takes no token."""

    method: str
    path: str
    scope: Scope | None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    @property
    def is_open(self) -> bool:
        """Whether the OpenAPI document says that it takes no token; what is not in there are pages for people."""
        return self.name in OPEN or self.name in PAGES

    def filled(self, values: Values) -> str:
        return self.path.format(**values)


class _Scopes:
    """Stands in for what the handlers share, and remembers which scope each of them takes."""

    def authenticated(self, _handler: object, scope: Scope, _kind: str = "") -> Scope:
        return scope

    def open(self, handler: object) -> object:
        return handler

    def __getattr__(self, _name: str) -> None:
        return None


def calls() -> list[Call]:
    """The application's own route table."""
    found: list[Call] = []
    for route in create_app(cast("ApiYard", _Scopes())).routes:  # type: ignore[attr-defined]
        methods = inspect.getclosurevars(route.endpoint).nonlocals["methods"]
        found += [Call(method, route.path_format, _scope(methods[method])) for method in sorted(methods)]
    return found


def _scope(endpoint: Any) -> Scope | None:
    """The scope that an endpoint takes, also where a handler that follows streams stands before it."""
    if isinstance(endpoint, Scope):
        return endpoint
    inner = [cell.cell_contents for cell in getattr(endpoint, "__closure__", None) or ()]
    return next((one for one in inner if isinstance(one, Scope)), None)


OPEN = {f"{one.method} {one.path}" for one in OPERATIONS if one.is_open}
"""What takes no token, as the OpenAPI document has it."""

PAGES = {"GET /", "GET /p/{id}"}
"""Pages for people, which are not in the document: the same for every object, there or not."""


# --- the people -----------------------------------------------------------------------------------------------------
@dataclass
class World:
    """A server with all that is Ada's on it."""

    yard: Yard
    ada: str
    eve: str
    #: another stranger, who has asked for nothing yet: not even her own acts name what is Ada's
    fay: str
    #: of Ada's, with the scope `read` alone; disabled; for her model `ENGINE` alone
    reader: str
    disabled: str
    narrow: str
    #: what a part of a path can name of Ada's
    ids: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    #: addresses that carry their own right
    stream: str = ""
    output: str = ""

    def http(self, token: str | None) -> httpx.Client:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(
            base_url=f"{self.yard.url}/v1",
            headers=headers,
            timeout=90,
            trust_env=False,
            event_hooks={"response": [check_answer]},
        )

    @property
    def marks(self) -> list[str]:
        """What may be in no answer to a stranger."""
        return [
            ADA,
            LAB,
            ENGINE,
            LOOM,
            POEM,
            DESK,
            WORDS,
            ALIAS,
            SECRET.lower(),
            HIDDEN,
            *self.ids.values(),
            *self.versions.values(),
        ]

    def victims(self) -> Named:
        """What parts of paths can name of Ada's."""
        own = [(ADA, name) for name in (ENGINE, LOOM, POEM, DESK, WORDS)]
        versions = [(version,) for version in self.versions.values()]
        return {
            ("owner", "name"): [*own, (ADA.upper(), ENGINE), (LAB, ENGINE), (EVE, "ownmodel")],
            ("version",): versions,
            ("alias",): [(ALIAS,), *versions],
            ("id",): [(one,) for one in self.ids.values()],
            ("username",): [(ADA,), (LAB,)],
            ("member",): [(ADA,), (EVE,)],
            ("slug",): [("shelf",)],
            ("secret",): [(SECRET,)],
        }


def absent(value: str) -> str:
    """A name of the same form and length that nobody has."""
    turned = re.sub(r"[a-z0-9]", lambda one: "7" if one[0].isdigit() else {"a": "b"}.get(one[0], "a"), value.lower())
    return value if value in ("shelf", EVE, "ownmodel") else turned


def fillings(call: Call, victims: Named) -> Iterator[Values]:
    """Every way in which the parts of a call's path name something of Ada's."""
    left = set(call.parameters)
    groups: list[list[Values]] = []
    for names, named in victims.items():
        if left >= set(names):
            left -= set(names)
            groups.append([dict(zip(names, one, strict=True)) for one in named])
    assert not left, f"{call.name}: say in strangers.World.victims what {sorted(left)} can name of Ada's"
    for parts in product(*groups):
        values = {key: value for part in parts for key, value in part.items()}
        if any(absent(value) != value for value in values.values()):
            yield values


BODIES: dict[str, Callable[[World], Any]] = {
    "POST /models/{owner}/{name}/examples": lambda world: {"prediction": world.ids["prediction"]},
    "POST /models/{owner}/{name}/versions/{version}/trainings": lambda _: {"input": {}, "destination": "a/b"},
    "POST /models/{owner}/{name}/predictions": lambda _: {"input": {}},
    "POST /deployments/{owner}/{name}/predictions": lambda _: {"input": {}},
    "POST /deployments/{owner}/{name}/rollback": lambda _: {"number": 1},
    "PUT /models/{owner}/{name}/official": lambda _: {"is_official": True},
    "PUT /organizations/{username}/members/{member}": lambda _: {"role": "admin"},
    "PUT /models/{owner}/{name}/secrets/{secret}": lambda _: {"value": "x"},
    "PUT /deployments/{owner}/{name}/secrets/{secret}": lambda _: {"value": "x"},
}
"""Bodies without which a call is refused for its form."""

QUERIES: dict[str, Callable[[World], list[str]]] = {
    "account": lambda _: [ADA, LAB],
    "prediction": lambda world: [world.ids["prediction"], world.ids["training"]],
}
"""Query parameters that name something of Ada's."""

HARMLESS_QUERIES = frozenset(
    {
        *("action", "cancel_after", "created_after", "created_before", "cursor", "idempotency", "prefer", "source"),
        *("sort_by", "sort_direction", "limit", "query", "force", "batch", "curator", "last_event_id"),
        *("signed_owner", "expiry", "signature", "by", "from_day", "to_day", "format", "all"),
    }
)
"""Parameters that name nothing, or that only say with which right a file is taken."""


# --- the making -----------------------------------------------------------------------------------------------------
def make_world(yard: Yard) -> World:
    """Everything that an account can have, once."""
    tokens = {name: _user(yard, name) for name in (ADA, EVE, FAY)}
    world = World(yard, tokens[ADA], tokens[EVE], tokens[FAY], "", "", "")
    with world.http(world.ada) as http:
        world.reader = _token(http, world, name="reader", scopes=["read"])
        world.disabled = _token(http, world, name="disabled", scopes=["read", "run", "write", "admin"])
        _done(http.post(f"/tokens/{world.ids['token disabled']}/disable"))
        models = [f"{ADA}/{ENGINE}"]
        world.narrow = _token(http, world, name="narrow", scopes=["read", "run", "write"], models=models)
        for name in (ENGINE, LOOM, POEM, WORDS):
            _model(http, ADA, name)
        for name, folder in ((ENGINE, "canary"), (LOOM, "trainable"), (POEM, "canary-stream")):
            pushed = yard.cogyard("--token", world.ada, "push", str(FOLDERS / folder), f"{ADA}/{name}")
            assert pushed.returncode == 0, pushed.stderr
            world.versions[name] = pushed.stdout.strip().partition(":")[2]
        _run_things(http, world)
    with yard.http as admin:
        for instance in _done(admin.get("/instances", params={"all": "true"})).json()["results"]:
            world.ids[f"instance of {instance['model'].partition('/')[2]}"] = instance["id"]
        budget = {"account": ADA, "kind": "seconds", "period": "month", "limit": 100_000}
        world.ids["budget"] = str(_done(admin.put("/budgets", json=budget)).json()["id"])
        _done(admin.post("/organizations", json={"username": LAB}))
        _done(admin.put(f"/organizations/{LAB}/members/{ADA}", json={"role": "admin"}))
        _done(admin.post("/collections", json={"slug": "shelf", "name": "Shelf"}))
        _done(admin.put(f"/collections/shelf/models/{ADA}/{ENGINE}"))
    with world.http(world.ada) as http:
        held = _token(http, world, name="held", account=LAB, scopes=["read", "write"])
    with world.http(held) as lab:
        _model(lab, LAB, ENGINE)
    with world.http(world.eve) as http:
        _model(http, EVE, "ownmodel")
    return world


def _run_things(http: httpx.Client, world: World) -> None:
    engine = f"{ADA}/{ENGINE}:{world.versions[ENGINE]}"
    _done(http.put(f"/models/{ADA}/{ENGINE}/aliases/{ALIAS}", json={}))
    with receiver() as told:
        body = {"version": engine, "input": {"mode": "typed_files"}, "webhook": told.url}
        world.ids["prediction"] = _done(http.post("/predictions", json=body)).json()["id"]
        ended = wait_until(lambda: _ended(http, world.ids["prediction"]), 60, "Ada's prediction")
        world.output = ended["output"]["png"]
        delivered = wait_until(lambda: http.get("/webhooks/deliveries").json()["results"], 20, "a delivery")
        world.ids["delivery"] = delivered[0]["id"]
    _done(http.post(f"/models/{ADA}/{ENGINE}/examples", json={"prediction": world.ids["prediction"]}))
    uploaded = _done(http.post("/files", files={"content": ("words.txt", b"apple banana")})).json()
    world.ids["file"] = uploaded["id"]
    trainings = f"/models/{ADA}/{LOOM}/versions/{world.versions[LOOM]}/trainings"
    training = {"destination": f"{ADA}/{WORDS}", "input": {"words": uploaded["urls"]["get"]}}
    world.ids["training"] = _done(http.post(trainings, json=training)).json()["id"]
    ended = wait_until(lambda: _ended(http, world.ids["training"]), 60, "Ada's training")
    world.versions[WORDS] = ended["output"]["version"].partition(":")[2]
    deployment = {"name": DESK, "model": f"{ADA}/{LOOM}", "version": world.versions[LOOM], "hardware": "cpu"}
    _done(http.post("/deployments", json={**deployment, "min_instances": 0, "max_instances": 1}))
    for holder in (f"models/{ADA}/{ENGINE}", f"deployments/{ADA}/{DESK}"):
        _done(http.put(f"/{holder}/secrets/{SECRET}", json={"value": HIDDEN}))
    poem = {"version": f"{ADA}/{POEM}:{world.versions[POEM]}", "input": {"text": "a b"}}
    streamed = _done(http.post("/predictions", json=poem)).json()
    world.ids["streamed"], world.stream = streamed["id"], streamed["urls"]["stream"]
    of_loom = {"version": f"{ADA}/{LOOM}:{world.versions[LOOM]}", "input": {"text": "x"}}
    world.ids["other prediction"] = _done(http.post("/predictions", json=of_loom)).json()["id"]
    wait_until(lambda: _ended(http, world.ids["other prediction"]), 60, "Ada's other prediction")


def _user(yard: Yard, username: str) -> str:
    with yard.http as admin:
        _done(admin.post("/users", json={"username": username, "role": "publisher"}))
        scopes = [scope.value for scope in Scope]
        made = _done(admin.post("/tokens", json={"name": "first", "account": username, "scopes": scopes}))
    token: str = made.json()["token"]
    return token


def _token(http: httpx.Client, world: World, **wanted: Any) -> str:
    made = _done(http.post("/tokens", json=wanted)).json()
    world.ids[f"token {wanted['name']}"] = str(made["id"])
    secret: str = made["token"]
    return secret


def _model(http: httpx.Client, owner: str, name: str) -> None:
    body = {"owner": owner, "name": name, "visibility": "private", "hardware": "cpu"}
    _done(http.post("/models", json=body))


def _ended(http: httpx.Client, prediction: str) -> dict[str, Any] | None:
    found: dict[str, Any] = http.get(f"/predictions/{prediction}").json()
    assert found["status"] not in ("failed", "canceled"), found["error"]
    return found if found["status"] == "succeeded" else None


def _done(response: httpx.Response) -> httpx.Response:
    assert response.is_success, response.text
    return response
