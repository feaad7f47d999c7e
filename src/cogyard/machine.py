"""What this machine has for models: processors, memory and GPUs, as the kernel, cgroups and `nvidia-smi` tell."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import structlog

from cogyard.domain.hardware import Gpu, Machine

MIB = 2**20

KEPT_BACK = 0.05
"""The part of the memory that models do not get: the server and the system need some."""

_QUERY = ("nvidia-smi", "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits")
_SECONDS = 10.0


def detect(
    max_instances: int,
    *,
    cpus: int | None = None,
    memory: int | None = None,
    gpus: Sequence[Gpu] | None = None,
    run: Callable[[Sequence[str]], str | None] | None = None,
) -> Machine:
    """The machine; what is given (processors, bytes, devices) is believed. Blocking: it may ask a driver.

    `run` runs a command and returns what it printed, None when it is not there or fails.
    """
    return Machine(
        cpus=_cpus() if cpus is None else cpus,
        memory=_memory() if memory is None else memory,
        gpus=tuple(_gpus(run or _run) if gpus is None else gpus),
        max_instances=max_instances,
    )


def parse_gpus(printed: str) -> list[Gpu]:
    """The devices in `nvidia-smi --query-gpu=index,uuid,name,memory.total --format=csv,noheader,nounits`.

    A line that says something else, as of a device that fell off the bus, is left out.
    """
    found = []
    for line in printed.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) == 4 and parts[0].isdecimal() and parts[3].isdecimal():
            found.append(Gpu(index=int(parts[0]), uuid=parts[1], name=parts[2], memory=int(parts[3]) * MIB))
    return found


def _gpus(run: Callable[[Sequence[str]], str | None]) -> list[Gpu]:
    printed = run(_QUERY)
    found = [] if printed is None else parse_gpus(printed)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return found
    named = [name.strip() for name in visible.split(",") if name.strip()]
    return [gpu for gpu in found if str(gpu.index) in named or any(gpu.uuid.startswith(name) for name in named)]


def _run(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        structlog.get_logger().warning("machine.no_gpus", command=command[0], said=(done.stdout or done.stderr)[:300])
        return None
    return done.stdout


def _cpus() -> int:
    """Those that this process may use, after cgroups."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cpu_quota()
    return max(allowed if quota is None else min(allowed, int(quota)), 1)


def _cpu_quota() -> float | None:
    words = _words("cpu.max") or [*_words("cpu/cpu.cfs_quota_us"), *_words("cpu/cpu.cfs_period_us")]
    numbers = [int(word) for word in words if word.isdecimal()]
    return numbers[0] / numbers[1] if len(numbers) == 2 and numbers[1] else None


def _memory() -> int:
    """What the kernel has, or the cgroup allows, less what is kept back."""
    whole = psutil.virtual_memory().total
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        for word in _words(name):
            if word.isdecimal():
                whole = min(whole, int(word))
    return int(whole * (1 - KEPT_BACK))


def _words(name: str) -> list[str]:
    """What a file of this process's control group says, in words; nothing where there is none."""
    try:
        return (Path("/sys/fs/cgroup") / name).read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return []
