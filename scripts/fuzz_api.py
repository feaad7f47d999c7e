"""Throws generated requests at a real server, by its own description: no 5xx, no answer that breaks its schema.

python scripts/fuzz_api.py [--cases 2000]

Cases come alone and in chains (create, get, change, delete), the latter along the links of the description.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.yard import FOLDERS, TOKEN, Yard  # noqa: E402

CHECKS = (
    "not_a_server_error,response_schema_conformance,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,use_after_free,ensure_resource_availability,ignored_auth"
)
SETTINGS = {"rate_creates": "0", "rate_requests": "0", "rate_polls": "0", "cancel_grace": "1", "retention": "0"}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        yard = Yard(Path(folder) / "yard", SETTINGS).start()
        try:
            return fuzz(yard, options.cases, options.seed)
        finally:
            yard.stop()


def fuzz(yard: Yard, cases: int, seed: int) -> int:
    """Run the fuzzer until so many cases were tried; 0 when none of them found anything."""
    known = json.dumps(furnish(yard))
    tried, most = 0, max(cases // 250, 4)
    while tried < cases:
        done = subprocess.run(
            [  # one worker: Python 3.11's own parser fails now and then where two threads of hypothesis use it
                str(Path(sys.executable).parent / "schemathesis"),
                "run",
                f"{yard.url}/openapi.json",
                "--url",
                f"{yard.url}/v1",
                "--header",
                f"Authorization: Bearer {TOKEN}",
                "--checks",
                CHECKS,
                "--max-examples",
                str(most),
                "--seed",
                str(seed),
                "--workers",
                "1",
                "--request-timeout",
                "30",
                "--no-color",
                "--warnings",
                "off",
                "--suppress-health-check",
                "all",
            ],
            env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.fuzz_hooks", "COGYARD_FUZZ_VALUES": known},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(r"([\d,]+) generated", done.stdout)
        tried += int(found[1].replace(",", "")) if found else 0
        if done.returncode or not found:
            print(done.stdout[-20000:], done.stderr[-2000:])
            return done.returncode or 1
        seed += 1
    if not yard.is_ready():
        print("the server is not ready any more")
        return 1
    print(f"{tried} requests, nothing found")
    return 0


def furnish(yard: Yard) -> dict[str, dict[str, str]]:
    """One of everything, by the beginning of the paths that name it."""
    reference = yard.push(FOLDERS / "canary-stream", "acme/canary")
    trainable = yard.push(FOLDERS / "trainable", "acme/trainable")
    prediction = yard.run(reference, {"text": "you"})
    owner = {"owner": "acme", "name": "canary", "version": reference.partition(":")[2]}
    with yard.http as http:
        account = http.get("/account").json()["username"]
        created = http.post("/files", files={"content": ("words.txt", b"hello")}).json()
        token = http.post("/tokens", json={"name": "spare"}).json()
        goal = {"owner": account, "name": "goal", "visibility": "private", "hardware": "cpu"}
        assert http.post("/models", json=goal).status_code == 201
        deployed = {"name": "canary", "model": "acme/canary", "version": owner["version"], "hardware": "cpu"}
        deployed_too = {**deployed, "min_instances": 0, "max_instances": 1}
        assert http.post("/deployments", json=deployed_too).status_code == 200
        training = http.post(
            f"/models/{trainable.replace(':', '/versions/')}/trainings",
            json={"destination": f"{account}/goal", "input": {"words": created["urls"]["get"]}},
        )
        assert http.post("/collections", json={"slug": "some", "name": "Some"}).status_code == 201
    said = json.dumps({"text": "you"})
    return {
        "/predictions": {"id": prediction["id"], "version": reference, "input": said},
        "/models": {**owner, "input": said},
        "/models/{owner}/{name}/versions/{version}/trainings": {
            **{"owner": "acme", "name": "trainable", "version": trainable.partition(":")[2]},
            **{"destination": f"{account}/goal", "input": json.dumps({"words": "data:,a%20b"})},
        },
        "/trainings": {"id": training.json()["id"]},
        "/deployments": {**deployed, "owner": account, "input": said},
        "/files": {"id": created["id"]},
        "/tokens": {"id": str(token["id"])},
        "/collections": {**owner, "slug": "some"},
        "/streams": {"token": prediction["urls"]["stream"].rsplit("/", 1)[-1]},
        "/docs": {"page": "architecture"},
    }


if __name__ == "__main__":
    sys.exit(main())
