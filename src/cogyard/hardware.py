"""The hardware that models and deployments may name; the scheduler's own knowledge of machines comes later."""

from dataclasses import dataclass

from cogyard.domain.errors import InvalidResource


@dataclass(frozen=True, slots=True)
class Hardware:
    """A kind of machine: `sku` is what callers write, `name` what people read."""

    sku: str
    name: str


HARDWARE = (
    Hardware("cpu", "CPU"),
    Hardware("cpu-small", "CPU (Small)"),
    Hardware("gpu-t4", "Nvidia T4 GPU"),
    Hardware("gpu-l40s", "Nvidia L40S GPU"),
    Hardware("gpu-l40s-2x", "2x Nvidia L40S GPU"),
    Hardware("gpu-a100-large", "Nvidia A100 (80GB) GPU"),
    Hardware("gpu-a100-large-2x", "2x Nvidia A100 (80GB) GPU"),
    Hardware("gpu-h100", "Nvidia H100 GPU"),
)
"""The words that programs written for Replicate use (`api-contract.md` §3.2); all of them mean this machine."""


def check_hardware(sku: str) -> None:
    """Raise `InvalidResource`, in the contract's words, for a kind that there is not (§1.4)."""
    skus = sorted(kind.sku for kind in HARDWARE)
    if sku not in skus:
        raise InvalidResource("hardware", f"{sku} is not a valid hardware SKU. Your options are: {', '.join(skus)}.")
