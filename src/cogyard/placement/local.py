"""Directors as tasks of this server, their Cog servers as its supervised child processes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

import structlog

from cogyard.domain.errors import CogyardError
from cogyard.domain.hardware import Share
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.schedule import Rest
from cogyard.domain.values import InstanceId, QueueId
from cogyard.instances.director import Director
from cogyard.ports import Bus, Clock, Figures

FIRST_REST = timedelta(seconds=5)
LONGEST_REST = timedelta(minutes=5)
"""How long a queue whose instance failed is left alone; each time twice as long as the time before."""

SOUND_AFTER = timedelta(seconds=5)
"""What dies so long after it was ready did not fail: what keeps it warm starts the next one at once."""

MEASURED_EVERY = 1.0
"""Seconds between two looks at the memory of instances."""


class LocalPlacement:
    """The placement of one machine. `make_director` builds a director for an instance; their tasks live here."""

    def __init__(
        self,
        make_director: Callable[[Instance], Awaitable[Director]],
        bus: Bus,
        clock: Clock,
        new_instance_id: Callable[[], InstanceId],
    ) -> None:
        self._make_director = make_director
        self._bus = bus
        self._clock = clock
        self._new_instance_id = new_instance_id
        self._directors: dict[InstanceId, Director] = {}
        self._lives: dict[InstanceId, asyncio.Task[None]] = {}
        self._rests: dict[QueueId, Rest] = {}
        #: whose end is not stored yet, since a full disk broke them, and how that is told
        self._unsettled: dict[InstanceId, tuple[Director, str]] = {}
        #: since they were last asked for: predictions of a queue, and the seconds that they ran
        self._runs: dict[QueueId, tuple[int, float]] = {}
        self._log = structlog.get_logger()

    async def start(self, queue: QueueId, share: Share, reason: str) -> InstanceId:
        """See `ports.Placement`."""
        instance = Instance(
            id=self._new_instance_id(),
            queue=queue,
            state=InstanceState.setting_up,
            created_at=self._clock.now(),
            reason=reason,
            share=share,
        )
        director = await self._make_director(instance)
        self._directors[instance.id] = director
        self._lives[instance.id] = asyncio.create_task(self._live(director), name=f"director {instance.id}")
        self._log.info("instance.starting", instance=instance.id, queue=queue[:40], reason=reason)
        return instance.id

    async def stop(self, instance: InstanceId, reason: str) -> None:
        """See `ports.Placement`."""
        director = self._directors.get(instance)
        if director is not None:
            director.stop(reason)

    def instances(self) -> Sequence[Instance]:
        """See `ports.Placement`."""
        return [director.instance for director in self._directors.values()]

    def figures(self) -> Mapping[InstanceId, Figures]:
        """See `ports.Placement`."""
        return {instance: director.figures() for instance, director in self._directors.items()}

    def rests(self) -> Mapping[QueueId, Rest]:
        """See `ports.Placement`."""
        now = self._clock.now()
        # after as long again nothing is held against it any more
        self._rests = {
            queue: rest for queue, rest in self._rests.items() if now < rest.until + _rest_after(rest.failures)
        }
        return self._rests

    def take_runs(self) -> Sequence[tuple[QueueId, int, float]]:
        """See `ports.Placement`."""
        for director in self._directors.values():
            self._note_runs(director)
        taken, self._runs = self._runs, {}
        return [(queue, runs, seconds) for queue, (runs, seconds) in taken.items() if runs]

    async def run(self) -> None:
        """Measure how much memory instances use, and see to it that each end is stored, until cancelled."""
        while True:
            for director in list(self._directors.values()):
                director.measure()
            await self._settle()
            await asyncio.sleep(MEASURED_EVERY)

    async def close(self) -> None:
        """Stop every instance, each with its grace, and wait for the end."""
        for director in self._directors.values():
            director.stop("the server is stopping", hurry=True)
        if self._lives:
            await asyncio.wait(self._lives.values())

    async def _live(self, director: Director) -> None:
        instance, broken = director.instance.id, "it broke; the server's log says how"
        try:
            await director.run()
            broken = ""
        except CogyardError as fault:  # a full disk, mostly: it is tried again, but not at once
            broken = str(fault)
            self._log.error("instance.broken", instance=instance, error=broken)
        except Exception:
            self._log.exception("instance.broken", instance=instance)
            raise
        finally:
            self._note_end(director, broken)
            self._note_runs(director)
            if broken:
                self._unsettled[instance] = director, broken
            del self._directors[instance]
            del self._lives[instance]
            self._bus.publish(("instances", instance))

    async def _settle(self) -> None:
        for instance, (director, reason) in list(self._unsettled.items()):
            with suppress(CogyardError):  # there is no room yet
                await director.settle(reason)
                del self._unsettled[instance]

    def _note_runs(self, director: Director) -> None:
        queue, (runs, seconds) = director.instance.queue, director.take_runs()
        before = self._runs.get(queue, (0, 0.0))
        self._runs[queue] = before[0] + runs, before[1] + seconds

    def _note_end(self, director: Director, broken: str) -> None:
        """One that had served for a while tells nothing against the next; `broken` names a fault of ours."""
        instance, now = director.instance, self._clock.now()
        is_old = instance.ready_at is not None and now - instance.ready_at >= SOUND_AFTER
        was_sound = (
            is_old or director.has_claimed
        )  # what a prediction does to it is that prediction's, which is counted
        if broken or (instance.state is InstanceState.failed and not was_sound):
            before = self.rests().get(instance.queue)
            failures = 1 if before is None else before.failures + 1
            self._rests[instance.queue] = Rest(
                failures=failures, until=now + _rest_after(failures), reason=broken or instance.reason or "unknown"
            )
        elif instance.ready_at is not None:
            self._rests.pop(instance.queue, None)


def _rest_after(failures: int) -> timedelta:
    return min(FIRST_REST * float(2 ** min(failures - 1, 20)), LONGEST_REST)
