"""Throws generated requests at a real server, by its own description: no 5xx, no answer that breaks its schema.

python scripts/fuzz_api.py [--cases 2000]
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

CHECKS = "not_a_server_error,response_schema_conformance,status_code_conformance,content_type_conformance"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        yard = Yard(Path(folder) / "yard", {"rate_creates": "0", "rate_requests": "0", "cancel_grace": "1"}).start()
        try:
            return fuzz(yard, options.cases, options.seed)
        finally:
            yard.stop()


def fuzz(yard: Yard, cases: int, seed: int) -> int:
    """Run the fuzzer until so many cases were tried; 0 when none of them found anything."""
    reference = yard.push(FOLDERS / "canary-stream", "acme/canary")
    done = yard.run(reference, {"text": "you"})
    known = {
        "reference": reference,
        "owner": "acme",
        "name": "canary",
        "version": reference.partition(":")[2],
        "id": done["id"],
        "slug": "official",
    }
    tried, code, most = 0, 0, max(cases // 250, 4)
    while tried < cases and code == 0:
        done_process = subprocess.run(
            [
                str(Path(sys.executable).parent / "schemathesis"), "run", f"{yard.url}/openapi.json",
                "--url", f"{yard.url}/v1", "--header", f"Authorization: Bearer {TOKEN}", "--checks", CHECKS,
                "--max-examples", str(most), "--seed", str(seed), "--workers", "2", "--request-timeout", "30",
                "--no-color",
            ],
            env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.fuzz_hooks", "COGYARD_FUZZ_VALUES": json.dumps(known)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.search(r"([\d,]+) generated", done_process.stdout)
        tried += int(found[1].replace(",", "")) if found else 0
        code = done_process.returncode
        if code or not found:
            print(done_process.stdout[-12000:], done_process.stderr[-2000:])
            return code or 1
        seed += 1
    assert yard.is_ready()
    print(f"{tried} requests, nothing found")
    return code


if __name__ == "__main__":
    sys.exit(main())
