"""The official clients, each through every method that it has, against real models over HTTPS."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.clients.capabilities import CAPABILITIES, CLIENTS, Capability
from tests.clients.compatibility import PAGE, page
from tests.clients.conftest import CLIENTS as INSTALLED
from tests.clients.flaky import flaky
from tests.yard import FOLDERS, TOKEN, Yard

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
FOLDER_OF = {
    "canary": "canary",
    "stream": "canary-stream",
    "official": "canary-async",
    "picture": "picture",
    "pictures": "pictures",
    "picture-stream": "picture-stream",
    "album": "album",
    "trainable": "trainable",
}
PYTHON2 = INSTALLED / "python2" / "bin" / "python"
JAVASCRIPT = INSTALLED / "js"
PROGRAMS = [
    ("python1", "sync"),
    ("python1", "async"),
    ("python2", "sync"),
    ("python2", "async"),
    ("javascript", "async"),
]
SEEDS = 101
"""One more than a page holds."""


@dataclass(frozen=True)
class World:
    """What the programs find: models, a collection, more than a page of predictions; and servers that are difficult."""

    yard: Yard
    models: dict[str, str]
    flaky: str
    limited: str

    def environment(self, who: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("REPLICATE_", "COGYARD_"))}
        return {
            **kept,
            "REPLICATE_API_TOKEN": TOKEN,
            "REPLICATE_BASE_URL": self.yard.https,
            "REPLICATE_POLL_INTERVAL": "0.05",
            "SSL_CERT_FILE": str(self.yard.data / "tls" / "ca-bundle.pem"),
            "NODE_EXTRA_CA_CERTS": str(self.yard.data / "tls" / "ca.pem"),
            "MODELS": json.dumps(self.models),
            "WHO": who,
            "FLAKY": self.flaky,
            "LIMITED": self.limited,
            "FILES_KEY": self.files_key(),
        }

    def files_key(self) -> str:
        """What the account signs its download links with."""
        with self.yard.http as http:
            key: str = http.get("/files/default/secret").json()["key"]
        return key


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("every-method")
    settings = {"cancel_grace": "1", "max_instances": "10", "rate_creates": "0", "official_instances": "0"}
    yard = Yard(folder / "yard", settings).start()
    limited = Yard(folder / "limited", {"rate_creates": "1"}).start()
    with ThreadPoolExecutor(2) as pool:
        pushed = pool.map(lambda name: yard.push(FOLDERS / FOLDER_OF[name], f"acme/{name}"), FOLDER_OF)
        models = dict(zip(FOLDER_OF, pushed, strict=True))
    with yard.http as http, ThreadPoolExecutor(4) as pool:
        http.put("/models/acme/official/official", json={"is_official": True}).raise_for_status()
        words = {"slug": "drawings", "name": "Drawings", "description": "They draw."}
        http.post("/collections", json=words).raise_for_status()
        http.put("/collections/drawings/models/acme/picture").raise_for_status()
        http.patch("/models/acme/picture", json={"description": "Drawings of a picture."}).raise_for_status()
        seed = {"version": models["canary"], "input": {"text": "seed"}}
        created = list(pool.map(lambda _: http.post("/predictions", json=seed).json()["id"], range(SEEDS)))
    yard.end_of(created[-1])
    with flaky(yard.url) as lossy:
        yield World(yard, models, lossy, limited.url)
    yard.stop()
    limited.stop()


def command(client: str, way: str) -> list[str]:
    """What runs a client's program. Skips the test where the client is not installed."""
    if client == "python1":
        return [sys.executable, str(HERE / "every_method_python1.py"), way]
    if client == "python2":
        if not PYTHON2.exists():
            pytest.skip("the 2.0 beta client is not installed: run make test")
        return [str(PYTHON2), str(HERE / "every_method_python2.py"), way]
    if not (JAVASCRIPT / "node_modules" / "replicate").exists():
        pytest.skip("the JavaScript client is not installed: run make test where there is npm")
    target = JAVASCRIPT / "every_method.mjs"
    target.write_text((HERE / "every_method.mjs").read_text())
    return ["node", str(target)]


Told = dict[str, Any]


@pytest.fixture(scope="module")
def tell(world: World) -> Callable[[str, str], Told]:
    """Runs a client's program, once: what it told."""

    @cache
    def told(client: str, way: str) -> Told:
        environment = world.environment(f"{client}-{way}")
        if client != "python1":
            environment["REPLICATE_BASE_URL"] += "/v1"
        done = subprocess.run(
            command(client, way), env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return {**json.loads(done.stdout), "way": way}

    return told


def rows() -> Iterator[Any]:
    for client, way in PROGRAMS:
        for capability in CAPABILITIES:
            if client not in capability.none:
                yield pytest.param(client, way, capability, id=f"{CLIENTS[client]}, {way}: {capability.name}")


@pytest.mark.parametrize(("client", "way", "capability"), list(rows()))
def test_a_client_can(tell: Callable[[str, str], Told], client: str, way: str, capability: Capability) -> None:
    (shown,) = [one for one in tell(client, way)["capabilities"] if one["capability"] == capability.name]

    assert shown["error"] is None, shown["error"]
    assert shown["evidence"] == capability.expected(client)


@pytest.mark.parametrize("client", CLIENTS, ids=CLIENTS.values())
def test_every_public_method_was_called(tell: Callable[[str, str], Told], client: str) -> None:
    programs = [tell(one, way) for one, way in PROGRAMS if one == client]
    public = {method for program in programs for method in program["public"]}
    called = {method for program in programs for shown in program["capabilities"] for method in shown["methods"]}

    assert len(public) > 30
    assert public - called == set()


@pytest.mark.parametrize(("client", "way"), PROGRAMS)
def test_the_table_knows_all_that_a_program_shows(tell: Callable[[str, str], Told], client: str, way: str) -> None:
    shown = {one["capability"] for one in tell(client, way)["capabilities"]}

    assert shown == {capability.name for capability in CAPABILITIES if client not in capability.none}


def test_the_page_tells_what_this_run_found(tell: Callable[[str, str], Told]) -> None:
    """`COGYARD_WRITE_COMPATIBILITY=1` writes it."""
    found = page({client: [tell(one, way) for one, way in PROGRAMS if one == client] for client in CLIENTS})
    if os.environ.get("COGYARD_WRITE_COMPATIBILITY"):
        PAGE.write_text(found)

    assert PAGE.read_text() == found, "run this test with COGYARD_WRITE_COMPATIBILITY=1 to write it anew"
