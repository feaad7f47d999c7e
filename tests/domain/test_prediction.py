"""The life of a prediction, as a state machine over every event."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cogyard.domain.errors import AlreadyFinished
from cogyard.domain.events import (
    Canceled,
    CancelRequested,
    Event,
    Failed,
    Interrupted,
    Log,
    Metric,
    MetricMode,
    Output,
    Started,
    Succeeded,
)
from cogyard.domain.prediction import (
    LOG_CUT,
    MAX_ATTEMPTS,
    MAX_ERROR_CHARACTERS,
    MAX_LOG_CHARACTERS,
    Prediction,
    Status,
    apply,
    shown_input,
)
from cogyard.domain.values import AccountId, FileId, InstanceId, PredictionId, QueueId, VersionId

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=2)


def new(**changes: object) -> Prediction:
    made = Prediction(
        queue=QueueId("v" * 64),
        id=PredictionId("p"),
        account=AccountId(1),
        model="a/b",
        version=VersionId("v"),
        input={},
        created_at=NOW,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def claimed(**changes: object) -> Prediction:
    return new(claimed_by=InstanceId("i"), epoch=1, **changes)


def fold(prediction: Prediction, *events: Event) -> Prediction:
    for event in events:
        prediction = apply(prediction, event)
    return prediction


def test_a_prediction_runs_to_its_end() -> None:
    done = fold(claimed(), Started(at=NOW), Output(items=("hi",)), Succeeded(at=LATER))

    assert done.status is Status.succeeded
    assert done.output == "hi"
    assert done.error is None
    assert done.metrics == {"predict_time": 2.0, "total_time": 2.0}
    assert done.claimed_by is None


def test_an_iterators_items_gather_with_their_files() -> None:
    first = Output(items=("a.png",), files={"/0": FileId("f1")})
    second = Output(items=("x", {"p": "b.png"}), files={"/1/p": FileId("f2")})

    done = fold(claimed(is_stream=True), first, second, Succeeded(at=LATER))

    assert done.output == ["a.png", "x", {"p": "b.png"}]
    assert done.output_files == {"/0": "f1", "/2/p": "f2"}


def test_an_iterator_that_gave_nothing_gave_the_empty_list() -> None:
    assert fold(claimed(is_stream=True), Succeeded(at=LATER)).output == []


def test_logs_are_cut_once() -> None:
    done = fold(claimed(), *[Log(text="x" * 400_000)] * 4)

    assert len(done.logs) == MAX_LOG_CHARACTERS + len(LOG_CUT)
    assert done.logs.count(LOG_CUT) == 1


def test_metrics_replace_add_and_append_and_times_are_ours() -> None:
    done = fold(
        claimed(),
        Metric(name="a", value=1),
        Metric(name="a", value=2, mode=MetricMode.increment),
        Metric(name="b", value="x", mode=MetricMode.append),
        Metric(name="predict_time", value=99),
        Metric(name="timing.total_time", value=1),
        Metric(name="timing.load", value=1),
        Metric(name="timing.load", value=2, mode=MetricMode.increment),
        Metric(name="timing.parts.first", value="y", mode=MetricMode.append),
    )

    assert done.metrics == {"a": 3, "b": ["x"], "timing": {"total_time": 1, "load": 3, "parts": {"first": ["y"]}}}


def test_a_metric_that_becomes_nothing_is_gone() -> None:
    done = fold(
        claimed(),
        Metric(name="a", value=1),
        Metric(name="b.c", value=1),
        Metric(name="b.d", value=1),
        Metric(name="a", value=None),
        Metric(name="b.c", value=None),
        Metric(name="never", value=None),
    )

    assert done.metrics == {"b": {"d": 1}}


def test_a_queued_prediction_cancels_at_once_and_a_claimed_one_when_its_model_obeys() -> None:
    assert apply(new(), CancelRequested(at=LATER)).status is Status.canceled
    asked = apply(claimed(), CancelRequested(at=LATER))
    assert asked.status is Status.starting
    assert apply(asked, Canceled(at=LATER)).status is Status.canceled


def test_the_words_of_an_error_are_cut_where_nobody_reads_on() -> None:
    ended = fold(claimed(), Failed(at=NOW, error="x" * (MAX_ERROR_CHARACTERS + 1)))

    assert ended.error == "x" * MAX_ERROR_CHARACTERS + " …"


def test_a_secret_input_is_there_until_the_end_and_never_shown() -> None:
    given = {"text": "hi", "password": "sealed"}
    running = claimed(input=given, secret_inputs=("password",))
    again = fold(running, Interrupted(at=NOW, reason="it died"))
    ended = fold(again, Failed(at=NOW, error="no"))

    assert again.input == given
    assert ended.input == shown_input(running) == {"text": "hi", "password": "[REDACTED]"}


def test_an_interrupted_prediction_goes_back_until_its_attempts_are_used_up() -> None:
    prediction = new()
    for attempt in range(1, MAX_ATTEMPTS):
        prediction = apply(replace(prediction, claimed_by=InstanceId("i")), Interrupted(at=LATER, reason="gone"))
        assert (prediction.status, prediction.attempt) == (Status.starting, attempt + 1)

    last = apply(replace(prediction, claimed_by=InstanceId("i")), Interrupted(at=LATER, reason="gone"))

    assert last.status is Status.failed
    assert last.error == "Prediction interrupted 3 times; the last time: gone. (code: PA)"


def test_output_that_was_shown_is_not_taken_back() -> None:
    failed = fold(claimed(is_stream=True), Output(items=("a",)), Interrupted(at=LATER, reason="gone"))

    assert failed.status is Status.failed
    assert failed.output == ["a"]


def test_an_interrupted_prediction_that_was_to_be_canceled_is() -> None:
    done = fold(claimed(), CancelRequested(at=NOW), Interrupted(at=LATER, reason="gone"))

    assert done.status is Status.canceled


any_event = st.one_of(
    st.just(Started(at=NOW)),
    st.builds(Output, items=st.tuples(st.text(max_size=3))),
    st.builds(Log, text=st.text(max_size=5)),
    st.builds(
        Metric, name=st.sampled_from(["a", "predict_time"]), value=st.integers(), mode=st.sampled_from(MetricMode)
    ),
    st.just(Succeeded(at=LATER)),
    st.just(Failed(at=LATER, error="no")),
    st.just(CancelRequested(at=LATER)),
    st.just(Canceled(at=LATER)),
    st.just(Interrupted(at=LATER, reason="gone")),
)


@given(st.lists(any_event, max_size=30), st.booleans(), st.booleans())
def test_whatever_happens_a_prediction_ends_once_and_says_how(
    events: list[Event], is_stream: bool, is_claimed: bool
) -> None:
    prediction = claimed(is_stream=is_stream) if is_claimed else new(is_stream=is_stream)
    ended: Prediction | None = None
    for event in events:
        try:
            after = apply(prediction, event)
        except AlreadyFinished:
            assert ended is not None
            continue
        if ended is not None:
            assert after == ended
            assert isinstance(event, CancelRequested)
        assert after.status.is_terminal == (after.completed_at is not None)
        assert (after.status is Status.failed) == (after.error is not None)
        assert not (after.status.is_terminal and after.claimed_by is not None)
        assert after.attempt <= MAX_ATTEMPTS
        if isinstance(prediction.output, list) and isinstance(after.output, list):
            assert after.output[: len(prediction.output)] == prediction.output
        prediction = after
        ended = after if after.status.is_terminal else None


def test_a_claim_that_was_given_back_before_it_began_was_no_try() -> None:
    returned = apply(claimed(), Interrupted(at=LATER, reason="its turn is over", is_try=False))

    assert (returned.status, returned.attempt, returned.claimed_by, returned.logs) == (Status.starting, 1, None, "")
