"""The life of a prediction. `apply` is the one door: nothing else yields a prediction with another status.

    starting ──Started──► processing ──Succeeded──► succeeded
       │ ▲                    │ ├──────Failed──────► failed
       │ └────Interrupted─────┘ └──────Canceled────► canceled
       └─ Failed ► failed · CancelRequested (unclaimed) or Canceled ► canceled · DeadlinePassed ► aborted

`Interrupted` gives a prediction back to the queue with the next attempt, until `MAX_ATTEMPTS` are used up. One that
has already shown output fails instead: callers hold its first items and rely on output that only grows
(`api-contract.md` §13.2), and a second run would contradict them.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from cogyard.domain.errors import AlreadyFinished
from cogyard.domain.events import (
    Canceled,
    CancelRequested,
    DeadlinePassed,
    Event,
    Failed,
    Interrupted,
    Log,
    Metric,
    MetricMode,
    Output,
    Separated,
    Started,
    Succeeded,
    Waited,
)
from cogyard.domain.money import cost_of, micros, millionths
from cogyard.domain.timing import RUN
from cogyard.domain.values import (
    NO_TOKEN,
    AccountId,
    FileId,
    FileMap,
    InstanceId,
    Json,
    JsonObject,
    PredictionId,
    QueueId,
    TokenId,
    VersionId,
)

MAX_ATTEMPTS = 3
"""Tries before a prediction whose instances keep dying fails (design: "after three attempts they fail")."""

MAX_LOG_CHARACTERS = 1_000_000
"""Log text kept for one prediction, about 1 MB; a model that prints for ever must not fill the store."""

MAX_ERROR_CHARACTERS = 10_000
"""Of an exception's own words; its traceback is in the logs. Cut after secrets were taken out, never through one."""

LOG_CUT = "\n[cogyard] more log lines followed and were dropped\n"

REDACTED = "[REDACTED]"
"""What is shown in the place of a secret input."""

RESERVED_METRICS = frozenset({"predict_time", "total_time"})
"""Metrics that are measured here and that a model cannot set (`api-contract.md` §9.3)."""


TOGETHER = "batch"
"""In a prediction's timing: how many predictions its instance runs as one, where it is more than one."""


class Status(StrEnum):
    """The wire's words (`api-contract.md` §9.2)."""

    starting = "starting"
    processing = "processing"
    succeeded = "succeeded"
    failed = "failed"
    canceled = "canceled"
    aborted = "aborted"

    @property
    def is_terminal(self) -> bool:
        """Whether a prediction stays in this status for ever."""
        return self not in (Status.starting, Status.processing)


class PredictionKind(StrEnum):
    """What is run: the predict function or the train function. Their ids are of one kind (`api-contract.md` §8.2)."""

    prediction = "prediction"
    training = "training"


class StreamKind(StrEnum):
    """What a prediction's stream carries; clients tell them apart by the stream's URL (`api-contract.md` §10.4)."""

    text = "text"
    files = "files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One run of a version. Times are aware and UTC; `sequence` is the store's own order, 0 before it is stored."""

    id: PredictionId
    account: AccountId
    model: str
    version: VersionId
    queue: QueueId
    input: JsonObject
    created_at: datetime
    kind: PredictionKind = PredictionKind.prediction
    sequence: int = 0
    status: Status = Status.starting
    source: str = "api"
    #: the version's output is an iterator: `output` is a list that grows
    is_stream: bool = False
    #: None when the version's output is of no use before its end
    stream_kind: StreamKind | None = None
    #: `owner/name` of the deployment that it was made on
    deployment: str | None = None
    #: the model was official: callers see `hidden` for the version
    is_version_hidden: bool = False
    #: after this it is not wanted any more
    deadline: datetime | None = None
    #: of a training: `owner/name` of the model that gets the new version
    destination: str | None = None
    output: Json = None
    output_files: FileMap = field(default_factory=dict)
    error: str | None = None
    logs: str = ""
    metrics: JsonObject = field(default_factory=dict)
    started_at: datetime | None = None
    completed_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    attempt: int = 1
    #: raised by each claim; what carries an older number is refused
    epoch: int = 0
    claimed_by: InstanceId | None = None
    webhook: str | None = None
    webhook_events_filter: tuple[str, ...] | None = None
    #: `scheme://host` that its creator used, for the URLs in webhooks
    base_url: str | None = None
    data_removed: bool = False
    #: names of the inputs that nobody but the model may see: sealed in `input` until the end, then gone from it
    secret_inputs: tuple[str, ...] = ()
    #: which token asked for it; 0 for the server's own
    token: TokenId = NO_TOKEN
    #: the SKU that it is charged for
    hardware: str = ""
    #: the metric whose units are charged; empty when seconds are
    unit: str = ""
    #: what a second or a unit costs; None for what is of a release that charged nothing
    price: Decimal | None = None
    #: billionths of the yard's currency, once it has ended
    cost: int | None = None
    #: what budgets hold back for it until its end, in billionths and in microseconds; None under no budget
    held_cost: int | None = None
    held_time: int | None = None
    #: what may run together with it: predictions of one queue with the same key; None when it runs alone
    batch_key: str | None = None
    #: how long it waited for what (seconds; see `domain.timing`), from its first claim on
    timing: JsonObject | None = None


