"""A server with the starter models, as `make serve` starts it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.yard import ROOT, TOKEN, Yard, wait_until

HERE = Path(__file__).parent
READY = "Cogyard is ready at https://127.0.0.1:"
CLIENTS = ROOT / ".tools" / "clients"


class StarterYard(Yard):
    """What `make serve` starts; its clients are processes of their own, over HTTPS, told by the environment alone."""

    def start(self) -> "StarterYard":
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "server.log").open("ab") as log:
            self.process = subprocess.Popen(["make", "serve"], cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        wait_until(lambda: self.process and (self.process.poll() is not None or READY in self.log()), 300, READY)
        assert "not installed" not in self.log(), self.log()
        assert self.is_ready()
        return self

    def client(self, command: list[str], base_url: str, **more: str) -> Any:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("REPLICATE_", "COGYARD_"))},
            "REPLICATE_API_TOKEN": TOKEN,
            "REPLICATE_BASE_URL": base_url,
            "SSL_CERT_FILE": str(self.data / "tls" / "ca-bundle.pem"),
            "NODE_EXTRA_CA_CERTS": str(self.data / "tls" / "ca.pem"),
            "PICTURE": str(ROOT / "models" / "realesr-upscaler" / "examples" / "lighthouse.png"),
            **more,
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StarterYard]:
    started = StarterYard(tmp_path_factory.mktemp("starter"))
    started.start()
    yield started
    started.stop()


def python1(yard: StarterYard, script: str) -> Any:
    return yard.client([sys.executable, str(HERE / script)], yard.https)


def python2(yard: StarterYard, script: str) -> Any:
    interpreter = CLIENTS / "python2" / "bin" / "python"
    if not interpreter.exists():
        pytest.skip("the 2.0 beta client is not installed: run make test")
    return yard.client([str(interpreter), str(HERE / script)], f"{yard.https}/v1")


def javascript(yard: StarterYard, script: str) -> Any:
    if not (CLIENTS / "js" / "node_modules" / "replicate").exists():
        pytest.skip("the JavaScript client is not installed: run make test where there is npm")
    target = CLIENTS / "js" / script
    target.write_text((HERE / script).read_text())
    return yard.client(["node", str(target)], f"{yard.https}/v1")


Client = Callable[[StarterYard, str], Any]
