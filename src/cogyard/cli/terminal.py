"""Where the command line writes: results to stdout, everything else to stderr; errors with their exit codes."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NoReturn

from cogyard.domain.values import Json, JsonObject

if TYPE_CHECKING:
    from rich.progress import Progress


class Exit(IntEnum):
    """What exit codes mean."""

    ok = 0
    failed = 1
    usage = 2
    not_found = 3
    not_allowed = 4
    server = 5
    timed_out = 6
    interrupted = 130
    unread = 141


@dataclass
class CliError(Exception):
    """An end with a reason: `detail` says what to do next."""

    detail: str
    code: Exit = Exit.failed
    title: str = "Failed"
    more: JsonObject = field(default_factory=dict)


class OutputFailed(CliError):
    """Stdout takes nothing more; without a detail there is nobody to tell, as behind `| head`."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """How this run speaks."""

    as_json: bool = False
    quiet: bool = False
    color: bool = True

    @property
    def is_interactive(self) -> bool:
        """Whether a person watches stderr."""
        return sys.stderr.isatty() and not self.quiet

    def result(self, text: str, *, end: str = "\n") -> None:
        """The result, for people or programs. Raises `OutputFailed`."""
        try:
            sys.stdout.write(text + end)
            sys.stdout.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter's last flush must not fail
            if isinstance(error, BrokenPipeError):
                raise OutputFailed("", Exit.unread) from None
            raise OutputFailed(f"The result cannot be written: {error.strerror}.") from None

    def document(self, value: Json | dict[str, Json]) -> None:
        """One JSON document."""
        self.result(json.dumps(value, indent=2, ensure_ascii=False))

    def say(self, text: str) -> None:
        """A word on the side."""
        if not self.quiet:
            with suppress(OSError):  # a full disk, or nobody who reads
                sys.stderr.write(text + "\n")
                sys.stderr.flush()

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Rows for people on a terminal, tab-separated lines otherwise."""
        if not sys.stdout.isatty():
            for row in rows:
                self.result("\t".join("" if cell is None else str(cell) for cell in row))
            return
        from rich.console import Console
        from rich.table import Table

        table = Table(*columns, box=None, pad_edge=False)
        table.columns[0].no_wrap = True  # what other commands take is told whole, also where there is little room
        for row in rows:
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        Console(no_color=not self.color).print(table)

    def progress(self) -> "Progress":
        """Bars on stderr, for a terminal."""
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True, no_color=not self.color),
            disable=not self.is_interactive,
            transient=True,
        )

    def fail(self, error: CliError) -> NoReturn:
        """Say what went wrong, and leave with its code."""
        if isinstance(error, OutputFailed):
            sys.stderr.write(f"error: {error.detail}\n" if error.detail else "")
        elif self.as_json:
            body: dict[str, Json] = {"title": error.title, "detail": error.detail, "status": error.more.get("status")}
            self.document({**body, **error.more})
        else:
            sys.stderr.write(f"error: {error.detail.rstrip()}\n")
        sys.exit(int(error.code))


def wants_color() -> bool:
    """The user's word on colours (https://no-color.org)."""
    return not os.environ.get("NO_COLOR")
