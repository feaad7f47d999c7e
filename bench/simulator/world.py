"""What is simulated: models, requests, a machine; and what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from cogyard.domain.hardware import Hardware, Machine
from cogyard.domain.schedule import TURN, Plan, View

GIB = 2**30

CPU = Hardware(sku="cpu-small", name="CPU", cpus=1, memory=2 * GIB)
GPU = Hardware(sku="gpu-t4", name="GPU", cpus=1, memory=8 * GIB, gpus=1)

Policy = Callable[[View], Plan]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model: `boot` is the seconds that its setup takes, give or take a tenth; `group` is for the report."""

    name: str
    boot: float
    hardware: Hardware = CPU
    slots: int = 1
    is_broken: bool = False
    group: str = "all"


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """A prediction that comes `at` a time and runs for `seconds`, both in seconds."""

    at: float
    model: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Requests in their order, until `seconds`; the settings are the server's defaults."""

    name: str
    machine: Machine
    models: Sequence[Model]
    requests: Sequence[Request]
    seconds: float
    idle_timeout: timedelta = timedelta(seconds=300)
    longest_idle: timedelta = timedelta(seconds=1800)
    turn: timedelta = TURN


@dataclass(slots=True)
class Waits:
    """Seconds from arrival to begin, of a group of models; `cold` of them found no instance that was ready."""

    seconds: list[float] = field(default_factory=list)
    cold: int = 0
    failed: int = 0
    #: still waiting at the end; how long they had waited by then is among the seconds
    unserved: int = 0

    def at(self, part: float) -> float:
        """The wait in seconds that this part of the requests did not exceed; 0.5 is the median."""
        ordered = sorted(self.seconds)
        return ordered[min(int(part * len(ordered)), len(ordered) - 1)] if ordered else 0.0


@dataclass(slots=True)
class Outcome:
    """What a policy made of a trace. An eviction is a stop that made room for somebody else."""

    groups: dict[str, Waits] = field(default_factory=dict)
    boots: int = 0
    boot_seconds: float = 0.0
    evictions: int = 0
    idle_stops: int = 0
    #: seconds that instances ran something, and that instances were alive
    busy: float = 0.0
    alive: float = 0.0
    #: instances × seconds that there was room for
    capacity: float = 0.0
    #: by model, for what is asserted of one of them
    boots_of: dict[str, int] = field(default_factory=dict)
    most_alive: int = 0
