"""Many models on one small machine: the same arrivals with Cogyard's policy and with two simpler ones.

python bench/hundred_models.py [--models 100] [--seconds 180] [--rate 1.5] [--rounds 1] [--seed 1]

Models are copies of one that takes a tenth of a second, each a version of its own; which one is asked for follows
Zipf's law.
"""

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

import httpx
from yards import HERE, TOKEN, Yard

PREDICT = '''"""Model {number}."""

import time

from cog import BasePredictor


class Predictor(BasePredictor):
    def predict(self, text: str) -> str:
        time.sleep(0.1)
        return text
'''
POLICIES = ("cogyard", "fixed", "naive")


class PolicyYard(Yard):
    """A server with another policy."""

    policy = "cogyard"

    def start(self):
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "server.log").open("wb") as log:
            command = [sys.executable, str(HERE / "serve_by_policy.py"), self.policy, "serve"]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        while not self.is_ready():
            time.sleep(0.05)
        return self


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--rate", type=float, default=1.5)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    figures: dict[str, list[dict[str, float]]] = {policy: [] for policy in POLICIES}
    with tempfile.TemporaryDirectory() as folder:
        settings = {"max_instances": "8", "rate_creates": "0", "token_rate_creates": "0", "idle_timeout": "60"}
        yard = PolicyYard(Path(folder) / "yard", settings)
        references = push_all(yard, Path(folder) / "models", options.models)
        for number in range(options.rounds):
            trace = arrivals(options.seed + number, references, options.rate, options.seconds)
            for policy in POLICIES:
                yard.policy = policy
                yard.start()
                try:
                    figures[policy].append(asyncio.run(replay(yard, trace)))
                finally:
                    yard.stop()
                print(policy, json.dumps(figures[policy][-1]), flush=True)
    for policy, rounds in figures.items():
        shown = {name: round(statistics.median(one[name] for one in rounds), 3) for name in rounds[0]}
        print(f"{policy:8s}", shown)


def push_all(yard: PolicyYard, place: Path, number: int) -> list[str]:
    yard.start()
    try:
        references = []
        for one in range(number):
            folder = place / f"model-{one}"
            folder.mkdir(parents=True)
            (folder / "cog.yaml").write_text((HERE / "echo" / "cog.yaml").read_text())
            (folder / "predict.py").write_text(PREDICT.format(number=one))
            references.append(yard.push(folder, f"bench/model-{one}"))
        return references
    finally:
        yard.stop()


def arrivals(seed: int, references: list[str], rate: float, seconds: float) -> list[tuple[float, str]]:
    chance = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(len(references))]
    found, at = [], 0.0
    while (at := at + chance.expovariate(rate)) < seconds:
        found.append((at, chance.choices(references, weights)[0]))
    return found


async def replay(yard: PolicyYard, trace: list[tuple[float, str]]) -> dict[str, float]:
    """Seconds of waiting, boots and failures."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    numbers = count()
    async with httpx.AsyncClient(base_url=f"{yard.url}/v1", headers=headers, timeout=120, trust_env=False) as http:
        begun = time.monotonic()

        async def ask(at: float, reference: str) -> dict:
            await asyncio.sleep(max(begun + at - time.monotonic(), 0))
            body = {"version": reference, "input": {"text": str(next(numbers))}}
            made = (await http.post("/predictions", json=body)).raise_for_status().json()
            while made["status"] in ("starting", "processing"):
                await asyncio.sleep(0.5)
                made = (await http.get(f"/predictions/{made['id']}")).raise_for_status().json()
            return made

        ended = await asyncio.gather(*(ask(at, reference) for at, reference in trace))
    waits = sorted(one["metrics"]["total_time"] - one["metrics"]["predict_time"] for one in ended)
    lines = [json.loads(line) for line in yard.log().splitlines() if line.startswith("{")]
    return {
        "predictions": len(ended),
        "failures": sum(one["status"] != "succeeded" for one in ended),
        "wait p50": waits[len(waits) // 2],
        "wait p99": waits[int(len(waits) * 0.99)],
        "wait max": waits[-1],
        "cold": sum("spawn" in one["timing"] for one in ended) / len(ended),
        "boots": sum(line.get("event") == "instance.starting" for line in lines),
    }


main()
