"""The official clients get the real output of real models, told only another address."""

import io
import json
import subprocess
from typing import Any

import pytest
from PIL import Image

from tests.clients.conftest import StarterYard, javascript, python1, python2
from tests.yard import TOKEN

pytestmark = pytest.mark.slow


@pytest.fixture(
    scope="module",
    params=[(python1, "main_job_python1.py"), (python2, "main_job_python2.py"), (javascript, "main_job.mjs")],
    ids=["python 1.x", "python 2 beta", "javascript"],
)
def got(request: pytest.FixtureRequest, starter: StarterYard) -> dict[str, Any]:
    """What a client's own program got of the three starter models."""
    client, script = request.param
    found: dict[str, Any] = client(starter, script)
    return found


def test_text_is_the_same_whole_and_streamed(got: dict[str, Any]) -> None:
    assert len(got["text"]) > 5
    assert got["streamed"] == got["text"]


def test_a_file_goes_in_and_a_file_object_comes_out(got: dict[str, Any]) -> None:
    picture = Image.open(io.BytesIO(bytes.fromhex(got["picture"])))

    assert got["url"].startswith("https://127.0.0.1:")
    assert (picture.format, picture.size) == ("PNG", (256, 192))


def test_json_comes_out(got: dict[str, Any]) -> None:
    cat, kitten, bridge = got["vectors"]

    assert len(cat) == 384
    assert similarity(cat, kitten) > 0.6 > similarity(cat, bridge)


def test_a_prediction_can_be_created_and_polled(got: dict[str, Any]) -> None:
    assert got["polled"] == "succeeded"


def test_bad_input_is_told(got: dict[str, Any]) -> None:
    assert "input.texts: Invalid type. Expected: array, given: string" in got["refusal"]
    assert "There is nothing to embed" in got["failure"]


def test_curl_creates_polls_and_gets(starter: StarterYard) -> None:
    def curl(*arguments: str) -> dict[str, Any]:
        command = ["curl", "-s", "--cacert", str(starter.data / "tls" / "ca.pem")]
        command += ["-H", f"Authorization: Bearer {TOKEN}", *arguments]
        found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        return found

    version = curl(f"{starter.https}/v1/models/cogyard/all-minilm-l6-v2")["latest_version"]["id"]
    body = json.dumps({"version": version, "input": {"text": "hi"}})
    created = curl(f"{starter.https}/v1/predictions", "-H", "Content-Type: application/json", "-d", body)
    starter.end_of(created["id"])

    assert len(curl(created["urls"]["get"])["output"][0]) == 384


def similarity(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
