"""Deadlines: `Cancel-After` (§9.5)."""

from cogyard.verify.check import Assertion, Check
from cogyard.verify.expect import TIME, header, like, refused, status, typed, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Evidence, Lab
from cogyard.verify.probe import broken, canary, full_canary
from cogyard.verify.running import attempt, end_of, start, succeeded
from cogyard.verify.sections.predictions import moment
from cogyard.verify.verdict import require

ACCEPTED: tuple[tuple[str, int], ...] = (
    ("90", 90),
    ("5", 5),
    ("90s", 90),
    ("5m", 300),
    ("2h", 7200),
    ("1h30m45s", 5445),
    ("2m30s", 150),
    ("24h", 86400),
)

REFUSED: tuple[tuple[str, str, str], ...] = (
    ("4", "below-least", "Less than 5 seconds"),
    ("0", "zero", "Zero"),
    ("25h", "above-most", "More than 24 hours"),
    ("86401", "one-second-more", "One second more than 24 hours"),
    ("-90", "negative", "A negative duration"),
    ("soon", "word", "A word"),
    ("5x", "unknown-unit", "An unknown unit"),
    ("1.5h", "fraction", "A fraction"),
    ("5s5", "unit-first", "A unit before the last number"),
)


def _with(text: str) -> Evidence:
    async def evidence(lab: Lab) -> Answer:
        return await attempt(lab, await lab.once(canary), {"text": "Ada"}, {"Cancel-After": text})

    return evidence


def _lasts(text: str, seconds: int) -> Assertion:
    evidence = _with(text)

    async def assertion(lab: Lab) -> None:
        answer = (await lab.once(evidence)).expect(201)
        lasts = (moment(answer, "deadline") - moment(answer, "created_at")).total_seconds()
        require(abs(lasts - seconds) < 1, f"expected a deadline {seconds} s after creation, got {lasts} s")

    return assertion


async def _running(lab: Lab) -> Answer:
    await lab.once(succeeded)
    created = await start(lab, full_canary, {"text": "Eve", "pause": 40}, {"Cancel-After": "5"})
    return await end_of(lab, created, 30)


async def _not_started(lab: Lab) -> Answer:
    """The deadline passes while the model is still set up."""
    return await end_of(lab, await start(lab, broken, {"text": "late"}, {"Cancel-After": "5"}), 60)


async def _both(lab: Lab) -> Answer:
    await lab.once(succeeded)
    return await start(lab, canary, {"text": "Ada"}, {"Cancel-After": "5m", "Prefer": "wait"})


async def _in_time(lab: Lab) -> None:
    answer = await lab.once(_running)
    late = (moment(answer, "completed_at") - moment(answer, "deadline")).total_seconds()
    require(-0.1 <= late < 5, f"expected the end at the deadline, got it {late:.1f} s after")


def _label(text: str) -> str:
    return f"deadline.accepts.{text}"


CHECKS: tuple[Check, ...] = (
    *(
        Check(
            _label(text),
            "§9.5",
            f"`Cancel-After: {text}` sets the deadline {seconds} seconds after creation.",
            _lasts(text, seconds),
        )
        for text, seconds in ACCEPTED
    ),
    *(
        Check(
            f"deadline.refuses.{name}",
            "§9.5",
            f"{what} (`Cancel-After: {text}`) is refused with a 4xx.",
            refused(_with(text)),
        )
        for text, name, what in REFUSED
    ),
    Check("deadline.shown", "§9.5", "`deadline` is a time like the others.", like(_with("90"), "deadline", TIME)),
    Check("deadline.kept", "§9.5", "`deadline` is still told at the end.", like(_running, "deadline", TIME)),
    Check(
        "deadline.while-running.status",
        "§9.5",
        "A deadline that passes while it runs cancels it.",
        value(_running, "status", "canceled"),
    ),
    Check("deadline.while-running.in-time", "§9.5", "What runs ends at its deadline, within seconds.", _in_time),
    Check("deadline.while-running.error", "§9.2", "A deadline is no error.", value(_running, "error", None)),
    Check(
        "deadline.while-running.metrics",
        "§9.3",
        "What ran until its deadline has a `predict_time`.",
        typed(_running, "metrics.predict_time", int, float),
    ),
    Check(
        "deadline.before-start.status",
        "§9.5",
        "A deadline that passes before the start aborts it; `canceled` is told to clients that do not know the word.",
        value(_not_started, "status", "aborted", "canceled"),
    ),
    Check(
        "deadline.before-start.output", "§9.5", "What never started has no output.", value(_not_started, "output", None)
    ),
    Check("deadline.with-wait.status", "§9.4", "`Prefer` and `Cancel-After` may both be sent.", status(_both, 201)),
    Check(
        "deadline.with-wait.applied",
        "§9.4",
        "With a deadline the wait is still applied.",
        header(_both, "preference-applied", "wait"),
    ),
)
