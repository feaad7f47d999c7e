"""Thousands of generated requests, alone and in chains: no 5xx, no answer that the API's description does not know."""

import subprocess
import sys

import pytest

from tests.yard import ROOT


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_generated_requests_find_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/fuzz_api.py", "--cases", "2000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
    assert int(done.stdout.split()[0]) >= 2000
