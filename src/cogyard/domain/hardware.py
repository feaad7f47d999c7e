"""What the machine has, what a kind of hardware gives a model, and whether that fits beside what is there already."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

GIB = 2**30
"""Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A device: `index` as CUDA counts them, `memory` in bytes."""

    index: int
    name: str
    memory: int
    uuid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What models may use of the machine: processors, bytes of memory, devices, and how many instances at once."""

    cpus: int
    memory: int
    gpus: tuple[Gpu, ...] = ()
    max_instances: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """A kind of hardware: `sku` is what callers write, `name` what people read.

    An instance on it may use so many processors and so much memory (bytes, past which it is killed), and has so many
    devices: whole ones, or `gpu_memory` bytes of each where that is not 0.
    """

    sku: str
    name: str
    cpus: int
    memory: int
    gpus: int = 0
    gpu_memory: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What an instance needs: its kind of hardware, and the bytes of memory that it is expected to use of it."""

    hardware: Hardware
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What an instance has: `memory` bytes are reserved for it, at `memory_limit` it is killed.

    `gpus` are the indexes of its devices, of each of which it has `gpu_memory` bytes.
    """

    hardware: str = "cpu"
    cpus: int = 1
    memory: int = 0
    memory_limit: int = 0
    gpus: tuple[int, ...] = ()
    gpu_memory: int = 0


class Resource(StrEnum):
    """What can be short."""

    instances = "instances"
    cpus = "cpus"
    memory = "memory"
    gpus = "gpus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Why an instance does not fit: it wants so much of a resource, of which the machine has `total`, `free` unused.

    Memory in bytes; of GPUs and instances, the number. `gpu_memory` is what is wanted of each GPU, 0 for all of it.
    """

    resource: Resource
    wanted: int
    free: int
    total: int
    gpu_memory: int = 0

    @property
    def is_for_ever(self) -> bool:
        """Whether even the empty machine is too small."""
        return self.wanted > self.total


def place(needs: Needs, machine: Machine, held: Sequence[Share]) -> Share | Shortage:
    """The share of the machine that the instance would get beside those that are held, or what is missing for it.

    Of the devices with enough room, those that would be left with the least of it are taken.
    """
    kind = needs.hardware
    if kind.cpus > machine.cpus:
        return Shortage(resource=Resource.cpus, wanted=kind.cpus, free=machine.cpus, total=machine.cpus)
    if len(held) >= machine.max_instances:
        total = machine.max_instances
        return Shortage(resource=Resource.instances, wanted=1, free=max(total - len(held), 0), total=total)
    free = machine.memory - sum(share.memory for share in held)
    if needs.memory > free:
        return Shortage(resource=Resource.memory, wanted=needs.memory, free=max(free, 0), total=machine.memory)
    room = {gpu.index: gpu.memory for gpu in machine.gpus}
    for share in held:
        for index in share.gpus:
            room[index] = room.get(index, 0) - share.gpu_memory
    whole = {gpu.index: gpu.memory for gpu in machine.gpus}
    fitting = [index for index, left in room.items() if left >= (kind.gpu_memory or whole[index])]
    if len(fitting) < kind.gpus:
        total = sum(memory >= kind.gpu_memory for memory in whole.values())
        return Shortage(
            resource=Resource.gpus, wanted=kind.gpus, free=len(fitting), total=total, gpu_memory=kind.gpu_memory
        )
    chosen = tuple(sorted(sorted(fitting, key=lambda index: (room[index], index))[: kind.gpus]))
    return Share(
        hardware=kind.sku,
        cpus=kind.cpus,
        memory=needs.memory,
        memory_limit=kind.memory,
        gpus=chosen,
        gpu_memory=kind.gpu_memory or max((whole[index] for index in chosen), default=0),
    )