def apply(prediction: Prediction, event: Event) -> Prediction:
    """The prediction after `event`.

    Raises `AlreadyFinished` when it has ended, except for wishes that it end, which then change nothing.
    """
    if prediction.status.is_terminal:
        if isinstance(event, CancelRequested | DeadlinePassed):
            return prediction
        raise AlreadyFinished(f"prediction {prediction.id} is {prediction.status}")
    match event:
        case Waited(timing=waited):
            return replace(prediction, timing=waited)
        case Started(at=at, together=together):
            timing = _with_together(prediction.timing, together)
            started = prediction.started_at or at
            return replace(prediction, status=Status.processing, started_at=started, timing=timing)
        case Separated(at=at, reason=reason):
            return _separate(prediction, at, reason)
        case Output():
            return _with_output(prediction, event)
        case Log(text=text):
            return replace(prediction, logs=_with_log(prediction.logs, text))
        case Metric():
            if event.name.partition(".")[0] in RESERVED_METRICS:
                return prediction
            return replace(prediction, metrics=_with_metric(prediction.metrics, event))
        case Succeeded(at=at):
            return _finish(_completed_output(prediction), Status.succeeded, at)
        case Failed(at=at, error=error):
            return _finish(prediction, Status.failed, at, _short(error))
        case CancelRequested(at=at) | DeadlinePassed(at=at):
            asked = replace(prediction, cancel_requested_at=prediction.cancel_requested_at or at)
            return _cancel(asked, at) if prediction.claimed_by is None else asked
        case Canceled(at=at):
            return _cancel(prediction, at)
        case Interrupted():
            return _interrupt(prediction, event)
        case _:
            assert_never(event)


def run_time(prediction: Prediction, end: datetime) -> int:
    """The microseconds of an instance that it is charged for until `end`: its part of those that it shared."""
    passed = micros(prediction.started_at or end, end)
    together = (prediction.timing or {}).get(TOGETHER)
    return passed // together if isinstance(together, int) else passed


def _with_together(timing: JsonObject | None, together: int) -> JsonObject | None:
    if together > 1:
        return {**(timing or {}), TOGETHER: together}
    if timing is None or TOGETHER not in timing:
        return timing
    return {name: value for name, value in timing.items() if name != TOGETHER} or None


def _separate(prediction: Prediction, at: datetime, reason: str) -> Prediction:
    """Its time begins anew: nobody pays for what came to nothing."""
    note = f"[cogyard] it ran together with others, but {reason}; it runs again alone\n"
    return replace(
        prediction,
        started_at=at,
        metrics={},
        logs=_with_log(prediction.logs, note),
        timing=_with_together(prediction.timing, 1),
    )


def _with_output(prediction: Prediction, event: Output) -> Prediction:
    if not prediction.is_stream:
        last = len(event.items) - 1
        return replace(prediction, output=event.items[last], output_files=_moved(event.files, last, ""))
    before = prediction.output if isinstance(prediction.output, list) else []
    files = dict(prediction.output_files)
    for position in range(len(event.items)):
        files.update(_moved(event.files, position, f"/{len(before) + position}"))
    return replace(prediction, output=[*before, *event.items], output_files=files)


def _moved(files: FileMap, position: int, prefix: str) -> dict[str, FileId]:
    """The files of the item at `position`, under `prefix` in place of that position."""
    head = f"/{position}"
    return {
        prefix + pointer[len(head) :]: file
        for pointer, file in files.items()
        if pointer == head or pointer.startswith(head + "/")
    }


