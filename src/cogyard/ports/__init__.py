"""The seams, as Protocols: what the house needs of a store, a bus, files, a runtime, a placement, a clock.

Each has an embedded implementation (one machine, no services) and leaves room for one that spans machines;
`wiring` alone knows which is in use. A user of a seam asks for the narrowest Protocol that serves it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cogyard.domain.batching import Batch
from cogyard.domain.catalog import BuildConfig, Version
from cogyard.domain.file import Content
from cogyard.domain.hardware import Share
from cogyard.domain.instance import Instance
from cogyard.domain.meaning import Vector
from cogyard.domain.schedule import Rest
from cogyard.domain.values import FileId, InstanceId, JsonObject, PredictionId, QueueId, VersionId
from cogyard.ports.accounts import AccountStore, AuditStore, Holdings, TokenStore
from cogyard.ports.catalog import (
    CatalogStore,
    CollectionStore,
    DeploymentStore,
    ModelOrder,
    Moved,
    RolloutStore,
    VectorStore,
    VersionUsers,
)
from cogyard.ports.instances import Arrival, InstanceStore
from cogyard.ports.overview import OverviewStore, QueueUsers, Running, Waiting
from cogyard.ports.paging import Page, PageKey, PageRequest
from cogyard.ports.predictions import (
    ClaimStore,
    DeliveryStore,
    FileStore,
    Once,
    PredictionFilter,
    PredictionStore,
    SecretStore,
    TimeStore,
)
from cogyard.ports.secrets import SealedStore, Vault
from cogyard.ports.usage import BudgetStore, MeterStore, UsageQuery, UsageStore, UsageSum

__all__ = [
    "AccountStore",
    "Allowance",
    "Arrival",
    "AuditStore",
    "BudgetStore",
    "BuildLine",
    "Builder",
    "Built",
    "Bus",
    "CatalogStore",
    "ClaimStore",
    "Clock",
    "CollectionStore",
    "DeliveryStore",
    "DeploymentStore",
    "Embedder",
    "Figures",
    "FileStore",
    "Files",
    "Holdings",
    "InstanceStore",
    "Launch",
    "Limiter",
    "Listener",
    "MeterStore",
    "ModelOrder",
    "Moved",
    "Once",
    "OverviewStore",
    "Packed",
    "Page",
    "PageKey",
    "PageRequest",
    "Place",
    "Placement",
    "PredictionFilter",
    "PredictionStore",
    "QueueUsers",
    "Rate",
    "RolloutStore",
    "Running",
    "Runtime",
    "SealedStore",
    "SecretStore",
    "Store",
    "TimeStore",
    "TokenStore",
    "Topic",
    "UsageQuery",
    "UsageStore",
    "UsageSum",
    "Vault",
    "VectorStore",
    "VersionUsers",
    "Waiting",
]

# --- clock ----------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """The time now, aware, in UTC."""
        ...


# --- limits -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests of one kind a minute; a full minute's worth may come at once."""

    name: str
    per_minute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """Whether a request may go on, how many more may, and otherwise in how many seconds one may."""

    is_allowed: bool
    remaining: int
    wait: float


class Limiter(Protocol):
    """Counts requests. The counters of several servers may stand in one place."""

    def take(self, claims: Sequence[tuple[str, Rate]]) -> Allowance:
        """Count one request for each of several (who, rate); none of them, when one has no room for it.

        The allowance is that of the claim with the least left.
        """
        ...


# --- bus ------------------------------------------------------------------------------------------------------------

Topic = tuple[str, str]
"""What a notice is about: a kind (`prediction`, `queue`, `cancel`, `instances`) and an id, or `*`."""


