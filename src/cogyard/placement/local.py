"""Directors as tasks of this server, their Cog servers as its supervised child processes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import structlog

from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.values import InstanceId, QueueId
from cogyard.instances.director import Director
from cogyard.ports import Bus, Clock, InstanceStore

FIRST_REST = timedelta(seconds=10)
LONGEST_REST = timedelta(minutes=10)
"""How long a queue whose instance failed is left alone, unless somebody waits in it."""

SOUND_AFTER = timedelta(seconds=5)
"""What dies so long after it was ready did not fail: what keeps it warm starts the next one at once."""


class LocalPlacement:
    """The placement of one machine. `make_director` builds a director for a version; `run` owns their tasks."""

    def __init__(
        self,
        make_director: Callable[[Instance], Awaitable[Director]],
        store: InstanceStore,
        bus: Bus,
        clock: Clock,
        new_instance_id: Callable[[], InstanceId],
    ) -> None:
        self._make_director = make_director
        self._store = store
        self._bus = bus
        self._clock = clock
        self._new_instance_id = new_instance_id
        self._directors: dict[InstanceId, Director] = {}
        self._lives: dict[InstanceId, asyncio.Task[None]] = {}
        #: queues whose last instance failed: how often in a row, and when the latest did
        self._failures: dict[QueueId, tuple[int, datetime]] = {}
        self._log = structlog.get_logger()

    async def start(self, queue: QueueId) -> InstanceId:
        """Begin to start an instance; returns once its record is stored."""
        instance = Instance(
            id=self._new_instance_id(),
            queue=queue,
            state=InstanceState.setting_up,
            created_at=self._clock.now(),
        )
        director = await self._make_director(instance)
        await self._store.save_instance(director.instance)
        self._directors[instance.id] = director
        self._lives[instance.id] = asyncio.create_task(self._live(director), name=f"director {instance.id}")
        self._log.info("instance.starting", instance=instance.id, queue=queue[:40])
        return instance.id

    async def stop(self, instance: InstanceId, reason: str) -> None:
        """Drain and stop it; returns at once, and does nothing when it is over."""
        director = self._directors.get(instance)
        if director is not None:
            director.stop(reason)

    def instances(self) -> Sequence[Instance]:
        """The instances that are not over, as they are now."""
        return [director.instance for director in self._directors.values()]

    def resting(self) -> Sequence[QueueId]:
        """Queues whose instances failed lately: ten seconds after the first time, twice as long after each other."""
        now = self._clock.now()
        return [
            queue
            for queue, (times, at) in self._failures.items()
            if now - at < min(FIRST_REST * 2 ** (times - 1), LONGEST_REST)
        ]

    async def close(self) -> None:
        """Stop every instance, each with its grace, and wait for the end."""
        for director in self._directors.values():
            director.stop("the server is stopping")
        if self._lives:
            await asyncio.wait(self._lives.values())

    async def _live(self, director: Director) -> None:
        instance = director.instance.id
        try:
            await director.run()
        except Exception:
            self._log.exception("instance.broken", instance=instance)
            raise
        finally:
            self._note_end(director.instance)
            del self._directors[instance]
            del self._lives[instance]
            self._bus.publish(("instances", instance))

    def _note_end(self, instance: Instance) -> None:
        """One that had served for a while before it died tells nothing against the next."""
        now = self._clock.now()
        was_sound = instance.ready_at is not None and now - instance.ready_at >= SOUND_AFTER
        if instance.state is InstanceState.failed and not was_sound:
            times = self._failures.get(instance.queue, (0, None))[0] + 1
            self._failures[instance.queue] = (min(times, 20), now)
        else:
            self._failures.pop(instance.queue, None)
