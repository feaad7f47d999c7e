"""Seconds from a push to the first output, and of the first prediction on a stopped model.

python bench/cold_start.py [--rounds 3]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from yards import HERE, started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    figures: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder, started(Path(folder), max_instances="1") as yard:
            begun = time.perf_counter()
            echo = yard.push(HERE / "echo", "bench/echo")
            note(figures, "push, no environment yet (packages cached)", begun)
            yard.run(echo, {"text": "hi"})
            note(figures, "push to first output, no environment yet", begun)
            begun = time.perf_counter()
            other = yard.push(HERE / "echo", "bench/other")
            note(figures, "push of the same folder", begun)
            begun = time.perf_counter()
            other = yard.push(HERE / "echo_async", "bench/async")
            yard.run(other, {"text": "hi"})
            note(figures, "push to first output, environment there, another model evicted", begun)
            begun = time.perf_counter()
            yard.run(echo, {"text": "hi"})
            note(figures, "first prediction on a stopped model, another one evicted", begun)
            begun = time.perf_counter()
            yard.run(echo, {"text": "hi"})
            note(figures, "prediction on a running model", begun)
    for name, times in figures.items():
        print(f"{name:66s} {statistics.median(times):7.3f} s [{min(times):.3f}-{max(times):.3f}]")


def note(figures: dict[str, list[float]], name: str, begun: float) -> None:
    figures.setdefault(name, []).append(time.perf_counter() - begun)


main()
