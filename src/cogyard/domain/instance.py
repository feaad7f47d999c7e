"""The record of one Cog server.

setting_up ──► idle ⇄ active ──► stopping ──► stopped
    └────────────┴───────┴───────────┴──────► failed      (it died, or setup did not end well)
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cogyard.domain.hardware import Share
from cogyard.domain.queue import version_of
from cogyard.domain.values import InstanceId, JsonObject, QueueId, VersionId

RESTARTED = "the server was restarted"
"""Why an instance failed that was there when its server died: it tells nothing against the version."""


class InstanceState(StrEnum):
    """Where in its life an instance is."""

    setting_up = "setting_up"
    idle = "idle"
    active = "active"
    stopping = "stopping"
    stopped = "stopped"
    failed = "failed"

    @property
    def is_over(self) -> bool:
        """Whether its processes are gone for good."""
        return self in (InstanceState.stopped, InstanceState.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One Cog server for the version of one queue.

    `pid` and `pid_started` together name its process group across reboots.
    """

    id: InstanceId
    queue: QueueId
    state: InstanceState
    created_at: datetime
    slots: int = 1
    pid: int | None = None
    #: the kernel's start time of `pid`, so that a pid that was given out again is not taken for ours
    pid_started: float | None = None
    ready_at: datetime | None = None
    #: since when it has had nothing to do; None unless idle
    idle_since: datetime | None = None
    ended_at: datetime | None = None
    #: why it was started; from `stopping` on, why it is stopped or how it failed
    reason: str | None = None
    setup_logs: str = ""
    #: its part of the machine
    share: Share = field(default_factory=Share)
    #: seconds that each phase of its boot took (`spawn`, `import`, `setup`), once it is ready
    boot: JsonObject | None = None
    #: the most bytes of memory that it has used
    peak_memory: int = 0

    @property
    def version(self) -> VersionId:
        """What it runs."""
        return version_of(self.queue)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceEvent:
    """A step of an instance's life: the state that it came into, when, and why."""

    instance: InstanceId
    at: datetime
    state: InstanceState
    reason: str | None = None
