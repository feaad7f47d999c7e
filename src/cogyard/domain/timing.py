"""What a prediction waited for before an instance took it: the queue, and the phases of a boot that it saw."""

from datetime import datetime, timedelta

from cogyard.domain.values import JsonObject

BOOT = ("spawn", "import", "setup")
"""The phases of a boot, in their order: process and interpreter, the model's module, the model's setup."""

RUN = "run"
"""Seconds from the begin of the model's function to its end."""


def waited(created_at: datetime, taken_at: datetime, boot_began_at: datetime, boot: JsonObject | None) -> JsonObject:
    """Seconds of each phase of the boot that fell between its creation and its being taken, and of `queue`, the rest.

    `boot` holds the seconds of each phase, from `boot_began_at` on; a prediction that found the instance ready waited
    for the queue alone.
    """
    found: JsonObject = {}
    begin, in_boot = boot_began_at, 0.0
    for phase in BOOT:
        seconds = (boot or {}).get(phase)
        if not isinstance(seconds, int | float):
            continue
        end = begin + timedelta(seconds=seconds)
        seen = max((min(end, taken_at) - max(begin, created_at)).total_seconds(), 0.0)
        if seen > 0:
            found[phase] = round(seen, 3)
            in_boot += seen
        begin = end
    whole = max((taken_at - created_at).total_seconds(), 0.0)
    return {"queue": round(max(whole - in_boot, 0.0), 3), **found}
