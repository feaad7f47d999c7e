"""Predictions that run as one: their lists go to the model joined, what it returns is split, each ends by itself.

Each has its own recorder, so that one that is cancelled, fenced or cannot be stored disturbs nobody. What comes to
nothing together (the model raised, or returned no list of the right length) is run again one by one, in the same slot:
nobody fails by the company that he was put into.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass

import structlog

from cogyard.domain.batching import Batch, items_of
from cogyard.domain.errors import StorageFull
from cogyard.domain.events import Canceled, Failed, Interrupted, Separated, Succeeded
from cogyard.domain.prediction import Prediction
from cogyard.domain.values import Json
from cogyard.instances.driver import Driver, DriverEvent, Produced
from cogyard.instances.recorder import Fenced, Recorder
from cogyard.instances.run import PredictionRun, Slot, Surroundings
from cogyard.instances.talk import BatchTalk


@dataclass(slots=True)
class _Member:
    """One prediction of a batch."""

    recorder: Recorder
    items: Sequence[Json]
    watcher: asyncio.Task[None] | None = None
    is_lost: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it has neither ended nor gone back to the queue."""
        return not self.is_lost and self.recorder.prediction.claimed_by is not None


class BatchRun:
    """Runs claimed predictions of one batch on a driver."""

    def __init__(self, driver: Driver, around: Surroundings, batch: Batch, alone: PredictionRun) -> None:
        self._driver = driver
        self._around = around
        self._batch = batch
        self._alone = alone
        self._log = structlog.get_logger()

    async def run(self, claimed: Sequence[Prediction], slot: Slot) -> None:
        """See all of them to their ends, or give them back; the slot is freed when the model is done with them."""
        members = [_Member(self._alone.recorder(one), items_of(self._batch, one.input)) for one in claimed]
        try:
            async with AsyncExitStack() as watched:
                for member in members:
                    await watched.enter_async_context(self._watched(member, members))
                reason = await self._run_together(members, slot)
                if reason is not None:
                    await self._run_apart(members, reason)
        finally:
            slot.free()

    # --- together -------------------------------------------------------------------------------------------------

    async def _run_together(self, members: Sequence[_Member], slot: Slot) -> str | None:
        """Run as one what is not cancelled yet; why it has to run apart, None when it is over with all."""
        here = [member for member in members if member.is_open]
        if not here:
            return None
        run = members[0].recorder.claimed
        model_input, _ = self._alone.prepare(run)
        joined: list[Json] = [item for member in here for item in member.items]
        talk = BatchTalk([member.recorder.claimed for member in here], [len(member.items) for member in here])
        last: DriverEvent = Interrupted(at=self._around.clock.now(), reason="the model's process stopped answering")
        async with aclosing(self._driver.submit(run.id, {**model_input, self._batch.input: joined}, {})) as events:
            async for event in events:
                if isinstance(event, Succeeded | Failed | Canceled | Interrupted):
                    last = event
                    break
                for member, told in zip(here, talk.tell(event), strict=True):
                    for one in told:
                        await self._take(member, one)
                if all(member.is_lost for member in here):
                    break
        if not any(member.is_open for member in here):
            return None  # all were cancelled
        if isinstance(last, Failed):
            return "the model failed"
        parts: Sequence[Produced | None] = [None] * len(here)
        if isinstance(last, Succeeded):
            split = talk.split()
            if isinstance(split, str):
                self._log.warning("batch.not_split", version=run.version, model=run.model, reason=split)
                return split
            parts = split
        if not isinstance(last, Interrupted):  # or what ends would take the next ones down too
            slot.free()
        await asyncio.gather(*(self._end(member, part, last) for member, part in zip(here, parts, strict=True)))
        return None

    async def _end(self, member: _Member, part: Produced | None, ending: DriverEvent) -> None:
        if part is not None:
            await self._take(member, part)
        await self._take(member, ending)
        if not member.is_lost:
            await self._unless_lost(member, self._alone.close(member.recorder))

    async def _take(self, member: _Member, event: DriverEvent) -> None:
        if member.is_open:
            await self._unless_lost(member, self._alone.take(member.recorder, event))

    async def _unless_lost(self, member: _Member, act: Awaitable[object]) -> None:
        """Do what concerns one alone. What cannot be stored is let go: its lease runs out, and it is given back."""
        try:
            await act
        except Fenced:
            member.is_lost = True
            self._log.warning("prediction.fenced", prediction=member.recorder.claimed.id)
        except StorageFull as fault:
            member.is_lost = True
            self._log.error("prediction.lost", prediction=member.recorder.claimed.id, error=str(fault))

    # --- one by one -----------------------------------------------------------------------------------------------

    async def _run_apart(self, members: Sequence[_Member], reason: str) -> None:
        for member in members:
            if member.is_open:
                await _end_task(member.watcher)  # from here on its own run looks for its cancel
                separated = Separated(at=self._around.clock.now(), reason=reason)
                await self._unless_lost(member, member.recorder.add(separated))
            if member.is_open:
                await self._unless_lost(member, self._alone.go(member.recorder, Slot.of_nobody()))

    # --- cancels --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _watched(self, member: _Member, members: Sequence[_Member]) -> AsyncIterator[None]:
        watcher = member.watcher = asyncio.create_task(self._watch(member, members))
        try:
            yield
        finally:
            await _end_task(watcher)

    async def _watch(self, member: _Member, members: Sequence[_Member]) -> None:
        """End one at once when its caller cancels: what the others wait for goes on; without others it is cancelled."""
        recorder = member.recorder
        with self._around.bus.listen(("cancel", recorder.claimed.id)) as asked:
            await self._unless_lost(member, self._alone.asked_to_end(recorder, asked))
        await self._take(member, Canceled(at=self._around.clock.now()))
        if not any(other.is_open for other in members):
            await self._alone.keep_canceling(members[0].recorder.claimed.id)


async def _end_task(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait({task})
