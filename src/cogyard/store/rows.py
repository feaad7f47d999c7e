"""Rows into domain values and back, once for every dialect."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import RowMapping

from cogyard.domain.account import Account, AccountKind, Role, Scope, Token, in_order
from cogyard.domain.batching import Batch
from cogyard.domain.catalog import BuildConfig, Model, Price, Version, Visibility
from cogyard.domain.deployment import Deployment, Release
from cogyard.domain.file import Content, File, FileKind
from cogyard.domain.hardware import Share
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.prediction import Prediction, PredictionKind, Status, StreamKind
from cogyard.domain.webhook import Delivery, DeliveryState, WebhookEvent

Values = dict[str, Any]
"""Column values by column name."""


def to_account(row: RowMapping) -> Account:
    """An account."""
    fields = {name: row[name] for name in Account.__dataclass_fields__ if name not in ("kind", "role")}
    return Account(kind=AccountKind(row["kind"]), role=Role(row["role"]), **fields)


def to_token(row: RowMapping) -> Token:
    """A token's record."""
    fields = {name: row[name] for name in Token.__dataclass_fields__ if name not in ("scopes", "models")}
    scopes, models = row["scopes"], row["models"]
    return Token(
        scopes=frozenset(Scope) if scopes is None else frozenset(Scope(scope) for scope in scopes),
        models=None if models is None else frozenset(models),
        **fields,
    )


def from_token(token: Token) -> Values:
    """A token's columns, but `id` and what is known of its secret."""
    fields = {name: getattr(token, name) for name in Token.__dataclass_fields__ if name not in ("id", "prefix")}
    is_for_all = token.scopes == frozenset(Scope)
    fields["scopes"] = None if is_for_all else [scope.value for scope in in_order(token.scopes)]
    fields["models"] = None if token.models is None else sorted(token.models)
    return fields


def to_model(row: RowMapping) -> Model:
    """A model."""
    names = [name for name in Model.__dataclass_fields__ if name not in ("visibility", "tags", "price", "settings")]
    return Model(
        visibility=Visibility(row["visibility"]),
        tags=tuple(row["tags"] or ()),
        settings=row["settings"] or {},
        price=None if row["price"] is None else Price(**row["price"]),
        **{name: row[name] for name in names},
    )


def from_model(model: Model) -> Values:
    """A model's columns, but `id` and those that other commands keep (`run_count`, the latest version, the mark)."""
    fields = asdict(model)
    for name in ("id", "run_count", "latest_version", "secrets_mark"):
        del fields[name]
    more = {"visibility": model.visibility.value, "key": model.full_name.lower(), "tags": list(model.tags)}
    return {**fields, **more}


def to_version(row: RowMapping) -> Version:
    """A version."""
    fields = {
        name: row[name]
        for name in ("id", "created_at", "cog_version", "openapi_schema", "source_digest", "environment_digest")
    }
    config, batch = row["config"], row["config"].get("batch")  # versions of older releases have none
    held = None if batch is None else Batch(**batch)
    return Version(config=BuildConfig(**{**config, "batch": held}), **fields)


def from_version(version: Version) -> Values:
    """A version's columns."""
    return {name: value for name, value in asdict(version).items() if name != "config"} | {
        "config": asdict(version.config)
    }


_OTHERWISE = ("lease_until", "output_files", "webhook_events_filter", "secret_inputs")


def to_prediction(row: RowMapping) -> Prediction:
    """A prediction as its row has it, without its chunks."""
    fields = {name: row[name] for name in row if name not in _OTHERWISE}
    events, stream = row["webhook_events_filter"], row["stream_kind"]
    fields["status"] = Status(row["status"])
    fields["kind"] = PredictionKind(row["kind"])
    fields["stream_kind"] = None if stream is None else StreamKind(stream)
    return Prediction(
        **fields,
        output_files=row["output_files"] or {},
        webhook_events_filter=None if events is None else tuple(events),
        secret_inputs=tuple(row["secret_inputs"] or ()),
    )


def from_prediction(prediction: Prediction) -> Values:
    """A prediction's columns, but `sequence`."""
    names = [name for name in Prediction.__dataclass_fields__ if name != "sequence"]
    fields = {name: getattr(prediction, name) for name in names}
    events = prediction.webhook_events_filter
    fields["status"] = prediction.status.value
    fields["kind"] = prediction.kind.value
    fields["stream_kind"] = None if prediction.stream_kind is None else prediction.stream_kind.value
    fields["output_files"] = dict(prediction.output_files) or None
    fields["webhook_events_filter"] = None if events is None else list(events)
    fields["secret_inputs"] = list(prediction.secret_inputs) or None
    return fields


def to_instance(row: RowMapping) -> Instance:
    """An instance."""
    fields = {name: row[name] for name in Instance.__dataclass_fields__ if name not in ("state", "share")}
    share = row["share"]
    held = Share() if share is None else Share(**{**share, "gpus": tuple(share["gpus"])})
    return Instance(state=InstanceState(row["state"]), share=held, **fields)


def to_deployment(row: RowMapping, created_by: Account, former: Release | None) -> Deployment:
    """A deployment, of its row joined with that of its current release, and of the one that still serves."""
    names = ("account", "owner", "name", "used_at", "secrets_mark")
    return Deployment(
        id=row["deployment_id"],
        created_at=row["deployment_created_at"],
        current=to_release(row, created_by),
        former=former,
        **{name: row[name] for name in names},
    )


def to_release(row: RowMapping, created_by: Account) -> Release:
    """A release."""
    names = [name for name in Release.__dataclass_fields__ if name != "created_by"]
    return Release(created_by=created_by, **{name: row[name] for name in names})


def from_release(release: Release) -> Values:
    """A release's columns, but `deployment`."""
    return {**asdict(release), "created_by": release.created_by.id}


def to_delivery(row: RowMapping) -> Delivery:
    """A delivery."""
    fields = {name: row[name] for name in Delivery.__dataclass_fields__}
    return Delivery(**{**fields, "event": WebhookEvent(row["event"]), "state": DeliveryState(row["state"])})


def from_delivery(delivery: Delivery) -> Values:
    """A delivery's columns, but `number`."""
    return {**asdict(delivery), "event": delivery.event.value, "state": delivery.state.value}


def from_instance(instance: Instance) -> Values:
    """An instance's columns."""
    return {**asdict(instance), "state": instance.state.value}


def to_file(row: RowMapping) -> File:
    """A file's record."""
    names = ("id", "account", "name", "content_type", "created_at", "expires_at", "prediction", "metadata")
    content = Content(size=row["size"], sha256=row["sha256"], md5=row["md5"])
    return File(kind=FileKind(row["kind"]), content=content, **{name: row[name] for name in names})


def from_file(file: File) -> Values:
    """A file's columns."""
    fields = asdict(file)
    content = fields.pop("content")
    return {**fields, **content, "kind": file.kind.value}
