"""`cogyard top`: instances, queues and the machine, drawn anew each second."""

import asyncio
import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cogyard.cli.client import Client
from cogyard.cli.overview import name_of, rows_of, told_bytes, told_counts, told_gpu, told_machine, told_time
from cogyard.cli.terminal import Terminal
from cogyard.domain.values import JsonObject

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

PAUSE = 1.0
"""Seconds between two frames."""

WIDE = 160
"""Columns of a frame that goes into a file or a pipe."""


async def watch(client: Client, terminal: Terminal, *, once: bool) -> None:
    """Frames until it is interrupted; a single one where that is asked for, or where nobody watches."""
    from rich.console import Console
    from rich.live import Live

    seen = await _look(client)
    if terminal.as_json:
        terminal.document(seen)
        return
    if not sys.stdout.isatty():
        page = io.StringIO()
        Console(file=page, width=WIDE).print(frame(seen))
        terminal.result(page.getvalue(), end="")
        return
    console = Console(no_color=not terminal.color)
    if once:
        console.print(frame(seen))
        return
    with Live(frame(seen), console=console, screen=True, auto_refresh=False) as live:
        while True:
            await asyncio.sleep(PAUSE)
            live.update(frame(await _look(client)), refresh=True)


async def _look(client: Client) -> JsonObject:
    machine, instances, queue = await asyncio.gather(
        *(client.get_object(path) for path in ("/machine", "/instances", "/queue"))
    )
    return {"machine": machine, "instances": instances.get("results"), "queue": queue.get("results")}


def frame(seen: JsonObject) -> "RenderableType":
    """All of it, drawn."""
    from rich.console import Group
    from rich.text import Text

    machine = seen.get("machine")
    told = machine if isinstance(machine, dict) else {}
    instances = [
        (
            row.get("id"),
            name_of(row),
            row.get("state"),
            told_time(row.get("since")),
            told_bytes(row.get("memory")),
            told_bytes(row.get("peak_memory")),
            _running(row),
            row.get("reason"),
        )
        for row in rows_of(seen, "instances")
    ]
    queues = [
        (
            name_of(row),
            row.get("queued"),
            told_time(row.get("oldest")),
            told_counts(row.get("instances")),
            row.get("reason"),
        )
        for row in rows_of(seen, "queue")
    ]
    return Group(
        Text(told_machine(told)),
        *(Text(told_gpu(gpu)) for gpu in rows_of(told, "gpus")),
        Text(),
        _table(("instance", "model", "state", "for", "memory", "peak", "runs", "reason"), instances),
        Text(),
        _table(("queue", "waiting", "for", "instances", "reason"), queues),
    )


def _running(row: JsonObject) -> str:
    running = row.get("predictions")
    if not isinstance(running, list) or not running:
        return ""
    return str(running[0]) + (f" and {len(running) - 1} more" if len(running) > 1 else "")


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    return table
