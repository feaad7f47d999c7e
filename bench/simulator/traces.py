"""Arrivals: made up, from a seed, each for one thing that a scheduler may be bad at."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import cos, log, pi
from random import Random

from bench.simulator.world import GIB, GPU, Model, Request, Trace

from cogyard.domain.hardware import Gpu, Machine

HOUR = 3600.0


def bursts(seed: int, hours: float = 4) -> Trace:
    """20 models; every two minutes or so 50 predictions of one of them within two seconds."""
    dice = _dice("bursts", seed)
    models = [Model(name=f"burst-{number:02}", boot=dice.uniform(3, 30)) for number in range(20)]
    requests = []
    for at in _random_times(dice, 1 / 120, hours * HOUR):
        model = dice.choice(models)
        requests += [_request(dice, at + dice.uniform(0, 2), model, 1.0) for _ in range(50)]
    return _trace("bursts", _machine(6), models, requests, hours)


def diurnal(seed: int, hours: float = 24) -> Trace:
    """40 models, few of them popular, over a day: ten times as many predictions at its height as at night."""
    dice = _dice("diurnal", seed)
    models = [Model(name=f"day-{number:02}", boot=dice.uniform(3, 40)) for number in range(40)]
    shares = [1 / (rank + 1) for rank in range(len(models))]
    requests = []
    for at in _random_times(dice, 0.4, hours * HOUR):
        height = 0.55 - 0.45 * cos(2 * pi * at / (24 * HOUR))
        if dice.random() < height:
            requests.append(_request(dice, at, dice.choices(models, shares)[0], 2.0))
    return _trace("diurnal", _machine(8), models, requests, hours)


def hot_and_cold(seed: int, hours: float = 12) -> Trace:
    """One model asked twice a second, 200 each asked four times a day at random, hardware for 6.

    One instance is enough for the hot model: what is tried is whether it keeps it.
    """
    dice = _dice("hot_and_cold", seed)
    hot = Model(name="hot", boot=15, slots=4, group="hot")
    cold = [Model(name=f"cold-{number:03}", boot=dice.uniform(5, 40), group="cold") for number in range(200)]
    requests = [_request(dice, at, hot, 0.25) for at in _random_times(dice, 2.0, hours * HOUR)]
    for model in cold:
        requests += [_request(dice, at, model, 5.0) for at in _random_times(dice, 4 / (24 * HOUR), hours * HOUR)]
    return _trace("hot_and_cold", _machine(6), [hot, *cold], requests, hours)


def periodic(seed: int, hours: float = 12) -> Trace:
    """10 models called by clocks, every 10 to 60 minutes, and 10 asked at random every hour or two."""
    dice = _dice("periodic", seed)
    every = [10, 12, 15, 15, 20, 20, 30, 30, 45, 60]
    clocks = [
        Model(name=f"every-{minutes:02}-{number}", boot=dice.uniform(10, 40), group="by the clock")
        for number, minutes in enumerate(every)
    ]
    others = [Model(name=f"other-{number}", boot=dice.uniform(10, 40), group="at random") for number in range(10)]
    requests = []
    for model, minutes in zip(clocks, every, strict=True):
        first = dice.uniform(0, minutes * 60)
        for round_number in range(int((hours * HOUR - first) / (minutes * 60))):
            at = first + round_number * minutes * 60 + dice.uniform(0, 5)
            requests += [_request(dice, at + extra, model, 3.0) for extra in range(dice.randint(1, 2))]
    for model in others:
        requests += [_request(dice, at, model, 3.0) for at in _random_times(dice, 1 / 5400, hours * HOUR)]
    return _trace("periodic", _machine(6), [*clocks, *others], requests, hours)


def gpus(seed: int, hours: float = 6) -> Trace:
    """2 GPUs that 8 models share, some of them popular, beside 12 models that need none."""
    dice = _dice("gpus", seed)
    with_gpu = [
        Model(name=f"gpu-{number}", boot=dice.uniform(30, 90), hardware=GPU, group="with a GPU") for number in range(8)
    ]
    without = [Model(name=f"cpu-{number:02}", boot=dice.uniform(3, 20), group="without") for number in range(12)]
    requests = []
    for rank, model in enumerate(with_gpu):
        requests += [_request(dice, at, model, 4.0) for at in _random_times(dice, 1 / 60 / (rank + 1), hours * HOUR)]
    for rank, model in enumerate(without):
        requests += [_request(dice, at, model, 2.0) for at in _random_times(dice, 1 / 30 / (rank + 1), hours * HOUR)]
    return _trace("gpus", _machine(8, gpus=2), [*with_gpu, *without], requests, hours)


def greedy(seed: int, hours: float = 1) -> Trace:
    """One model with more to do than the machine can, beside 10 that are asked once a minute."""
    dice = _dice("greedy", seed)
    hungry = Model(name="greedy", boot=8, group="greedy")
    light = [Model(name=f"light-{number}", boot=dice.uniform(3, 10), group="light") for number in range(10)]
    requests = [_request(dice, at, hungry, 2.0) for at in _random_times(dice, 4.0, hours * HOUR)]
    for model in light:
        requests += [_request(dice, at, model, 1.0) for at in _random_times(dice, 1 / 60, hours * HOUR)]
    return _trace("greedy", _machine(4), [hungry, *light], requests, hours)


def flaky(seed: int, hours: float = 2) -> Trace:
    """One model whose setup always fails, asked every 5 seconds, beside 8 sound ones; hardware for 3."""
    dice = _dice("flaky", seed)
    broken = Model(name="broken", boot=20, is_broken=True, group="broken")
    sound = [Model(name=f"sound-{number}", boot=dice.uniform(3, 20), group="sound") for number in range(8)]
    requests = [_request(dice, at, broken, 1.0) for at in _random_times(dice, 1 / 5, hours * HOUR)]
    for model in sound:
        requests += [_request(dice, at, model, 2.0) for at in _random_times(dice, 1 / 240, hours * HOUR)]
    return _trace("flaky", _machine(3), [broken, *sound], requests, hours)


TRACES: Mapping[str, Callable[[int], Trace]] = {
    "bursts": bursts,
    "diurnal": diurnal,
    "hot_and_cold": hot_and_cold,
    "periodic": periodic,
    "gpus": gpus,
    "greedy": greedy,
    "flaky": flaky,
}


def _dice(name: str, seed: int) -> Random:
    return Random(f"{name} {seed}")


def _machine(instances: int, gpus: int = 0) -> Machine:
    """One with a processor for each instance, and memory enough."""
    devices = tuple(Gpu(index=index, name="T4", memory=16 * GIB) for index in range(gpus))
    return Machine(cpus=instances, memory=instances * 2 * GIB, gpus=devices, max_instances=instances)


def _random_times(dice: Random, rate: float, until: float) -> Iterator[float]:
    """Seconds at which somebody comes who knows nothing of the others, `rate` times a second."""
    at = -log(1 - dice.random()) / rate
    while at < until:
        yield at
        at += -log(1 - dice.random()) / rate


def _request(dice: Random, at: float, model: Model, mean: float) -> Request:
    """One that runs for about so many seconds: most are shorter, few much longer."""
    return Request(at, model.name, mean * dice.lognormvariate(-0.125, 0.5))


def _trace(name: str, machine: Machine, models: Sequence[Model], requests: Sequence[Request], hours: float) -> Trace:
    return Trace(name=name, machine=machine, models=models, requests=sorted(requests), seconds=hours * HOUR)
