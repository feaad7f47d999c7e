"""The machine's clock, as the `Clock` seam wants it."""

from datetime import UTC, datetime


class SystemClock:
    """The time of the operating system."""

    def now(self) -> datetime:
        """Now, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the one place that reads it
