"""What the settings say, as the parts that go by it."""

from collections.abc import Callable
from datetime import timedelta

from cogyard.api.yard import CREATES, POLLS, REQUESTS
from cogyard.domain.hardware import GIB, Gpu
from cogyard.fetch import AddressPolicy, Fetcher, FetchLimits
from cogyard.hardware import HardwareKinds, OwnKind
from cogyard.machine import detect
from cogyard.ports import Rate
from cogyard.scheduler import Keeping
from cogyard.settings import Settings

LENGTHENED = 6
"""Idle timeouts up to which arrivals may lengthen one."""


def policy_of(settings: Settings, models_ports: Callable[[], frozenset[int]]) -> AddressPolicy:
    """Which addresses may be named; the ports of models are never among them."""
    is_local = settings.host in ("127.0.0.1", "::1", "localhost")
    return AddressPolicy(settings.network or ("dev" if is_local else "lan"), models_ports)


def fetcher_of(settings: Settings, policy: AddressPolicy) -> Fetcher:
    """What fetches input files."""
    limits = FetchLimits(max_bytes=settings.max_input_bytes, seconds=settings.input_timeout)
    return Fetcher(policy, limits)


def kinds_of(settings: Settings) -> HardwareKinds:
    """The hardware of this machine, as it is found or told. Blocking."""
    told = settings.machine_gpus
    gpus = (
        None
        if told is None
        else [Gpu(index=index, name=gpu.name, memory=int(gpu.memory_gib * GIB)) for index, gpu in enumerate(told)]
    )
    machine = detect(settings.max_instances, cpus=settings.machine_cpus, memory=settings.machine_memory, gpus=gpus)
    own = {
        sku: OwnKind(
            name=kind.name,
            cpus=kind.cpus,
            memory=None if kind.memory_gib is None else int(kind.memory_gib * GIB),
            gpus=kind.gpus,
            gpu_memory=int(kind.gpu_memory_gib * GIB),
        )
        for sku, kind in settings.hardware.items()
    }
    return HardwareKinds(machine, own)


def keeping_of(settings: Settings) -> Keeping:
    """How instances are kept."""
    longest = settings.longest_idle
    return Keeping(
        official_instances=settings.official_instances,
        idle_timeout=timedelta(seconds=settings.idle_timeout),
        longest_idle=timedelta(seconds=LENGTHENED * settings.idle_timeout if longest is None else longest),
        turn=timedelta(seconds=settings.turn),
    )


def rates_of(creates: int, requests: int, polls: int) -> dict[str, Rate]:
    """The limits of a minute by kind of request; 0 is none."""
    named = {CREATES: creates, REQUESTS: requests, POLLS: polls}
    return {name: Rate(name, per_minute) for name, per_minute in named.items() if per_minute}
