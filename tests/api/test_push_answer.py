"""What the answer to a push names is what was pushed."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from cogyard.verify.probe import folder, pack
from tests.yard import Yard


@pytest.mark.slow
def test_pushes_that_meet_each_name_their_own_version(yard: Yard) -> None:
    """Found by the conformance suite: each named the model's latest version, which was another one's."""
    types = ("str", "int", "float", "bool", "list[str]", "Pair")

    def push(python: str) -> tuple[str, str]:
        content = pack(folder("shape", {'"Output"': python}))
        with yard.http as http:
            answer = http.post(
                "/models/acme/meeting/versions", content=content, headers={"Content-Type": "application/gzip"}
            )
            made = json.loads(answer.text.splitlines()[-1])["version"]
            found = http.get(f"/models/acme/meeting/versions/{made['id']}").json()
        return str(made["openapi_schema"]["components"]["schemas"]["Output"]), str(
            found["openapi_schema"]["components"]["schemas"]["Output"]
        )

    with ThreadPoolExecutor(len(types)) as pool:
        told = list(pool.map(push, types))

    assert len({output for output, _ in told}) == len(types)
    assert all(output == shown for output, shown in told)