def _completed_output(prediction: Prediction) -> Prediction:
    """An iterator that yielded nothing has given the empty list, not nothing."""
    return replace(prediction, output=[]) if prediction.is_stream and prediction.output is None else prediction


def _with_log(logs: str, text: str) -> str:
    room = MAX_LOG_CHARACTERS - len(logs)
    if len(text) <= room:
        return logs + text
    return logs if logs.endswith(LOG_CUT) else logs + text[: max(room, 0)] + LOG_CUT


def _short(error: str) -> str:
    return error if len(error) <= MAX_ERROR_CHARACTERS else error[:MAX_ERROR_CHARACTERS] + " …"


def _with_metric(metrics: JsonObject, event: Metric) -> JsonObject:
    name, _, rest = event.name.partition(".")
    before = metrics.get(name)
    if rest:  # `timing.load` is the entry `load` of the object `timing`
        held = before if isinstance(before, dict) else {}
        return {**metrics, name: _with_metric(held, replace(event, name=rest))}
    value = event.value
    if event.mode is MetricMode.increment and isinstance(before, int | float) and isinstance(value, int | float):
        value = before + value
    elif event.mode is MetricMode.append:
        value = [*(before if isinstance(before, list) else [] if before is None else [before]), value]
    elif value is None:
        return {key: held for key, held in metrics.items() if key != name}
    return {**metrics, name: value}


def _cancel(prediction: Prediction, at: datetime) -> Prediction:
    """`aborted` is only for what its deadline ended before it began (`api-contract.md` §9.5, §14 row 1)."""
    asked, deadline = prediction.cancel_requested_at or at, prediction.deadline
    is_late = deadline is not None and asked >= deadline
    has_begun = prediction.status is Status.processing
    return _finish(prediction, Status.aborted if is_late and not has_begun else Status.canceled, at)


def _finish(prediction: Prediction, status: Status, at: datetime, error: str | None = None) -> Prediction:
    started = prediction.started_at or at
    is_by_unit = bool(prediction.unit)
    used = millionths(prediction.metrics.get(prediction.unit)) if is_by_unit else run_time(prediction, at)
    times: JsonObject = {
        "predict_time": max((at - started).total_seconds(), 0.0),
        "total_time": max((at - prediction.created_at).total_seconds(), 0.0),
    }
    return replace(
        prediction,
        status=status,
        error=error,
        started_at=started,
        completed_at=at,
        claimed_by=None,
        input=shown_input(prediction),
        metrics={**prediction.metrics, **times},
        timing=None if prediction.timing is None else {**prediction.timing, RUN: times["predict_time"]},
        cost=cost_of(prediction.price, used),
    )


def _interrupt(prediction: Prediction, event: Interrupted) -> Prediction:
    if prediction.cancel_requested_at is not None:
        return _cancel(prediction, event.at)
    if not event.is_try:
        return replace(prediction, claimed_by=None)
    if prediction.output is not None:
        error = f"Prediction interrupted after its first output ({event.reason}); please run it again. (code: PA)"
        return _finish(prediction, Status.failed, event.at, error)
    if prediction.attempt >= MAX_ATTEMPTS:
        error = f"Prediction interrupted {prediction.attempt} times; the last time: {event.reason}. (code: PA)"
        return _finish(prediction, Status.failed, event.at, error)
    note = f"[cogyard] attempt {prediction.attempt} was interrupted: {event.reason}; trying again\n"
    return replace(
        prediction,
        status=Status.starting,
        attempt=prediction.attempt + 1,
        claimed_by=None,
        started_at=None,
        metrics={},
        logs=_with_log(prediction.logs, note),
        timing=_with_together(prediction.timing, 1),
    )


def shown_input(prediction: Prediction) -> JsonObject:
    """The input as it may be shown: without what is secret in it."""
    if not prediction.secret_inputs:
        return prediction.input
    return {name: REDACTED if name in prediction.secret_inputs else value for name, value in prediction.input.items()}


def forget_data(prediction: Prediction) -> Prediction:
    """The prediction without what went in and came out, as it is kept after its retention time (§9.7)."""
    return replace(prediction, input={}, output=None, output_files={}, logs="", data_removed=True)
