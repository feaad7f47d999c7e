"""`cogyard ps`, `queue`, `machine`, `logs`, `instances` and `models settings`: what runs, what waits, and where."""

import asyncio
import math
from datetime import datetime

from cogyard.cli.client import Client
from cogyard.cli.resources import FOLLOW_PAUSE
from cogyard.cli.resources import show_logs as show_prediction_logs
from cogyard.cli.terminal import CliError, Exit, Terminal
from cogyard.clock import SystemClock
from cogyard.domain.times import parse_utc
from cogyard.domain.values import Json, JsonObject

DEFAULT = "default"
"""In place of a value: as the server's settings say."""

_UNITS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_TIMES = ((86400, "d"), (3600, "h"), (60, "min"))


async def list_instances(client: Client, terminal: Terminal, *, limit: int | None, every: bool = False) -> None:
    """Instances, newest first; `every`: those that are over too."""
    if every:
        rows = await client.pages("/instances?all=true", limit or 100)
    else:
        rows = rows_of(await client.get_object("/instances"))[:limit]
    if terminal.as_json:
        terminal.document(list(rows))
        return
    terminal.table(
        ("id", "model", "state", "for", "memory", "predictions", "reason"),
        (
            (
                row.get("id"),
                name_of(row),
                row.get("state"),
                told_time(row.get("since")),
                told_bytes(row.get("memory")),
                " ".join(_texts(row.get("predictions"))),
                row.get("reason"),
            )
            for row in rows
        ),
    )


async def show_instance(client: Client, terminal: Terminal, instance: str) -> None:
    """One instance with its life."""
    terminal.document(await client.get_object(f"/instances/{instance}"))


async def stop_instance(client: Client, terminal: Terminal, instance: str) -> None:
    """Stop one."""
    stopped = await client.post(f"/instances/{instance}/stop", None)
    terminal.document(stopped) if terminal.as_json else terminal.result(f"{instance} {stopped.get('state')}")


async def show_queue(client: Client, terminal: Terminal) -> None:
    """What waits, and why."""
    rows = rows_of(await client.get_object("/queue"))
    if terminal.as_json:
        terminal.document(list(rows))
        return
    terminal.table(
        ("model", "waiting", "for", "instances", "reason"),
        (
            (
                name_of(row),
                row.get("queued"),
                told_time(row.get("oldest")),
                told_counts(row.get("instances")),
                row.get("reason"),
            )
            for row in rows
        ),
    )


async def show_machine(client: Client, terminal: Terminal) -> None:
    """The machine and its kinds of hardware."""
    machine = await client.get_object("/machine")
    if terminal.as_json:
        terminal.document(machine)
        return
    terminal.result(told_machine(machine))
    for gpu in rows_of(machine, "gpus"):
        terminal.result(told_gpu(gpu))
    terminal.table(
        ("hardware", "name", "cpus", "memory", "gpus", "price"),
        (
            (
                row.get("sku"),
                row.get("name"),
                row.get("cpus"),
                told_bytes(row.get("memory")),
                _gpus_of(row),
                row.get("price"),
            )
            for row in rows_of(machine, "hardware")
        ),
    )


async def show_logs(client: Client, terminal: Terminal, name: str, *, follow: bool) -> None:
    """What an instance's setup printed, or the model of a prediction. Raises `CliError` where there is neither."""
    try:
        instance = await client.get_object(f"/instances/{name}")
    except CliError as error:
        if error.code is not Exit.not_found:
            raise
        await _show_logs_of_prediction(client, terminal, name, follow=follow)
        return
    logs = instance.get("setup_logs")
    if logs is None:
        raise CliError(f"What the setup printed is for those who may change {name_of(instance)}.", Exit.not_allowed)
    if terminal.as_json:
        terminal.document({"instance": name, "setup_logs": logs})
        return
    if instance.get("state") == "setting_up":
        terminal.say("it is still being set up; its logs are here once that has ended")
    terminal.result(str(logs), end="")


