"""What batching brings on the embeddings model: single texts from many clients, sent together or one by one.

python bench/batching.py [--rounds 5] [--seconds 6] [--clients 64]

The same folder is pushed twice, once as it is and once without its `x-cogyard`. Closed-loop clients send one text each
with `Prefer: wait`; the rounds go back and forth between the two, told are medians over them. One instance of each.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import tempfile
from pathlib import Path

from drive import drive
from yards import HERE, TOKEN, started

TEXTS = ["Please tell me how I can reset the password of my account, I forgot it."]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--clients", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work, started(Path(work) / "yard") as yard:
        folder = HERE.parent / "models" / "all-minilm-l6-v2"
        plain = Path(work) / "plain"
        shutil.copytree(folder, plain)
        cog_yaml = plain / "cog.yaml"
        cog_yaml.write_text(cog_yaml.read_text().partition("x-cogyard")[0])
        references = {
            "one by one": yard.push(plain, "bench/plain", "--no-examples"),
            "together": yard.push(folder, "bench/together", "--no-examples"),
        }
        found: dict[str, list[dict]] = {name: [] for name in references}
        headers = [f"Authorization: Bearer {TOKEN}", "Prefer: wait"]
        for reference in references.values():
            yard.run(reference, {"texts": TEXTS})
        for _ in range(options.rounds):
            for name, reference in references.items():
                body = json.dumps({"version": reference, "input": {"texts": TEXTS}}).encode()
                url = f"{yard.url}/v1/predictions"
                found[name].append(asyncio.run(drive(url, body, headers, options.clients, options.seconds)))
                with yard.http as http:
                    [last, *_] = http.get("/predictions").json()["results"]
                    metrics = yard.get(last["id"])["metrics"]
                found[name][-1]["size"] = metrics.get("batch_size", 1)
        for name, rounds in found.items():
            rate, p50, size = (statistics.median(one[key] for one in rounds) for key in ("rps", "p50", "size"))
            low, high = min(one["rps"] for one in rounds), max(one["rps"] for one in rounds)
            print(f"{name:12s} {rate:6.1f}/s [{low:.0f}-{high:.0f}]  p50 {p50:6.0f} ms  last batch {size:g}")


main()
