"""Makes the fuzzer use names and ids that are there, half of the time: see `scripts/fuzz_api.py`."""

import json
import os
from typing import Any

import schemathesis

KNOWN: dict[str, Any] = json.loads(os.environ.get("COGYARD_FUZZ_VALUES", "{}"))


@schemathesis.hook
def map_path_parameters(_context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    if path_parameters and len(json.dumps(path_parameters, default=str)) % 2:
        return {name: KNOWN.get(name, value) for name, value in path_parameters.items()}
    return path_parameters


@schemathesis.hook
def map_body(_context: Any, body: Any) -> Any:
    if isinstance(body, dict) and "version" in body and len(json.dumps(body, default=str)) % 2:
        return {**body, "version": KNOWN["reference"]}
    return body
