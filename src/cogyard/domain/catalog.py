"""Models and versions, and how callers name them."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cogyard.domain.account import Account, Caller
from cogyard.domain.batching import Batch
from cogyard.domain.errors import Forbidden, InvalidRequest
from cogyard.domain.prediction import StreamKind
from cogyard.domain.values import AccountId, FileId, Json, JsonObject, ModelId, PredictionId, VersionId

VERSION_ID = re.compile(r"[0-9a-f]{64}")
_NAME = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?"
NAME = re.compile(_NAME, re.IGNORECASE)
"""What accounts, models and deployments are called."""

_MODEL_NAME = re.compile(rf"({_NAME})/({_NAME})", re.IGNORECASE)


class Visibility(StrEnum):
    """Who sees a model."""

    public = "public"
    private = "private"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one unit of an official model's output costs; `unit` is the metric that counts them (§9.3)."""

    unit: str
    amount: float
    currency: str = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A named thing with versions. `run_count` counts the predictions that were created."""

    id: ModelId
    account: AccountId
    owner: str
    name: str
    created_at: datetime
    visibility: Visibility = Visibility.public
    hardware: str = "cpu"
    description: str | None = None
    github_url: str | None = None
    paper_url: str | None = None
    license_url: str | None = None
    weights_url: str | None = None
    cover_image_url: str | None = None
    readme: str | None = None
    #: what it is for, in a few words of lower case: search finds it by them
    tags: tuple[str, ...] = ()
    #: called by name alone, kept warm, with a schema that does not break its callers
    is_official: bool = False
    price: Price | None = None
    run_count: int = 0
    default_example: PredictionId | None = None
    latest_version: VersionId | None = None
    #: changes with every change of its secrets; None while it has none
    secrets_mark: str | None = None
    #: how its instances are kept; what is not named here is as the server's settings say
    settings: JsonObject = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildConfig:
    """What a Cog server needs to know to run a version: the part of cog.yaml that outlives the build."""

    #: `file.py:Name`, relative to the source folder
    predict: str
    train: str | None = None
    #: predictions at a time in one instance
    concurrency: int = 1
    #: variables that cog.yaml sets for the model
    environment: dict[str, str] = field(default_factory=dict)
    #: the predict function is async, so that a wrapper of the same kind must stand around it
    is_async: bool = False
    gpu: bool = False
    #: a training's result, handed to the model's setup
    weights: FileId | None = None
    #: which queued predictions run together; None where each runs alone
    batch: Batch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An immutable build. Source folder and environment are found by their digests, whichever model they serve."""

    id: VersionId
    created_at: datetime
    cog_version: str
    openapi_schema: JsonObject
    config: BuildConfig
    source_digest: str
    environment_digest: str

    @property
    def is_stream(self) -> bool:
        """Whether the output is an iterator, i.e. a list that grows while the model runs."""
        return self._output().get("x-cog-array-type") == "iterator"

    @property
    def stream_kind(self) -> StreamKind | None:
        """What a stream of it would carry: files wherever it gives files, text where it yields text (§10.4)."""
        output = self._output()
        item = output.get("items") if output.get("type") == "array" else output
        if _is_file(item):
            return StreamKind.files
        is_text = self.is_stream and isinstance(item, dict) and item.get("type") == "string"
        return StreamKind.text if is_text else None

    @property
    def is_trainable(self) -> bool:
        """Whether it has a train function."""
        return self.config.train is not None and bool(component(self.openapi_schema, "TrainingInput"))

    def _output(self) -> JsonObject:
        return component(self.openapi_schema, "Output")


def _is_file(schema: Json) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "string" and schema.get("format") == "uri"


def component(openapi_schema: JsonObject, name: str) -> JsonObject:
    """`components.schemas.<name>` of an OpenAPI document, or `{}` where there is none."""
    components = openapi_schema.get("components")
    schemas = components.get("schemas") if isinstance(components, dict) else None
    found = schemas.get(name) if isinstance(schemas, dict) else None
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """An id that a version has elsewhere: a model's callers may go on using it (`api-contract.md` §4.7, overrides)."""

    id: VersionId
    version: VersionId
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Reference:
    """How a caller names what to run: any of `id`, `owner/name`, `owner/name:id` (`api-contract.md` §5.1)."""

    owner: str | None = None
    name: str | None = None
    version: VersionId | None = None


def parse_reference(text: str) -> Reference | None:
    """The parts of `text`, or None when it has none of the three forms."""
    if VERSION_ID.fullmatch(text):
        return Reference(version=VersionId(text))
    full_name, colon, version = text.partition(":")
    match = _MODEL_NAME.fullmatch(full_name)
    if match is None or (colon and not VERSION_ID.fullmatch(version)):
        return None
    return Reference(match[1], match[2], VersionId(version) if colon else None)


def parse_model_name(text: str) -> tuple[str, str]:
    """`owner/name` → its two parts, as they are.

    Raises `InvalidRequest` with a sentence that says what a name looks like.
    """
    match = _MODEL_NAME.fullmatch(text)
    if match is None:
        raise InvalidRequest(
            f"{text!r} is not a model name. Write owner/name, for example acme/upscaler: letters, digits, '.', '_' "
            "and '-', at most 64 characters each, beginning and ending with a letter or digit."
        )
    return match[1], match[2]


def may_see(caller: Account, model: Model) -> bool:
    """Whether the model exists for the caller."""
    return model.visibility is Visibility.public or may_change(caller, model)


def may_change(caller: Account, model: Model) -> bool:
    """Whether the caller may change the model."""
    return (caller.is_admin or model.account == caller.id) and is_for(caller, model.full_name)


def check_token(caller: Account, model: str) -> None:
    """Raise `Forbidden` when the caller's token is for other models than `owner/name`."""
    if not is_for(caller, model):
        raise Forbidden(f"Your token is not for {model}; it is limited to the models that it was made for.")


def is_for(caller: Account, model: str) -> bool:
    """Whether the caller's token is for the model `owner/name`; an account itself is for every one."""
    return not isinstance(caller, Caller) or caller.is_for(model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Models that belong together, in an order that somebody chose."""

    slug: str
    name: str
    description: str
    full_description: str | None = None


OFFICIAL = Collection(
    slug="official",
    name="Official models",
    description="Models that are always on, keep their inputs and outputs stable, and are called by name.",
)
"""The collection that is always there; its models are the official ones."""
