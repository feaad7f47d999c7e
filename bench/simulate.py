"""What the scheduler's decisions are worth, in virtual time, beside a fixed pool and scaling on the queue's length.

python bench/simulate.py [--trace hot_and_cold] [--policy cogyard] [--seed 1 --seed 2] [--json]

Medians over the seeds. All traces with one seed take about a minute and a half.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.simulator.baselines import fixed, naive
from bench.simulator.engine import simulate
from bench.simulator.report import Row, medians, rows, table
from bench.simulator.traces import TRACES
from bench.simulator.world import Policy

from cogyard.domain.policy import decide

POLICIES: Mapping[str, Policy] = {"cogyard": decide, "fixed": fixed, "naive": naive}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trace", action="append", choices=list(TRACES))
    parser.add_argument("--policy", action="append", choices=list(POLICIES))
    parser.add_argument("--seed", action="append", type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seeds = options.seed or [1]
    found: list[Row] = []
    for name in options.trace or TRACES:
        measured = [row for policy in options.policy or POLICIES for row in measure(name, policy, seeds)]
        found += measured
        if not options.json:
            print(f"\n### {name}\n\n{table(measured)}", flush=True)
    if options.json:
        print(json.dumps([asdict(row) for row in found], indent=2))


def measure(trace: str, policy: str, seeds: list[int]) -> list[Row]:
    """The rows of a trace under a policy, one for each group of its models."""
    runs = [rows(trace, policy, simulate(TRACES[trace](seed), POLICIES[policy], seed)) for seed in seeds]
    return [medians(same) for same in zip(*runs, strict=True)]


if __name__ == "__main__":
    main()
