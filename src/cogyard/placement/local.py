"""Directors as tasks of this server, their Cog servers as its supervised child processes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.values import InstanceId, VersionId
from cogyard.instances.director import Director
from cogyard.ports import Bus, Clock, InstanceStore


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
        self._log = structlog.get_logger()

    async def start(self, version: VersionId) -> InstanceId:
        """Begin to start an instance; returns once its record is stored."""
        instance = Instance(
            id=self._new_instance_id(),
            version=version,
            state=InstanceState.setting_up,
            created_at=self._clock.now(),
        )
        director = await self._make_director(instance)
        await self._store.save_instance(director.instance)
        self._directors[instance.id] = director
        self._lives[instance.id] = asyncio.create_task(self._live(director), name=f"director {instance.id}")
        self._log.info("instance.starting", instance=instance.id, version=version[:12])
        return instance.id

    async def stop(self, instance: InstanceId, reason: str) -> None:
        """Drain and stop it; returns at once, and does nothing when it is over."""
        director = self._directors.get(instance)
        if director is not None:
            director.stop(reason)

    def instances(self) -> Sequence[Instance]:
        """The instances that are not over, as they are now."""
        return [director.instance for director in self._directors.values()]

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
            del self._directors[instance]
            del self._lives[instance]
            self._bus.publish(("instances", instance))
