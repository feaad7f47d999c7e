"""Times as people and programs write them: ISO 8601, in UTC where no zone is named."""

from datetime import UTC, datetime


def parse_utc(text: str) -> datetime:
    """The time in UTC. Raises `ValueError` for what is none, and for years before 1 or after 9999 in UTC."""
    time = datetime.fromisoformat(text)
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error
