"""Why a prediction waits, in a sentence for whoever asks."""

from datetime import datetime
from typing import assert_never

from cogyard.domain.hardware import GIB, Resource, Shortage
from cogyard.domain.schedule import Booting, Busy, Disabled, Resting, Short, Wait

NAMED = 3
"""Of those who have what is missing, so many are named."""


def explain(wait: Wait, now: datetime) -> str:
    """The reason as it stands now; it ends without a full stop."""
    match wait:
        case Booting(since=since, usually=usually):
            seconds = max((now - since).total_seconds(), 0.0)
            before = "" if usually is None else f", usually {usually:.0f} s" if usually >= 1 else ", usually under 1 s"
            return f"an instance is being set up, {seconds:.0f} s so far{before}"
        case Busy(instances=count):
            return f"waits for a free slot: {_counted(count, 'instance is', 'instances are')} busy"
        case Short():
            return explain_shortage(wait.shortage, wait.hardware, wait.holders)
        case Resting(rest=rest):
            seconds = max((rest.until - now).total_seconds(), 0.0)
            last = f"its setup failed {rest.failures} times in a row, last: {rest.reason}"
            return f"{last}; the next try is in {seconds:.0f} s"
        case Disabled():
            return "its owner allows no instance: raise max_instances"
        case _:
            assert_never(wait)


def explain_shortage(shortage: Shortage, hardware: str, holders: tuple[str, ...] = ()) -> str:
    """What is missing of the hardware, and who has it: "waits for 1 GPU: 2 of 2 in use by …"."""
    wanted, total = _amount(shortage, shortage.wanted), shortage.total
    if shortage.is_for_ever:
        has = f"{_amount(shortage, total)}" if total else "none"
        return f"hardware {hardware} needs {wanted}, more than this machine has ({has})"
    by = f" by {_named(holders)}" if holders else ""
    if shortage.resource is Resource.memory:
        used = f"{(total - shortage.free) / GIB:.1f} of {total / GIB:.1f} GiB"
        return f"waits for {wanted}: {used} in use{by}"
    return f"waits for {wanted}: {total - shortage.free} of {total} in use{by}"


def _amount(shortage: Shortage, count: int) -> str:
    match shortage.resource:
        case Resource.memory:
            return f"{count / GIB:.1f} GiB of memory"
        case Resource.gpus:
            size = f" with {shortage.gpu_memory / GIB:.1f} GiB free" if shortage.gpu_memory else ""
            return f"{_counted(count, 'GPU', 'GPUs')}{size}"
        case Resource.cpus:
            return _counted(count, "CPU", "CPUs")
        case Resource.instances:
            return f"room for {_counted(count, 'instance', 'instances')}"
        case _:
            assert_never(shortage.resource)


def _named(names: tuple[str, ...]) -> str:
    shown, more = names[:NAMED], len(names) - NAMED
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
