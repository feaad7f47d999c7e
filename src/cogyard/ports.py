"""The seams, as Protocols: what the house needs of a store, a bus, files, a runtime, a placement, a clock.

Each has an embedded implementation (one machine, no services) and leaves room for one that spans machines;
`wiring` alone knows which is in use. A user of a seam asks for the narrowest Protocol that serves it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from cogyard.domain.catalog import Account, AccountKind, BuildConfig, Model, Token, Version
from cogyard.domain.file import Content, File
from cogyard.domain.instance import Instance
from cogyard.domain.prediction import Prediction
from cogyard.domain.schedule import Demand
from cogyard.domain.values import (
    AccountId,
    FileId,
    InstanceId,
    JsonObject,
    ModelId,
    PredictionId,
    TokenId,
    VersionId,
)

T_co = TypeVar("T_co", covariant=True)

# --- clock --------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """The time now, aware, in UTC."""
        ...


# --- bus ----------------------------------------------------------------------------------------------------------

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


# --- store --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """Rows in order, with the sort keys before and after them (None at the ends)."""

    items: Sequence[T_co]
    next: int | None = None
    previous: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """Which rows: those after `cursor` in the list's order, or before it when `reverse`; at most `limit`."""

    limit: int
    cursor: int | None = None
    reverse: bool = False


class AccountStore(Protocol):
    """Accounts and tokens."""

    async def create_account(
        self, username: str, kind: AccountKind, name: str, at: datetime, *, is_admin: bool
    ) -> Account:
        """A new account. Raises `Conflict` when the username is taken (letter case does not tell names apart)."""
        ...

    async def get_account(self, username: str) -> Account | None:
        """The account of that name, in any letter case."""
        ...

    async def create_token(self, account: AccountId, name: str, secret: str, at: datetime) -> Token:
        """Record a token by the hash of its secret; recording one that exists enables it and returns it."""
        ...

    async def find_token(self, secret: str) -> tuple[Token, Account] | None:
        """Who bears this secret; None when unknown or disabled."""
        ...

    async def list_tokens(self, account: AccountId) -> Sequence[Token]:
        """The account's tokens, newest first, disabled ones too."""
        ...

    async def disable_token(self, account: AccountId, token: TokenId, at: datetime) -> Token | None:
        """Disable one; None when the account has no such token."""
        ...


class CatalogStore(Protocol):
    """Models and versions."""

    async def create_model(self, model: Model) -> Model:
        """Store a new model (its `id` is ignored). Raises `Conflict` when owner/name is taken, in any letter case."""
        ...

    async def get_model(self, owner: str, name: str) -> Model | None:
        """The model of that name, in any letter case, whoever may see it."""
        ...

    async def update_model(self, model: Model) -> None:
        """Store the changed fields of a model: everything but `id`, `run_count` and `latest_version`."""
        ...

    async def list_models(self, viewer: AccountId | None, page: PageRequest) -> Page[Model]:
        """Public models that have a version, and the viewer's own; newest latest version first."""
        ...

    async def add_version(self, model: ModelId, version: Version) -> bool:
        """Add a version to a model and make it the latest; False when the model has it (it is the latest again)."""
        ...

    async def get_version(self, version: VersionId) -> Version | None:
        """A version by its id, whichever models have it."""
        ...

    async def get_model_version(self, model: ModelId, version: VersionId) -> Version | None:
        """A version of this model."""
        ...

    async def list_versions(self, model: ModelId, page: PageRequest) -> Page[Version]:
        """The model's versions, newest first."""
        ...

    async def models_of_version(self, version: VersionId) -> Sequence[Model]:
        """The models that have this version, the first to have it first."""
        ...

    async def add_example(self, model: ModelId, prediction: PredictionId) -> None:
        """Keep a prediction as an example of a model, with its files for ever; the first one becomes the default."""
        ...

    async def list_examples(self, model: ModelId) -> Sequence[Prediction]:
        """The model's examples, the default one first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionFilter:
    """Which predictions a list holds; `created_after` is inclusive, `created_before` exclusive."""

    account: AccountId
    created_after: datetime | None = None
    created_before: datetime | None = None
    source: str | None = None


class PredictionStore(Protocol):
    """Predictions as callers see them. What a method has returned from is on disk."""

    async def create_prediction(self, prediction: Prediction) -> Prediction:
        """Store a new prediction, and count a run of its model; returns it with its `sequence`."""
        ...

    async def get_prediction(self, prediction: PredictionId) -> Prediction | None:
        """A prediction with all the output and logs that are stored so far."""
        ...

    async def list_predictions(self, wanted: PredictionFilter, page: PageRequest) -> Page[Prediction]:
        """Newest first."""
        ...

    async def request_cancel(self, prediction: PredictionId, at: datetime) -> Prediction | None:
        """Apply `CancelRequested` in one transaction; the prediction after it, None when there is none."""
        ...


class ClaimStore(Protocol):
    """The queue: predictions that are `starting` and unclaimed, oldest first for each version."""

    async def demand(self) -> Sequence[Demand]:
        """What waits, by version."""
        ...

    async def claim(
        self, version: VersionId, instance: InstanceId, lease: timedelta, at: datetime
    ) -> Prediction | None:
        """Claim the version's oldest waiting prediction: sets `claimed_by`, raises `epoch`; None when none waits."""
        ...

    async def extend(self, instance: InstanceId, lease: timedelta, at: datetime) -> None:
        """Lengthen every claim of the instance to `at + lease`."""
        ...

    async def record(self, before: Prediction, after: Prediction) -> bool:
        """Store the step from `before` to `after`, two values of one claimed prediction.

        False, and nothing stored, when the prediction has ended or its epoch is no longer `before.epoch`.
        """
        ...

    async def claimed(
        self, *, instance: InstanceId | None = None, expired_at: datetime | None = None
    ) -> Sequence[Prediction]:
        """Claimed predictions: those of an instance, or those whose lease had run out at `expired_at`, or all."""
        ...

    async def waiting(self, version: VersionId) -> Sequence[Prediction]:
        """Unclaimed, unfinished predictions of the version, oldest first."""
        ...


