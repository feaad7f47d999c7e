"""What can happen to a prediction: a closed union of facts, each with what its handling needs and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from cogyard.domain.values import FileId, Json, JsonObject


class MetricMode(Enum):
    """How a metric that the model records joins the value that is there (Cog's `record_metric`)."""

    replace = "replace"
    increment = "incr"
    append = "append"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """An instance took it; `timing` says in seconds what it waited for until then (`domain.timing`)."""

    timing: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The model began to run it; `together` is how many predictions it runs at once as one, this one included."""

    at: datetime
    together: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Separated:
    """What it ran together with came to nothing, and it begins anew by itself; `reason` ends a sentence."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The model gave output: the next items of an iterator, or (the last one counts) the whole of a single value.

    `files` maps JSON Pointers inside the list `items` to stored files; at such a place stands the file's name.
    """

    items: tuple[Json, ...]
    files: Mapping[str, FileId] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The model printed `text`, newline included where it printed one."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The model recorded a metric; dots in `name` lead into objects."""

    name: str
    value: Json
    mode: MetricMode = MetricMode.replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The model returned."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The model raised, or the prediction cannot be run; `error` is the sentence for the caller."""

    at: datetime
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """The caller asked for an end. What nobody has claimed ends at once, the rest when its instance obeys."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinePassed:
    """Its time, set by `Cancel-After`, ran out: what has not begun is aborted, the rest canceled."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Canceled:
    """It ended because the caller asked."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """The instance went away under it, through no act of the caller; `reason` says how (exit code, signal)."""

    at: datetime
    reason: str
    #: False: it had been claimed and had not been begun, which is no try
    is_try: bool = True


Event = (
    Waited
    | Started
    | Separated
    | Output
    | Log
    | Metric
    | Succeeded
    | Failed
    | CancelRequested
    | DeadlinePassed
    | Canceled
    | Interrupted
)
"""Everything that can happen to a prediction after its creation."""
