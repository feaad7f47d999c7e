"""Milliseconds from a model's yield to the client's hands, over a stream of server-sent events.

python bench/first_token.py [--rounds 20] [--streams 1]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import httpx
from yards import HERE, TOKEN, started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--count", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as yard:
        reference = yard.push(HERE / "ticker", "bench/ticker")
        yard.run(reference, {"count": 1})
        first: list[float] = []
        others: list[float] = []
        for _ in range(options.rounds):
            waits = follow(yard.url, reference, options.count)
            first.append(waits[0])
            others += waits[1:]
        tell("first token", first)
        tell(f"the other tokens, one each 20 ms, {options.count} a stream", others)


def follow(url: str, reference: str, count: int) -> list[float]:
    """Milliseconds between the yield and the arrival of each token."""
    waits: list[float] = []
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(timeout=60, trust_env=False) as http:
        body = {"version": reference, "input": {"count": count, "pause": 0.02}}
        created = http.post(f"{url}/v1/predictions", json=body, headers=headers).json()
        with http.stream("GET", created["urls"]["stream"]) as stream:
            for line in stream.iter_lines():
                arrived = time.time()
                if line.startswith("data: ") and line[6:7].isdigit():
                    waits.append((arrived - float(line[6:])) * 1000)
    return waits


def tell(what: str, waits: list[float]) -> None:
    waits.sort()
    print(
        f"{what:55s} p50 {statistics.median(waits):6.1f} ms   p99 {waits[int(len(waits) * 0.99)]:6.1f} ms   "
        f"max {waits[-1]:6.1f} ms"
    )


main()