class InstanceStore(Protocol):
    """Instances, so that a restarted server finds what it left running."""

    async def save_instance(self, instance: Instance) -> None:
        """Insert or replace."""
        ...

    async def list_instances(self, *, include_over: bool = False) -> Sequence[Instance]:
        """Instances that are not over, oldest first; with `include_over` the others too."""
        ...


class FileStore(Protocol):
    """The records of files; their bytes are with `Files`."""

    async def create_file(self, file: File) -> None:
        """Record a file whose bytes are stored."""
        ...

    async def get_file(self, file: FileId) -> File | None:
        """The record."""
        ...

    async def list_files(self, account: AccountId, page: PageRequest) -> Page[File]:
        """The account's uploads, newest first."""
        ...

    async def delete_file(self, file: FileId) -> bool:
        """Forget the record; False when there was none."""
        ...

    async def expired_files(self, at: datetime, limit: int) -> Sequence[File]:
        """Files whose time had come at `at`."""
        ...


class SecretStore(Protocol):
    """Keys that the server made for itself."""

    async def get_secret(self, name: str, make: Callable[[], str]) -> str:
        """The secret of that name, made by `make` the first time."""
        ...


class Store(AccountStore, CatalogStore, PredictionStore, ClaimStore, InstanceStore, FileStore, SecretStore, Protocol):
    """All of it: what `wiring` opens and hands out in parts."""

    async def close(self) -> None:
        """Finish what is queued and close the connections."""
        ...


# --- files --------------------------------------------------------------------------------------------------------


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


# --- runtime ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start a Cog server: the command, the whole environment (nothing is inherited), the working folder."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path


class Runtime(Protocol):
    """Turns a version into something startable."""

    def launch(self, version: Version, *, scratch: Path, port: int, nonce: str, train: bool = False) -> Launch:
        """How to start a Cog server for the version on a loopback port; `nonce` marks what its wrapper says."""
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


class Builder(Protocol):
    """Makes versions of pushed folders."""

    async def build(self, archive: Path, report: Callable[[BuildLine], Awaitable[None]]) -> Built:
        """Build a version from a packed folder (tar, gzip).

        `report` is awaited for each line. Raises `BuildFailed`, `StorageFull`; then nothing of the build is left.
        Building the same folder again is quick and gives the same version.
        """
        ...


# --- placement ----------------------------------------------------------------------------------------------------


class Placement(Protocol):
    """Starts and stops instances where there is room."""

    async def start(self, version: VersionId) -> InstanceId:
        """Begin to start an instance; returns once its record is stored."""
        ...

    async def stop(self, instance: InstanceId, reason: str) -> None:
        """Drain and stop it; returns at once, and does nothing when it is over."""
        ...

    def instances(self) -> Sequence[Instance]:
        """The instances that are not over, as they are now."""
        ...
