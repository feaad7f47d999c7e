"""Creates predictions, follows them to their end, and ends those that still run when the suite does."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from cogyard.domain.values import Json, JsonObject
from cogyard.verify.http import Answer
from cogyard.verify.lab import Lab
from cogyard.verify.probe import canary, full_canary, grammar
from cogyard.verify.verdict import require
from cogyard.verify.waiting import until

ENDS_WITHIN = 90.0
"""Seconds for a prediction of ours, with the boot of its model."""

TERMINAL = ("succeeded", "failed", "canceled", "aborted")

Headers = Mapping[str, str]


async def attempt(
    lab: Lab, reference: str, model_input: Json, headers: Headers | None = None, more: JsonObject | None = None
) -> Answer:
    """Whatever the server says to the creation of a prediction by version."""
    body: JsonObject = {"version": reference, "input": model_input, **(more or {})}
    return await create_at(lab, "/predictions", body, headers)


async def create_at(lab: Lab, path: str, body: Json, headers: Headers | None = None) -> Answer:
    """Whatever the server says to a creation; what was created is canceled at the end, if it still runs then."""
    answer = await lab.client.post(path, body, headers)
    if answer.status in (201, 202) and answer.has("id") and answer.at("status") not in TERMINAL:
        lab.later(f"prediction {answer.string('id')}", partial(stop, lab, answer.string("id")))
    return answer


async def start(
    lab: Lab,
    reference: Callable[[Lab], Awaitable[str]],
    model_input: Json,
    headers: Headers | None = None,
    more: JsonObject | None = None,
) -> Answer:
    """A prediction of one of our models that was created. Raises `Broken` when it was not."""
    answer = await attempt(lab, await lab.once(reference), model_input, headers, more)
    return answer.expect(201, 202)


async def stop(lab: Lab, prediction: str) -> None:
    """Cancel it if it still runs."""
    found = await lab.client.get(f"/predictions/{prediction}")
    if found.status == 200 and found.at("status") not in TERMINAL:
        await lab.client.send("POST", f"/predictions/{prediction}/cancel")


async def end_of(lab: Lab, created: Answer, seconds: float = ENDS_WITHIN, noun: str = "predictions") -> Answer:
    """The GET answer of a prediction that has ended, whatever the end."""
    identifier = created.string("id")

    async def look() -> Answer | None:
        found = (await lab.client.get(f"/{noun}/{identifier}")).expect(200)
        return found if found.at("status") in TERMINAL else None

    return await until(look, seconds, f"the end of {noun[:-1]} {identifier}")


async def is_processing(lab: Lab, created: Answer) -> Answer:
    """The GET answer of one that runs. Raises `Broken` when it ends without."""
    identifier = created.string("id")

    async def look() -> Answer | None:
        found = (await lab.client.get(f"/predictions/{identifier}")).expect(200)
        require(found.at("status") not in TERMINAL, f"expected {identifier} to run, got {found.text[:300]}")
        return found if found.at("status") == "processing" else None

    return await until(look, ENDS_WITHIN, f"prediction {identifier} being processing")


async def run(
    lab: Lab,
    reference: Callable[[Lab], Awaitable[str]],
    model_input: Json,
    headers: Headers | None = None,
    more: JsonObject | None = None,
) -> Answer:
    """One that was created and has ended."""
    return await end_of(lab, await start(lab, reference, model_input, headers, more))


# --- predictions that several sections look at ------------------------------------------------------------------------


async def created(lab: Lab) -> Answer:
    """The answer to a creation without `Prefer`."""
    return await start(lab, canary, {"text": "Ada"})


async def succeeded(lab: Lab) -> Answer:
    """The same prediction when it has succeeded."""
    ended = await end_of(lab, await lab.once(created))
    require(ended.at("status") == "succeeded", f"expected the canary to succeed, got {ended.text[:300]}")
    return ended


async def failed(lab: Lab) -> Answer:
    """A prediction whose model raised an exception."""
    return await run(lab, grammar, {"word": "nowhere", "mode": "fail"})


async def sleeping(lab: Lab) -> Answer:
    """A prediction that runs until it is canceled."""
    return await is_processing(lab, await start(lab, full_canary, {"text": "Eve", "pause": 50}))


async def cancel_answer(lab: Lab) -> Answer:
    """The answer to the cancel of a running prediction."""
    running = await lab.once(sleeping)
    return await lab.client.send("POST", f"/predictions/{running.string('id')}/cancel")


async def canceled(lab: Lab) -> Answer:
    """That prediction, at its end."""
    (await lab.once(cancel_answer)).expect(200)
    return await end_of(lab, await lab.once(sleeping), 30)
