"""The scheduler's decisions in virtual time: short runs of the traces in `bench/simulator`."""

import sys
from collections import Counter
from dataclasses import replace
from math import isclose

import pytest

from cogyard.domain.policy import decide
from cogyard.domain.schedule import Plan, View
from tests.yard import ROOT

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from bench.simulator import traces
from bench.simulator.baselines import fixed, naive
from bench.simulator.engine import simulate
from bench.simulator.report import medians, rows, table
from bench.simulator.world import Model, Outcome, Policy, Request, Trace

POLICIES = pytest.mark.parametrize("policy", [decide, fixed, naive], ids=["cogyard", "fixed", "naive"])


def trace(models: list[Model], requests: list[Request], instances: int = 1, seconds: float = 3600) -> Trace:
    """A trace by hand, on a machine for so many instances."""
    machine = traces.flaky(1, hours=0).machine
    return Trace(
        name="by hand",
        machine=replace(machine, cpus=instances, max_instances=instances),
        models=models,
        requests=sorted(requests),
        seconds=seconds,
    )


def p99(outcome: Outcome, group: str) -> float:
    return outcome.groups[group].at(0.99)


@POLICIES
def test_one_request_waits_for_a_boot_and_the_next_for_nothing(policy: Policy) -> None:
    given = trace([Model(name="a", boot=10)], [Request(5, "a", 1), Request(60, "a", 1)])
    outcome = simulate(given, policy)
    first, second = outcome.groups["all"].seconds

    assert 9 <= first <= 11.1
    assert second == 0
    assert (outcome.boots, outcome.groups["all"].cold) == (1, 1)
    assert isclose(outcome.busy, 2)


def test_an_idle_instance_stops_after_its_time_but_in_a_fixed_pool() -> None:
    given = trace([Model(name="a", boot=10)], [Request(0, "a", 1)])
    stops = {policy: simulate(given, policy).idle_stops for policy in (decide, fixed, naive)}

    assert stops == {decide: 1, fixed: 0, naive: 1}


@POLICIES
def test_the_same_seed_gives_the_same_outcome(policy: Policy) -> None:
    first, again = (simulate(traces.bursts(3, hours=0.3), policy, 3) for _ in range(2))

    assert first == again
    assert traces.bursts(3, hours=0.3).requests != traces.bursts(4, hours=0.3).requests


@POLICIES
@pytest.mark.parametrize("name", ["bursts", "periodic", "gpus", "greedy", "flaky"])
def test_nothing_is_lost_and_the_machine_is_never_overfull(name: str, policy: Policy) -> None:
    given = {
        "bursts": traces.bursts,
        "periodic": traces.periodic,
        "gpus": traces.gpus,
        "greedy": traces.greedy,
        "flaky": traces.flaky,
    }[name](1, 0.1)
    held: Counter[int] = Counter()

    def watched(view: View) -> Plan:
        devices = Counter(index for one in view.instances for index in one.share.gpus)
        held.update({0: len(view.instances) > given.machine.max_instances, 1: any(n > 1 for n in devices.values())})
        return policy(view)

    outcome = simulate(given, watched, 1)

    assert sum(len(waits.seconds) + waits.failed for waits in outcome.groups.values()) == len(given.requests)
    assert not any(held.values())
    assert outcome.most_alive <= given.machine.max_instances
    assert outcome.busy <= outcome.alive <= outcome.capacity
    assert all(wait >= 0 for waits in outcome.groups.values() for wait in waits.seconds)


def test_a_hot_model_is_booted_once_among_two_hundred_cold_ones() -> None:
    outcome = simulate(traces.hot_and_cold(1, hours=0.6), decide, 1)

    assert outcome.boots_of["hot"] == 1
    assert outcome.boots <= 1 + len(outcome.groups["cold"].seconds)
    assert p99(outcome, "cold") < 60


def test_an_endless_backlog_does_not_keep_others_waiting() -> None:
    given = traces.greedy(1, hours=0.1)
    ours, scaled = simulate(given, decide, 1), simulate(given, naive, 1)

    assert p99(ours, "light") < 20
    assert p99(scaled, "light") > 100


def test_what_always_fails_rests_and_the_others_do_not_wait_for_it() -> None:
    given = traces.flaky(1, hours=0.3)
    sound = [request for request in given.requests if request.model != "broken"]
    outcome, without = simulate(given, decide, 1), simulate(replace(given, requests=sound), decide, 1)

    assert outcome.boots_of["broken"] < 15
    assert p99(outcome, "sound") <= p99(without, "sound") + 10


def test_what_a_clock_asks_is_ready_when_it_asks() -> None:
    clock = [Request(2400 * number, "clock", 1) for number in range(14)]
    outcome = simulate(trace([Model(name="clock", boot=30)], clock, seconds=14 * 2400), decide)
    waits = outcome.groups["all"].seconds

    assert all(wait > 20 for wait in waits[:9])
    assert waits[9:] == [0] * 5


def test_a_burst_does_not_boot_more_than_pays() -> None:
    burst = [Request(1000 * number, "a", 1.0) for number in range(3) for _ in range(50)]
    outcome = simulate(trace([Model(name="a", boot=20)], burst, instances=8), decide)

    assert outcome.most_alive == 3, "each has 50 / 3 seconds to work, less than a boot takes"


def test_a_row_is_the_median_of_its_seeds_and_reads_as_a_line() -> None:
    given = trace([Model(name="a", boot=10)], [Request(5, "a", 1), Request(60, "a", 1)])
    several = [rows("by hand", "cogyard", simulate(given, decide, seed))[0] for seed in range(3)]
    row = medians(several)

    assert row.max == sorted(one.max for one in several)[1]
    assert table([row]).splitlines()[-1].startswith("| cogyard | all | 2 | ")
