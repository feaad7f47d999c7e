"""Progress as tqdm prints it, which clients turn into a bar."""

import sys
import time


class Progress:
    """A line for each percent; one bar from the begin of a training to its end."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.began = time.monotonic()
        self.shown = -1

    def add(self, count: int) -> None:
        """So much more is done."""
        self.done += count
        percent = 100 * self.done // self.total
        if percent == self.shown:
            return
        self.shown = percent
        spent = time.monotonic() - self.began
        left = spent / self.done * (self.total - self.done)
        bar = "█" * (percent // 10)
        print(
            f"{percent:3d}%|{bar:<10}| {self.done}/{self.total} [{clock(spent)}<{clock(left)}]", file=sys.stderr, flush=True
        )


def clock(seconds: float) -> str:
    """`01:23`, and `1:02:03` from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
