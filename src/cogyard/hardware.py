"""The kinds of hardware that models and deployments may name, as this machine has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cogyard.domain.errors import InvalidResource
from cogyard.domain.hardware import GIB, Hardware, Machine, Needs, Share, Shortage, place
from cogyard.domain.reasons import explain_shortage

EXPECTED = GIB
"""Bytes of memory that an instance is expected to use before one of its kind was seen."""

SPARE = 1.2
"""How much more than the most that was seen is reserved for the next one."""

WORDS = {
    "cpu": "CPU",
    "cpu-small": "CPU (Small)",
    "gpu-t4": "Nvidia T4 GPU",
    "gpu-l40s": "Nvidia L40S GPU",
    "gpu-l40s-2x": "2x Nvidia L40S GPU",
    "gpu-a100-large": "Nvidia A100 (80GB) GPU",
    "gpu-a100-large-2x": "2x Nvidia A100 (80GB) GPU",
    "gpu-h100": "Nvidia H100 GPU",
}
"""The words that programs written for Replicate use (`api-contract.md` §3.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnKind:
    """A kind that the settings add; what is None is as `cpu` has it. `memory` and `gpu_memory` in bytes."""

    name: str | None = None
    cpus: int | None = None
    memory: int | None = None
    gpus: int = 0
    gpu_memory: int = 0


class HardwareKinds:
    """The kinds of hardware on a machine.

    Replicate's words mean what this machine has that is nearest to them, so that programs that name them run: as many
    GPUs as the word says and as there are. Kinds of the settings are taken at their word.
    """

    def __init__(self, machine: Machine, own: Mapping[str, OwnKind]) -> None:
        self.machine = machine
        self._own = frozenset(own)
        cpu = _cpu(machine)
        kinds = [replace(_nearest(sku, cpu, machine), sku=sku, name=name) for sku, name in WORDS.items()]
        self._kinds = {kind.sku: kind for kind in kinds} | {
            sku: Hardware(
                sku=sku,
                name=given.name or sku,
                cpus=given.cpus or cpu.cpus,
                memory=given.memory or cpu.memory,
                gpus=given.gpus,
                gpu_memory=given.gpu_memory,
            )
            for sku, given in own.items()
        }

    @property
    def kinds(self) -> Sequence[Hardware]:
        """All of them, Replicate's words first."""
        return list(self._kinds.values())

    def check(self, sku: str) -> None:
        """Raise `InvalidResource`, in the contract's words for a kind that there is not (§1.4)."""
        if sku not in self._kinds:
            options = ", ".join(sorted(self._kinds))
            raise InvalidResource("hardware", f"{sku} is not a valid hardware SKU. Your options are: {options}.")
        if (reason := self.misfit(sku)) is not None:
            raise InvalidResource("hardware", reason)

    def needs(self, sku: str, *, wants_gpu: bool, peak_memory: int = 0) -> Needs:
        """What an instance needs on this hardware; `peak_memory` is the most that one of its kind has used, in bytes.

        A model that wants a GPU gets one where there is one. A kind that is gone from the settings is `cpu`.
        """
        kind = self._kinds.get(sku, self._kinds["cpu"])
        if sku in self._own:
            return Needs(hardware=kind, memory=kind.memory)
        if wants_gpu and not kind.gpus and self.machine.gpus:
            kind = replace(kind, gpus=1)
        expected = int(peak_memory * SPARE) or EXPECTED
        return Needs(hardware=kind, memory=min(expected, kind.memory))

    def misfit(self, sku: str, instances: int = 1) -> str | None:
        """Why so many instances on this hardware cannot be held even by the empty machine; None when they can."""
        held: list[Share] = []
        for number in range(instances):
            found = place(self.needs(sku, wants_gpu=False), self.machine, held)
            if isinstance(found, Shortage):
                if number == 0:
                    return explain_shortage(found, sku)
                return f"this machine holds {number} on hardware {sku}"
            held.append(found)
        return None


def _cpu(machine: Machine) -> Hardware:
    """Replicate's CPU: 4 processors and 8 GiB; more memory on a large machine, less on a small one."""
    memory = min(max(8 * GIB, machine.memory // 4), machine.memory * 3 // 4)
    return Hardware(sku="cpu", name="CPU", cpus=min(4, machine.cpus), memory=memory)


def _nearest(sku: str, cpu: Hardware, machine: Machine) -> Hardware:
    if sku == "cpu-small":
        return replace(cpu, cpus=1, memory=min(2 * GIB, cpu.memory))
    devices = len(machine.gpus)
    if not sku.startswith("gpu-") or not devices:
        return cpu
    gpus = min(2 if sku.endswith("-2x") else 1, devices)
    share = gpus / devices
    return replace(
        cpu, gpus=gpus, cpus=max(int(machine.cpus * share), 1), memory=int(machine.memory * max(share, 0.5) * 0.9)
    )
