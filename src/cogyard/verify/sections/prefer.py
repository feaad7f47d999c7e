"""Synchronous creations: `Prefer: wait` (§9.4)."""

import asyncio
from collections.abc import Mapping

from cogyard.domain.values import Json, JsonObject
from cogyard.verify.check import Check
from cogyard.verify.expect import header, holds, no_header, status, typed, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Evidence, Lab
from cogyard.verify.probe import canary, full_canary, grammar
from cogyard.verify.running import end_of, start, succeeded
from cogyard.verify.verdict import require

TRIES = 3


async def _warm(lab: Lab) -> None:
    """One run before, so that what is measured is not the boot of the model."""
    await lab.once(succeeded)


def _waiting(prefer: str, **more: str) -> Evidence:
    headers: Mapping[str, str] = {"Prefer": prefer, **more}

    async def evidence(lab: Lab) -> Answer:
        await _warm(lab)
        return await start(lab, canary, {"text": "Ada"}, headers)

    return evidence


def _slow(model_input: JsonObject) -> Evidence:
    async def evidence(lab: Lab) -> Answer:
        await _warm(lab)
        return await start(lab, full_canary, {"text": "Eve", **model_input}, {"Prefer": "wait=1"})

    return evidence


_IN_TIME = _waiting("wait")
_TEN = _waiting("wait=10")
_SIXTY = _waiting("wait=60")
_TOO_LONG = _waiting("wait=99")
_MALFORMED = _waiting("wait=soon")
_OTHER = _waiting("respond-async")
_OVER = _slow({"pause": 2})


async def _failed(lab: Lab) -> Answer:
    return await start(lab, grammar, {"word": "hello", "mode": "fail"}, {"Prefer": "wait"})


async def _refused(lab: Lab) -> Answer:
    body: Json = {"version": await lab.once(grammar), "input": {}}
    return await lab.client.post("/predictions", body, {"Prefer": "wait"})


async def _early(lab: Lab) -> None:
    """Clients stop reading after N + 0.5 seconds, and make a second prediction."""
    answer = await lab.once(_OVER)
    for _ in range(TRIES - 1):
        if answer.seconds > 1.5:  # once may be the fault of a machine that has other things to do
            answer = await _OVER(lab)
    require(0.8 < answer.seconds < 1.5, f"expected the answer after about 1 s, got it after {answer.seconds:.2f} s")


async def _goes_on(lab: Lab) -> None:
    ended = await end_of(lab, await lab.once(_OVER))
    require(ended.at("output") == ["hello ", "there, ", "Eve"], f"expected it to end well, got {ended.text[:300]}")


async def _disconnected(lab: Lab) -> None:
    """The id is found in the list, by an input that nothing else has."""
    await _warm(lab)
    word = f"gone {lab.suffix}"
    sending = asyncio.create_task(start(lab, full_canary, {"text": word, "pause": 0.7}, {"Prefer": "wait"}))
    found: JsonObject | None = None
    while found is None and not sending.done():
        listed = (await lab.client.get("/predictions")).expect(200)
        rows = [row for row in listed.array("results") if isinstance(row, dict)]
        found = next((row for row in rows if isinstance(row["input"], dict) and row["input"].get("text") == word), None)
    if found is None:
        await sending  # says why, when it could not even be created
    sending.cancel()
    require(found is not None, "expected the prediction in the list before its end")
    answer = (await lab.client.get(f"/predictions/{(found or {})['id']}")).expect(200)
    ended = await end_of(lab, answer)
    require(ended.at("status") == "succeeded", f"expected it to go on without its client, got {ended.text[:300]}")


async def _not_so_late(lab: Lab) -> None:
    answer = await lab.once(_IN_TIME)
    require(answer.seconds < 20, f"expected the answer at the end of the run, got it after {answer.seconds:.1f} s")


CHECKS: tuple[Check, ...] = (
    Check("prefer.in-time.status", "§9.4", "Output in time is answered with 201.", status(_IN_TIME, 201)),
    Check(
        "prefer.in-time.output",
        "§9.4",
        "Output in time comes whole, with all items of an iterator.",
        value(_IN_TIME, "output", ["hello ", "there, ", "Ada"]),
    ),
    Check(
        "prefer.in-time.state",
        "§9.4",
        "With output in time the status is `processing` or `succeeded`.",
        value(_IN_TIME, "status", "processing", "succeeded"),
    ),
    Check(
        "prefer.in-time.at-once",
        "§9.4",
        "The answer comes when there is output, not at the end of the wait.",
        _not_so_late,
    ),
    Check("prefer.in-time.error", "§9.4", "With output in time `error` is null.", value(_IN_TIME, "error", None)),
    Check(
        "prefer.in-time.location",
        "§1.3",
        "A synchronous answer has `Location` too.",
        header(_IN_TIME, "location", "https?://.+"),
    ),
    Check(
        "prefer.applied.wait",
        "§1.3",
        "`Preference-Applied` echoes `wait`.",
        header(_IN_TIME, "preference-applied", "wait"),
    ),
    Check(
        "prefer.applied.wait-10",
        "§1.3",
        "`Preference-Applied` echoes `wait=10`.",
        header(_TEN, "preference-applied", "wait=10"),
    ),
    Check(
        "prefer.applied.wait-60",
        "§1.3",
        "`Preference-Applied` echoes `wait=60`.",
        header(_SIXTY, "preference-applied", "wait=60"),
    ),
    Check("prefer.too-long", "§9.4", "More than 60 seconds count as 60 and are no fault.", status(_TOO_LONG, 201)),
    Check("prefer.malformed.status", "§9.4", "A malformed wait is ignored.", status(_MALFORMED, 201)),
    Check(
        "prefer.malformed.not-applied",
        "§1.3",
        "What is ignored is not applied.",
        no_header(_MALFORMED, "preference-applied"),
    ),
    Check(
        "prefer.other", "§9.4", "Another preference than wait does not wait.", no_header(_OTHER, "preference-applied")
    ),
    Check("prefer.over.status", "§9.4", "When the wait is over the answer is 202.", status(_OVER, 202)),
    Check(
        "prefer.over.state",
        "§9.4",
        "A 202 says `starting`, even while the model runs: clients take anything else for the end.",
        value(_OVER, "status", "starting"),
    ),
    Check(
        "prefer.over.applied",
        "§1.3",
        "A 202 has `Preference-Applied` as well.",
        header(_OVER, "preference-applied", "wait=1"),
    ),
    Check(
        "prefer.over.output", "§9.4", "A 202 has no output, or a part of it.", typed(_OVER, "output", list, type(None))
    ),
    Check("prefer.over.in-time", "§9.4", "`wait=1` is answered within 1.5 seconds.", _early),
    Check("prefer.over.goes-on", "§9.4", "After a 202 the prediction goes on.", _goes_on),
    Check("prefer.failed.status", "§9.4", "A failure in time is answered with 201.", status(_failed, 201)),
    Check("prefer.failed.state", "§9.4", "A failure in time says `failed`.", value(_failed, "status", "failed")),
    Check("prefer.failed.error", "§9.4", "A failure in time has its `error`.", typed(_failed, "error", str)),
    Check("prefer.failed.output", "§9.4", "A failure in time has no output.", value(_failed, "output", None)),
    Check(
        "prefer.refused",
        "§1.4",
        "A wrong input is refused at once, whether one waits or not.",
        holds(_refused, lambda answer: answer.status == 422 and answer.seconds < 5, "a 422 at once"),
    ),
    Check("prefer.disconnected", "§9.4", "A client that goes away does not end the prediction.", _disconnected),
)
