"""A server whose scheduler decides by another policy: python bench/serve_by_policy.py POLICY serve."""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.simulator.baselines import fixed, naive

from cogyard import wiring
from cogyard.cli import main
from cogyard.domain.policy import decide
from cogyard.scheduler import Scheduler

POLICIES = {"cogyard": decide, "fixed": fixed, "naive": naive}

wiring.Scheduler = partial(Scheduler, policy=POLICIES[sys.argv.pop(1)])  # type: ignore[misc, assignment]
main()
