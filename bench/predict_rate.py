"""Predictions a second and their latency, `Prefer: wait`, beside the bare Cog server in the same run.

python bench/predict_rate.py [--rounds 3] [--seconds 2] [--loadgen PATH]

Closed-loop clients; only answers with 2xx count, and "busy" answers of the Cog server are sent again at once with the
clock of that request running. Each round measures every server in turn; told are medians over the rounds. `--loadgen`
names a compiled load generator to use in place of the Python one, which costs the servers more of the two cores.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from drive import drive
from yards import HERE, TOKEN, bare_cog, started


def compiled(loadgen: Path, url: str, body: bytes, headers: list[str], clients: int, seconds: float) -> dict:
    parts = urlsplit(url)
    command = [str(loadgen), parts.hostname, str(parts.port), parts.path, str(clients), str(seconds), body.decode()]
    found: dict = json.loads(subprocess.check_output([*command, *headers]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--loadgen", type=Path)
    options = parser.parse_args()
    with ExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yard = stack.enter_context(started(data))
        targets = []
        for name, slots in (("echo", 1), ("echo_async", 64)):
            reference = yard.push(HERE / name, f"bench/{name.replace('_', '-')}")
            yard.run(reference, {"text": "warm"})
            environment = next(entry for entry in (data / "environments").iterdir())
            bare = stack.enter_context(bare_cog(environment, HERE / name, slots))
            ours = json.dumps({"version": reference, "input": {"text": "hi"}}).encode()
            headers = [f"Authorization: Bearer {TOKEN}", "Prefer: wait"]
            targets.append((f"cog, {name}", bare, b'{"input":{"text":"hi"}}', []))
            targets.append((f"cogyard, {name}", f"{yard.url}/v1/predictions", ours, headers))
        results: dict = {}
        for _ in range(options.rounds):
            for clients in (1, 16, 64):
                for name, url, body, headers in targets:
                    if options.loadgen:
                        found = compiled(options.loadgen, url, body, headers, clients, options.seconds)
                    else:
                        found = asyncio.run(drive(url, body, headers, clients, options.seconds))
                    results.setdefault((clients, name), []).append(found)
        for (clients, name), found in sorted(results.items()):
            rate, p50, p99 = (statistics.median(one[key] for one in found) for key in ("rps", "p50", "p99"))
            low, high = min(one["rps"] for one in found), max(one["rps"] for one in found)
            print(f"c={clients:<3d} {name:22s} {rate:7.0f}/s [{low:.0f}-{high:.0f}]  p50 {p50:8.2f}  p99 {p99:8.2f} ms")


main()
