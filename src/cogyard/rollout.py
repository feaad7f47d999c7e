"""Brings deployments from one release to the next, and back when the next one's setup fails (`domain.rollout`)."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from cogyard.domain.audit import Act
from cogyard.domain.deployment import Deployment
from cogyard.domain.errors import CogyardError
from cogyard.domain.instance import Instance
from cogyard.domain.queue import deployment_of
from cogyard.domain.rollout import PATIENCE, Failure, RollBack, answer, is_given_up, is_up
from cogyard.domain.values import NO_TOKEN, JsonObject, QueueId
from cogyard.endings import cancel_all
from cogyard.ports import AuditStore, Bus, Clock, Moved, PredictionFilter, PredictionStore, RolloutStore

SAFETY_POLL = 1.0
"""Seconds after which instances are looked at without a notice, since notices may be lost."""

_OK, _OVERTAKEN = 200, 409
"""How an act is noted that was done, and one that a caller's own release came before."""


class Registry(RolloutStore, PredictionStore, AuditStore, Protocol):
    """What this service needs of the store."""


class Rollout:
    """Which release of a deployment serves."""

    def __init__(self, store: Registry, bus: Bus, clock: Clock, instances: Callable[[], Sequence[Instance]]) -> None:
        """`instances` are those that are not over, as they are now."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._instances = instances
        #: when the queue of a release that is to come last had an instance, or was first looked at
        self._seen: dict[QueueId, datetime] = {}
        self._log = structlog.get_logger()

    async def run(self) -> None:
        """Until cancelled."""
        await self._end_disabled()
        with self._bus.listen(("instances", "*")) as changed:
            while True:
                try:
                    await self.look()
                except CogyardError as fault:
                    self._log.error("rollout.failed", error=str(fault))
                await changed.wait(SAFETY_POLL)

    async def look(self) -> None:
        """Let each release serve that is set up, or for which there is no room beside the former one."""
        instances, now = self._instances(), self._clock.now()
        there = {instance.queue for instance in instances}
        rolling = await self._store.rolling_deployments()
        queues = [deployment.next_queue for deployment in rolling]
        self._seen = {queue: now if queue in there else self._seen.get(queue, now) for queue in queues}
        for deployment in rolling:
            queue, number = deployment.next_queue, deployment.current.number
            is_ready = is_up(queue, instances)
            if not is_ready and not await self._is_given_up(deployment, now - self._seen[queue]):
                continue
            if await self._store.finish_roll(deployment.id, number):
                self._log.info("release.serves", deployment=deployment.full_name, release=number, is_ready=is_ready)
                self._bus.publish(("queue", queue))

    async def _is_given_up(self, deployment: Deployment, absent: timedelta) -> bool:
        standing = await self._store.standing(deployment.id) if absent >= PATIENCE else None
        return standing is not None and is_given_up(standing, absent)

    async def setup_failed(self, queue: QueueId, reason: str, *, died: bool = False) -> bool:
        """Answer the failed setup of an instance; True when what waited in its queue waits elsewhere now.

        A release of which nothing came up is rolled back by itself. `died` is as in `SetupFailed`.
        """
        deployment = deployment_of(queue)
        if deployment is None:
            return False
        while True:
            standing = await self._store.standing(deployment)
            if standing is None:
                return False
            follows = answer(standing, Failure(queue=queue, reason=reason, at=self._clock.now(), died=died))
            if follows is None:
                return False
            if isinstance(follows, RollBack):
                moved = await self._roll_back(standing.deployment, queue, follows)
            else:
                moved = await self._store.settle_failure(standing.deployment, queue, follows)
            if moved is not None:
                self._tell(moved)
                return True

    async def _roll_back(self, deployment: Deployment, queue: QueueId, follows: RollBack) -> Moved | None:
        """As the log of administrative acts has it, by the server in the name of who made the failed release."""
        before, after = deployment.current, follows.release
        act = Act(
            at=after.created_at,
            account=after.created_by.id,
            token=NO_TOKEN,
            token_name="",
            address=None,
            action="deployments.rollback",
            target=f"/v1/deployments/{deployment.full_name}/rollback",
        )
        number = await self._store.begin_act(act)
        moved = await self._store.settle_failure(deployment, queue, follows)
        details: JsonObject = {
            "before": {"number": before.number, "version": before.version},
            "after": {"number": after.number, "version": after.version, "note": after.note},
        }
        await self._store.end_act(number, _OVERTAKEN if moved is None else _OK, details)
        if moved is not None:
            self._log.warning("release.rolled_back", deployment=deployment.full_name, note=after.note)
        return moved

    def _tell(self, moved: Moved) -> None:
        self._bus.publish(("queue", moved.queue))
        for prediction in moved.predictions:
            self._bus.publish(("prediction", prediction))

    async def _end_disabled(self) -> None:
        """Cancel what a server that was killed in between left on deployments that were disabled."""
        for name in await self._store.disabled_deployments():
            wanted = PredictionFilter(account=None, kind=None, deployment=name, is_unfinished=True)
            await cancel_all(self._store, self._bus, self._clock, wanted)
