"""What a model prints, on its way to the Cog server.

Bounded, and in pieces that the server can follow: it has no way to slow a model down, so a flood would drown its
listeners. Setup's text also goes to a file, since the server forgets it when setup fails.

Child processes and writes to the descriptors 1 and 2 pass by here; they end in what the Cog server itself prints.
"""

import io
import itertools
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from pathlib import Path
from typing import Any, TextIO

KEPT_CHARACTERS = 1_000_100
"""Text of one prediction that is handed on: a bit more than is stored, so that the cut is noticed and told."""

KEPT_SETUP_CHARACTERS = 4_000_000
"""Size of the setup log at which it begins anew."""

UNHURRIED_WRITES = 1_000
"""Writes of one prediction that go out at once; one that prints more has its text gathered."""

GATHER = 0.02
"""Seconds for which text is gathered."""

PIECE_CHARACTERS = 16_384
"""Gathered text that goes out without waiting."""

_RETURNS = re.compile(r"\r+(?![\r\n])")


class Printed:
    """What one prediction printed: how much, and what has not gone out yet."""

    def __init__(self) -> None:
        self.context = copy_context()  # tells the Cog server which of its predictions the text belongs to
        self.characters = 0
        self.writes = 0
        self.waiting: list[tuple[TextIO, str]] = []
        self.waiting_characters = 0
        self._begins_line = True

    def in_lines(self, text: str) -> str:
        """`text` in which each state of a bar that is drawn over itself is a line: so clients read its progress."""
        if "\r" in text:
            before = "\n" if self._begins_line else " "
            text = _RETURNS.sub(lambda found: "" if (before + text)[found.start()] == "\n" else "\n", text)
        self._begins_line = text.endswith("\n") if text else self._begins_line
        return text


class Printer:
    """Knows which prediction a text belongs to, and hands it on."""

    def __init__(self) -> None:
        self._of_task: ContextVar[Printed | None] = ContextVar("cogyard_printed", default=None)
        self._only: Printed | None = None
        self._setup: TextIO | None = None
        self._late: set[Printed] = set()
        self._is_late = threading.Event()
        self._sender: threading.Thread | None = None
        self._lock = threading.RLock()
        os.register_at_fork(after_in_child=self._after_fork)

    # --- whose text ------------------------------------------------------------------------------------------------

    @contextmanager
    def setup(self, log: Path) -> Iterator[None]:
        """While entered, what is printed is also written to the file `log`."""
        with log.open("a", encoding="utf-8", errors="replace") as file:
            self._setup = file
            try:
                yield
            finally:
                self._setup = None

    def begin(self, *, is_async: bool) -> Printed:
        """A prediction begins: on this task if it is one of several, else on any thread."""
        printed = Printed()
        if is_async:
            self._of_task.set(printed)
        else:
            self._only = printed
        return printed

    def end(self, printed: Printed) -> None:
        """The prediction is over; all that it printed goes out before this returns."""
        with self._lock:
            self._late.discard(printed)
            self._send(printed)
            if self._only is printed:
                self._only = None

    # --- where it goes ---------------------------------------------------------------------------------------------

    def write(self, stream: TextIO, text: str) -> None:
        """Hand on `text`, which was meant for `stream`."""
        if self._setup is not None:
            self._note(self._setup, text)
        printed = self._of_task.get() or self._only
        if printed is None:
            stream.write(text)
            return
        with self._lock:
            text = printed.in_lines(text)
            room = KEPT_CHARACTERS - printed.characters
            printed.characters += len(text)
            printed.writes += 1
            if room <= 0:
                return
            if printed.writes <= UNHURRIED_WRITES:
                stream.write(text[:room])
                return
            printed.waiting.append((stream, text[:room]))
            printed.waiting_characters += len(text)
            if printed.waiting_characters >= PIECE_CHARACTERS:
                self._send(printed)
            else:
                self._send_soon(printed)

    def flush(self, stream: TextIO) -> None:
        """Let text without a line end out too, unless it is being gathered."""
        printed = self._of_task.get() or self._only
        if printed is None or printed.writes <= UNHURRIED_WRITES:
            stream.flush()

    def _note(self, log: TextIO, text: str) -> None:
        with self._lock:
            if log.closed:
                return
            if log.tell() > KEPT_SETUP_CHARACTERS:
                log.seek(0)
                log.truncate()
            log.write(text)
            log.flush()

    def _send(self, printed: Printed) -> None:
        waiting, printed.waiting, printed.waiting_characters = printed.waiting, [], 0
        for stream, pieces in itertools.groupby(waiting, lambda piece: piece[0]):
            printed.context.run(stream.write, "".join(text for _, text in pieces))
            printed.context.run(stream.flush)

    def _send_soon(self, printed: Printed) -> None:
        self._late.add(printed)
        if self._sender is None:
            self._sender = threading.Thread(target=self._send_late, daemon=True, name="cogyard printer")
            self._sender.start()
        self._is_late.set()

    def _send_late(self) -> None:
        while True:
            self._is_late.wait()
            time.sleep(GATHER)
            with self._lock:
                self._is_late.clear()
                while self._late:
                    self._send(self._late.pop())

    def _after_fork(self) -> None:
        """A child has no sender, and the lock may be held by a thread that it does not have."""
        self._lock = threading.RLock()
        self._sender = None


class PrintedStream(io.TextIOBase):
    """Stands in for `sys.stdout` or `sys.stderr`, for good, so that whoever keeps a reference to it is heard too."""

    def __init__(self, printer: Printer, stream: TextIO) -> None:
        self._printer = printer
        self._stream = stream

    def write(self, text: str) -> int:
        """Hand on to the printer."""
        self._printer.write(self._stream, text)
        return len(text)

    def flush(self) -> None:
        """Flush what may be flushed now."""
        self._printer.flush(self._stream)

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Never."""
        return False

    def fileno(self) -> int:
        """The descriptor behind it, where there is one."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As of the stream behind it."""
        return self._stream.encoding or "utf-8"

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._stream, name)
