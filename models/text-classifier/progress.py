"""Progress as tqdm prints it, which clients turn into a bar."""

import sys
import time

INTERVAL = 0.1
"""Seconds between two lines, at least."""


class Progress:
    """One bar from the begin of a training to its end: a line for each percent, and not too many in a short time."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.began = time.monotonic()
        self.shown = -1
        self.shown_at = -INTERVAL

    def add(self, count: int) -> None:
        """So much more is done."""
        self.done += count
        percent = 100 * self.done // self.total
        spent = time.monotonic() - self.began
        if percent == self.shown or (spent < self.shown_at + INTERVAL and percent < 100):
            return
        self.shown, self.shown_at = percent, spent
        left = spent / self.done * (self.total - self.done)
        bar = "█" * (percent // 10)
        print(
            f"{percent:3d}%|{bar:<10}| {self.done}/{self.total} [{clock(spent)}<{clock(left)}]",
            file=sys.stderr,
            flush=True,
        )


def clock(seconds: float) -> str:
    """`01:23`, and `1:02:03` from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
