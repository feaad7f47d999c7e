"""Clients disagree on what a base URL holds: with `/v1` and without, each of them gets through."""

import os
import subprocess
import sys

import pytest

from tests.clients.conftest import CLIENTS
from tests.yard import TOKEN, Yard

PYTHON = """
import replicate

print("".join(replicate.run("{reference}", input={{"text": "Ada"}})))
"""
JAVASCRIPT = """
import Replicate from "replicate";

const replicate = new Replicate({{ baseUrl: process.env.REPLICATE_BASE_URL }});
console.log((await replicate.run("{reference}", {{ input: {{ text: "Ada" }} }})).join(""));
"""


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
@pytest.mark.parametrize("client", ["python 1.x", "python 2 beta", "javascript"])
def test_every_spelling_works_with_every_client(yard: Yard, canary_stream: str, client: str, ending: str) -> None:
    if client == "javascript":
        if not (CLIENTS / "js" / "node_modules" / "replicate").exists():
            pytest.skip("the JavaScript client is not installed: run make test where there is npm")
        script = CLIENTS / "js" / "base_url.mjs"
        script.write_text(JAVASCRIPT.format(reference=canary_stream))
        command = ["node", str(script)]
    else:
        interpreter = sys.executable if client == "python 1.x" else str(CLIENTS / "python2" / "bin" / "python")
        if not os.path.exists(interpreter):  # noqa: PTH110 - a string that a command needs
            pytest.skip("the 2.0 beta client is not installed: run make test")
        command = [interpreter, "-c", PYTHON.format(reference=canary_stream)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REPLICATE_", "COGYARD_"))}
    environment = {**kept, "REPLICATE_BASE_URL": yard.url + ending, "REPLICATE_API_TOKEN": TOKEN}

    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    assert (ended.returncode, ended.stdout) == (0, "hello there, Ada\n"), ended.stderr
