"""The narrow interface between a director and whatever runs the model: start, submit → events, cancel, stop.

The Cog server (`instances.cog`) is the first driver; a host of our own can stand beside it.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from cogyard.domain.events import Canceled, Failed, Interrupted, Log, Metric, Started, Succeeded
from cogyard.domain.values import Json, JsonObject, PredictionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """Output as it leaves the model: files are still local paths, keyed by their JSON Pointer inside `value`.

    At such a place `value` holds the file's name. The files belong to the receiver, who moves them away.
    """

    value: Json
    paths: Mapping[str, Path] = field(default_factory=dict)


DriverEvent = Started | Produced | Log | Metric | Succeeded | Failed | Canceled | Interrupted
"""What a driver says of one prediction: any number of facts, then exactly one of the last four."""


@dataclass(frozen=True, slots=True)
class Process:
    """The leader of the driver's process group, as the kernel knows it (`started` tells a reused pid apart)."""

    pid: int
    started: float


class Driver(Protocol):
    """One started model. Its life: `start`, any number of `submit` and `cancel`, `stop`."""

    async def start(self, timeout: timedelta) -> str:  # noqa: ASYNC109 - the driver kills the group at the deadline
        """Start the process group and wait until the model is set up; returns what setup printed.

        Raises `SetupFailed`, with the logs, when setup raises, the process ends or `timeout` passes; by then the
        whole process group is gone. Raises `MachineShort` when the machine is at fault.
        """
        ...

    @property
    def process(self) -> Process | None:
        """The process group's leader; None before the start and after the stop."""
        ...

    @property
    def boot(self) -> JsonObject | None:
        """Seconds that each phase of the start took (`spawn`, `import`, `setup`); None where they are not known."""
        ...

    def memory(self) -> int:
        """Bytes of memory that the instance uses now, known to a second or less; 0 when it does not run. Quick."""
        ...

    def submit(
        self, prediction: PredictionId, model_input: JsonObject, paths: Mapping[str, Path]
    ) -> AsyncGenerator[DriverEvent, None]:
        """Run one prediction; `paths` maps JSON Pointers inside `model_input` to the local files that stand there.

        Ends after its terminal event. Closing the iterator early cancels the prediction.
        """
        ...

    async def cancel(self, prediction: PredictionId) -> None:
        """Ask the model to end this prediction; returns at once. One that does not obey in the grace is killed."""
        ...

    async def exited(self) -> str:
        """Wait until the process has ended by itself; returns how (exit code, signal, out of memory)."""
        ...

    async def stop(self) -> None:
        """End the process group: politely, then by force. Safe to call twice, and at any time."""
        ...