class Listener(Protocol):
    """A standing interest in one topic."""

    async def wait(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - callers decide nothing else
        """Wait for a notice that came since the last `wait`; False when `timeout` seconds went by without one."""
        ...


class Bus(Protocol):
    """Tells listeners that something may have changed. Notices carry no data, may be lost and may coalesce."""

    def publish(self, topic: Topic) -> None:
        """Wake the topic's listeners, and those of `(kind, "*")`."""
        ...

    def listen(self, topic: Topic) -> AbstractContextManager[Listener]:
        """Listen from now on, until the context ends."""
        ...


# --- store ----------------------------------------------------------------------------------------------------------


class Embedder(Protocol):
    """Makes vectors of texts."""

    async def embed_question(self, text: str) -> tuple[VersionId, Vector] | None:
        """A question's vector and what made it; None when it is not to be had soon enough to wait for it."""
        ...


class Store(
    AccountStore,
    TokenStore,
    AuditStore,
    CatalogStore,
    VectorStore,
    CollectionStore,
    DeploymentStore,
    RolloutStore,
    PredictionStore,
    ClaimStore,
    TimeStore,
    DeliveryStore,
    InstanceStore,
    OverviewStore,
    FileStore,
    SecretStore,
    SealedStore,
    UsageStore,
    MeterStore,
    BudgetStore,
    Protocol,
):
    """All of it: what `wiring` opens and hands out in parts."""

    async def close(self) -> None:
        """Finish what is queued and close the connections."""
        ...


# --- files ----------------------------------------------------------------------------------------------------------


class Files(Protocol):
    """File contents, by id."""

    async def put(self, file: FileId, chunks: AsyncIterator[bytes], limit_bytes: int) -> Content:
        """Store a stream. Raises `TooLarge` past the limit and `StorageFull`; nothing is left of either."""
        ...

    async def adopt(self, file: FileId, path: Path) -> Content:
        """Take over a local file: it is moved when that is possible. Raises `StorageFull`."""
        ...

    async def local_path(self, file: FileId) -> Path | None:
        """A path of this machine that holds the bytes, to be read only; None when they are gone."""
        ...

    async def delete(self, file: FileId) -> None:
        """Remove the bytes; it is no error when they are gone."""
        ...


# --- runtime --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start a Cog server: the command, the whole environment (nothing is inherited), the working folder.

    `share` is the part of the machine that its processes may use.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    share: Share = field(default_factory=Share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one Cog server is to run.

    `scratch` is its own folder, `cache` one that outlives it and that the version's instances share; it listens on a
    loopback `port`, and `nonce` marks what its wrapper says.
    """

    scratch: Path
    cache: Path
    port: int
    nonce: str
    share: Share


class Runtime(Protocol):
    """Turns a version into something startable."""

    def launch(
        self,
        version: Version,
        place: Place,
        *,
        train: bool = False,
        weights: Path | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> Launch:
        """How to start a Cog server for the version there.

        `secrets` join its environment, where they do not change how the server runs it.
        """
        ...


@dataclass(frozen=True, slots=True)
class BuildLine:
    """A line of a build's log. `step` is one of `source`, `schema`, `environment`, `run`, `version`."""

    step: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a build made: all of a `Version` but its time, and what the folder says of the model."""

    version: VersionId
    cog_version: str
    openapi_schema: JsonObject
    config: BuildConfig
    source_digest: str
    environment_digest: str
    readme: str | None = None
    metadata: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Packed:
    """A folder as it is pushed."""

    #: tar, gzip
    archive: Path
    #: in place of what the folder declares
    batch: Batch | None = None


class Builder(Protocol):
    """Makes versions of pushed folders."""

    async def build(self, packed: Packed, report: Callable[[BuildLine], Awaitable[None]]) -> Built:
        """Build a version from a packed folder.

        `report` is awaited for each line. Raises `BuildFailed`, `StorageFull`; then nothing of the build is left.
        Building the same folder again is quick and gives the same version.
        """
        ...

    async def with_weights(self, base: Version, version: VersionId, weights: FileId, at: datetime) -> Version:
        """A version that runs as `base` does, with a stored file as its weights."""
        ...

    async def discard(self, version: VersionId) -> None:
        """Remove what was kept of a version that no model has any more."""
        ...


# --- placement ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How an instance is doing: bytes of memory, and what it runs now."""

    memory: int = 0
    predictions: tuple[PredictionId, ...] = ()


class Placement(Protocol):
    """Starts and stops instances where there is room."""

    async def start(self, queue: QueueId, share: Share, reason: str) -> InstanceId:
        """Begin to start an instance on that share of the machine. `reason` is for people."""
        ...

    async def stop(self, instance: InstanceId, reason: str) -> None:
        """Drain and stop it; returns at once, and does nothing when it is over."""
        ...

    def instances(self) -> Sequence[Instance]:
        """The instances that are not over, as they are now."""
        ...

    def figures(self) -> Mapping[InstanceId, Figures]:
        """How each of them is doing."""
        ...

    def rests(self) -> Mapping[QueueId, Rest]:
        """Queues whose instances failed lately, and which are left alone for a while."""
        ...

    def take_runs(self) -> Sequence[tuple[QueueId, int, float]]:
        """What ended since this was last asked: so many predictions of a queue, and how many seconds they ran."""
        ...