async def _show_logs_of_prediction(client: Client, terminal: Terminal, name: str, *, follow: bool) -> None:
    try:
        found = await client.get_object(f"/predictions/{name}")
    except CliError as error:
        if error.code is Exit.not_found:
            raise CliError(f"There is no instance and no prediction {name} of yours.", Exit.not_found) from None
        raise
    if not terminal.as_json:
        await show_prediction_logs(client, terminal, name, follow=follow)
        return
    while follow and found.get("status") in ("starting", "processing"):
        await asyncio.sleep(FOLLOW_PAUSE)
        found = await client.get_object(f"/predictions/{name}")
    terminal.document({"prediction": name, "status": found.get("status"), "logs": found.get("logs")})


async def settings(client: Client, terminal: Terminal, name: str, changes: dict[str, str]) -> None:
    """How a model's instances are kept, after perhaps some changes. Raises `CliError` for what is no number."""
    path = f"/models/{name}/settings"
    if changes:
        body: JsonObject = {
            setting: value if setting == "hardware" else _parsed(setting, value) for setting, value in changes.items()
        }
        found = await client.send("PATCH", path, body)
    else:
        found = await client.get_object(path)
    if terminal.as_json:
        terminal.document(found)
        return
    terminal.table(
        ("setting", "value"), ((setting, DEFAULT if value is None else value) for setting, value in found.items())
    )


def _parsed(setting: str, value: str) -> Json:
    if value == DEFAULT:
        return None
    is_count = setting == "max_instances"
    try:
        number = int(value) if is_count else float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        option, kind = "--" + setting.replace("_", "-"), "whole number" if is_count else "number"
        raise CliError(f"{option}: {value!r} is not a {kind}; write one, or {DEFAULT}.", Exit.usage)
    return number


# --- in words -------------------------------------------------------------------------------------------------------


def rows_of(value: JsonObject, name: str = "results") -> list[JsonObject]:
    """The objects in a list of an answer."""
    found = value.get(name)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def name_of(row: JsonObject) -> str:
    """What an instance or a queue runs."""
    deployment, model = row.get("deployment"), row.get("model")
    named = f"deployment {deployment}" if deployment else str(model or f"version {str(row.get('version'))[:12]}")
    return f"{named} (training)" if row.get("kind") == "training" else named


def told_bytes(value: Json) -> str:
    """Bytes for people."""
    if not isinstance(value, int):
        return ""
    for size, unit in _UNITS:
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value} B"


def told_time(since: Json, now: datetime | None = None) -> str:
    """For how long something has been so."""
    begin = parse_utc(since) if isinstance(since, str) else None
    if begin is None:
        return ""
    seconds = max(((now or SystemClock().now()) - begin).total_seconds(), 0.0)
    for size, unit in _TIMES:
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def told_counts(counts: Json) -> str:
    """How many instances there are in each state."""
    return ", ".join(f"{count} {state}" for state, count in counts.items()) if isinstance(counts, dict) else ""


def told_machine(machine: JsonObject) -> str:
    """The machine in a line."""
    memory = f"{told_bytes(machine.get('memory_reserved'))} of {told_bytes(machine.get('memory'))} of memory reserved"
    instances = f"{machine.get('instances')} of {machine.get('max_instances')} instances"
    return f"{machine.get('cpus')} CPUs, {memory}, {instances}"


def told_gpu(gpu: JsonObject) -> str:
    """A device in a line."""
    held = " ".join(_texts(gpu.get("instances")))
    return f"GPU {gpu.get('index')}: {gpu.get('name')}, {told_bytes(gpu.get('memory'))}" + (f", {held}" if held else "")


def _gpus_of(kind: JsonObject) -> str:
    count, memory = kind.get("gpus"), kind.get("gpu_memory")
    return f"{count} with {told_bytes(memory)}" if memory else str(count)


def _texts(value: Json) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
