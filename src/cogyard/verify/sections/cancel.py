"""Cancelling predictions (§5.5)."""

from cogyard.verify.check import Check
from cogyard.verify.expect import TIME, generic_404, like, maybe, status, typed, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Lab
from cogyard.verify.probe import broken
from cogyard.verify.running import cancel_answer, canceled, end_of, start, succeeded
from cogyard.verify.verdict import require


async def _finished(lab: Lab) -> Answer:
    ended = await lab.once(succeeded)
    return await lab.client.send("POST", f"/predictions/{ended.string('id')}/cancel")


async def _again(lab: Lab) -> Answer:
    ended = await lab.once(canceled)
    return await lab.client.send("POST", f"/predictions/{ended.string('id')}/cancel")


async def _unknown(lab: Lab) -> Answer:
    return await lab.client.send("POST", "/predictions/" + "0" * 26 + "/cancel")


async def _with_type(lab: Lab) -> Answer:
    ended = await lab.once(succeeded)
    headers = {"Content-Type": "application/json"}
    return await lab.client.send("POST", f"/predictions/{ended.string('id')}/cancel", headers=headers)


async def _by_get(lab: Lab) -> Answer:
    return await lab.client.get(f"/predictions/{(await lab.once(succeeded)).string('id')}/cancel")


async def _starting(lab: Lab) -> Answer:
    created = await start(lab, broken, {"text": "never mind"})
    return (await lab.client.send("POST", f"/predictions/{created.string('id')}/cancel")).expect(200)


async def _starting_end(lab: Lab) -> Answer:
    return await end_of(lab, await lab.once(_starting), 30)


async def _unchanged(lab: Lab) -> None:
    before, after = (await lab.once(succeeded)).object(), (await lab.once(_finished)).object()
    differing = [key for key in ("status", "output", "completed_at", "error") if before[key] != after.get(key)]
    require(not differing, f"expected the prediction unchanged, got other values of {', '.join(differing)}")


CHECKS: tuple[Check, ...] = (
    Check("cancel.running.status", "§5.5", "A cancel is answered with 200.", status(cancel_answer, 200)),
    Check(
        "cancel.running.prediction",
        "§5.5",
        "A cancel is answered with the prediction.",
        like(cancel_answer, "urls.get", "https?://.+"),
    ),
    Check(
        "cancel.running.ends",
        "§9.2",
        "A running prediction ends as `canceled`, with one l.",
        value(canceled, "status", "canceled"),
    ),
    Check("cancel.running.error", "§5.2", "A cancel is no error.", value(canceled, "error", None)),
    Check("cancel.running.started-at", "§5.5", "What ran has a `started_at`.", like(canceled, "started_at", TIME)),
    Check(
        "cancel.running.completed-at",
        "§5.5",
        "What was canceled has a `completed_at`.",
        like(canceled, "completed_at", TIME),
    ),
    Check(
        "cancel.running.predict-time",
        "§9.3",
        "What was canceled has a `predict_time`.",
        typed(canceled, "metrics.predict_time", int, float),
    ),
    Check(
        "cancel.running.total-time",
        "§9.3",
        "What was canceled has a `total_time`.",
        typed(canceled, "metrics.total_time", int, float),
    ),
    Check(
        "cancel.running.logs", "§5.2", "`logs` of what was canceled is a text or null.", maybe(canceled, "logs", str)
    ),
    Check(
        "cancel.starting.ends",
        "§5.5",
        "A prediction that has not started is canceled too.",
        value(_starting_end, "status", "canceled"),
    ),
    Check(
        "cancel.starting.output",
        "§5.5",
        "What was canceled before it started has no output.",
        value(_starting_end, "output", None),
    ),
    Check("cancel.finished.status", "§5.5", "A cancel after the end is answered with 200.", status(_finished, 200)),
    Check("cancel.finished.unchanged", "§5.5", "A cancel after the end changes nothing.", _unchanged),
    Check("cancel.twice", "§5.5", "A second cancel changes nothing.", value(_again, "status", "canceled")),
    Check(
        "cancel.unknown",
        "§5.5",
        "A cancel of an unknown prediction is answered with the generic 404.",
        generic_404(_unknown),
    ),
    Check(
        "cancel.content-type",
        "§13.4",
        "A JSON content type without a body is no fault: clients send that.",
        status(_with_type, 200),
    ),
    Check(
        "cancel.post-only", "§5.5", "A cancel is a POST: GET is answered with 404 or 405.", status(_by_get, 404, 405)
    ),
)
