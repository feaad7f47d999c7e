"""Predictions that tell of themselves: the receiver, and what came to it until the end (§10.1)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cogyard.domain.values import Json, JsonObject
from cogyard.verify.http import Answer
from cogyard.verify.lab import Lab
from cogyard.verify.receiver import Delivery, Receiver, Reply, well
from cogyard.verify.running import TERMINAL, attempt, end_of
from cogyard.verify.verdict import NotTried, require

WITHIN = 30.0
"""Seconds for a webhook to come after the event."""

QUIET = 1.0
"""Seconds in which nothing more may come after the last."""


async def receiver(lab: Lab) -> Receiver:
    """The receiver, listening."""
    made = Receiver(lab.named.receiver)
    await made.open()
    lab.later("the receiver of webhooks", made.close)
    return made


@dataclass(frozen=True, slots=True)
class Told:
    """A prediction that has ended, and what its webhooks told."""

    ended: Answer
    came: list[Delivery]

    @property
    def last(self) -> Delivery:
        """The last webhook."""
        require(self.came, "expected webhooks, got none")
        return self.came[-1]


def is_over(came: list[Delivery]) -> bool:
    """Whether the end was told."""
    return any(delivery.told.get("status") in TERMINAL for delivery in came)


async def tell(
    lab: Lab,
    path: str,
    reference: Callable[[Lab], Awaitable[str]],
    model_input: JsonObject,
    events: Json = None,
    reply: Reply = well,
) -> Answer:
    """Create a prediction whose webhooks go to the path. Raises `NotTried` where none can reach us."""
    url = (await lab.once(receiver)).expect(path, reply)
    more: JsonObject = {"webhook": f"{url}?tag=1&x=y"}
    if events is not None:
        more["webhook_events_filter"] = events
    answer = await attempt(lab, await lab.once(reference), model_input, more=more)
    if answer.status in (400, 422) and "webhook" in answer.text:
        raise NotTried("the server takes no http webhooks of this address; pass --receiver host:port of one it takes")
    return answer.expect(201)


def told(
    word: str,
    reference: Callable[[Lab], Awaitable[str]],
    model_input: JsonObject,
    events: Json = None,
    reply: Reply = well,
    count: int = 1,
) -> Callable[[Lab], Awaitable[Told]]:
    """A prediction and all its webhooks: until the end was told so often, and a little longer."""

    async def evidence(lab: Lab) -> Told:
        path = f"/{word}-{lab.suffix}"
        ended = await end_of(lab, await tell(lab, path, reference, model_input, events, reply))
        hooks = await lab.once(receiver)
        wants_end = events is None or (isinstance(events, list) and "completed" in events)
        if wants_end:
            ends = lambda came: sum(one.told.get("status") in TERMINAL for one in came) >= count  # noqa: E731
            await hooks.wait(path, ends, WITHIN)
        await asyncio.sleep(QUIET)
        return Told(ended, hooks.on(path))

    return evidence
