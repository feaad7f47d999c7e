"""The relational schema of models and of what runs, one definition for every dialect.

It repeats the invariants of the domain as constraints. Accounts have their tables in `account_tables`.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

from cogyard.store.columns import Amount, Json, Number, Time, metadata

models = Table(
    "models",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("key", String(130), nullable=False, unique=True),
    Column("account", Number, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("owner", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("visibility", String(16), nullable=False),
    Column("hardware", String(64), nullable=False),
    Column("description", Text),
    Column("github_url", Text),
    Column("paper_url", Text),
    Column("license_url", Text),
    Column("weights_url", Text),
    Column("cover_image_url", Text),
    Column("readme", Text),
    Column("tags", Json),
    Column("is_official", Boolean, nullable=False, server_default=false()),
    Column("price", Json),
    Column("run_count", BigInteger, nullable=False),
    Column("default_example", String(26)),
    Column("latest_version", String(64)),
    #: the number of the latest version in `model_versions`, by which models are listed
    Column("latest_number", BigInteger, index=True),
    #: changes with every change of its secrets; null while it has none
    Column("secrets_mark", String(12)),
    Column("settings", Json),
)

versions = Table(
    "versions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("created_at", Time, nullable=False),
    Column("cog_version", Text, nullable=False),
    Column("openapi_schema", Json, nullable=False),
    Column("config", Json, nullable=False),
    Column("source_digest", String(64), nullable=False),
    Column("environment_digest", String(64), nullable=False),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("model", Number, ForeignKey("models.id"), nullable=False),
    Column("version", String(64), ForeignKey("versions.id"), nullable=False, index=True),
    #: since when this model has it; another model may have had it before
    Column("added_at", Time, nullable=False, server_default="0"),
    UniqueConstraint("model", "version"),
)

#: ids that a version has elsewhere, and that callers may go on using
aliases = Table(
    "aliases",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, index=True),
    Column("model", Number, ForeignKey("models.id"), nullable=False),
    Column("version", String(64), ForeignKey("versions.id"), nullable=False, index=True),
    Column("created_at", Time, nullable=False),
    UniqueConstraint("model", "id"),
)

examples = Table(
    "examples",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("model", Number, ForeignKey("models.id"), nullable=False),
    Column("prediction", String(26), nullable=False),
    UniqueConstraint("model", "prediction"),
)

_ENDED = "status in ('succeeded', 'failed', 'canceled', 'aborted')"
_WAITING = "status = 'starting' and claimed_by is null"

predictions = Table(
    "predictions",
    metadata,
    Column("sequence", Number, primary_key=True, autoincrement=True),
    Column("id", String(26), nullable=False, unique=True),
    Column("account", Number, ForeignKey("accounts.id"), nullable=False),
    Column("model", Text, nullable=False),
    Column("version", String(64), nullable=False),
    Column("queue", String(100), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("deployment", Text),
    Column("destination", Text),
    Column("is_version_hidden", Boolean, nullable=False),
    Column("input", Json, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("deadline", Time),
    Column("status", String(16), nullable=False),
    Column("source", String(16), nullable=False),
    Column("is_stream", Boolean, nullable=False),
    Column("stream_kind", String(8)),
    Column("output", Json),
    Column("output_files", Json),
    Column("error", Text),
    Column("logs", Text, nullable=False),
    Column("metrics", Json, nullable=False),
    Column("started_at", Time),
    Column("completed_at", Time),
    Column("cancel_requested_at", Time),
    Column("attempt", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("claimed_by", String(26)),
    Column("lease_until", Time),
    Column("webhook", Text),
    Column("webhook_events_filter", Json),
    Column("base_url", Text),
    Column("data_removed", Boolean, nullable=False),
    #: names of the inputs that are secret: sealed here until its end
    Column("secret_inputs", Json),
    #: what it is charged by: the token that asked, the hardware, and what a second or a unit costs
    Column("token", Number, nullable=False, server_default="0"),
    Column("hardware", String(64), nullable=False, server_default=""),
    Column("unit", Text, nullable=False, server_default=""),
    Column("price", Amount),
    #: billionths of the yard's currency, from its end on
    Column("cost", BigInteger),
    #: what budgets hold back for it until its end; null under no budget
    Column("held_cost", BigInteger),
    Column("held_time", BigInteger),
    #: what may run together with it; null when it runs alone
    Column("batch_key", String(64)),
    Column("timing", Json),
    CheckConstraint(f"(completed_at is not null) = ({_ENDED})", name="ended_has_time"),
    CheckConstraint(f"not ({_ENDED}) or claimed_by is null", name="ended_is_unclaimed"),
    CheckConstraint("status <> 'failed' or error is not null", name="failed_says_why"),
    sqlite_autoincrement=True,
)
_C = predictions.c
Index("ix_predictions_listed", _C.account, _C.kind, _C.created_at, _C.sequence)


def _partial(name: str, *columns: Column[Any], where: ColumnElement[bool]) -> None:
    """An index of the few rows that a service looks for again and again."""
    Index(name, *columns, sqlite_where=where, postgresql_where=where)


_partial("ix_predictions_web", _C.account, _C.kind, _C.created_at, _C.sequence, where=_C.source == "web")
_partial(
    "ix_predictions_waiting",
    _C.queue,
    _C.account,
    _C.sequence,
    where=(_C.status == "starting") & _C.claimed_by.is_(None),
)
_partial("ix_predictions_claimed", _C.claimed_by, where=_C.claimed_by.is_not(None))
_partial("ix_predictions_due", _C.deadline, where=_C.deadline.is_not(None) & _C.completed_at.is_(None))
_partial(
    "ix_predictions_kept",
    _C.completed_at,
    where=(_C.data_removed == false()) & _C.completed_at.is_not(None) & (_C.kind == "prediction"),
)
_partial("ix_predictions_told", _C.sequence, where=_C.webhook.is_not(None) & _C.completed_at.is_(None))
_partial(
    "ix_predictions_held",
    *(_C.account, _C.token, _C.held_cost, _C.held_time),
    where=_C.held_cost.is_not(None) & _C.completed_at.is_(None),
)
_partial("ix_predictions_deployment", _C.deployment, where=_C.deployment.is_not(None) & _C.completed_at.is_(None))

chunks = Table(
    "chunks",
    metadata,
    #: what a running prediction has said so far; gone, into the prediction's row, once it has ended
    Column("prediction", Number, ForeignKey("predictions.sequence", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("data", Json, nullable=False),
    Column("files", Json),
)

files = Table(
    "files",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", String(26), nullable=False, unique=True),
    Column("account", Number, ForeignKey("accounts.id"), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("name", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("md5", String(32), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("expires_at", Time, index=True),
    Column("prediction", String(26), index=True),
    Column("metadata", Json, nullable=False),
)
Index("ix_files_account", files.c.account, files.c.kind, files.c.number)

secrets = Table(
    "secrets",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

deployments = Table(
    "deployments",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("key", String(130), nullable=False, unique=True),
    Column("account", Number, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("owner", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("created_at", Time, nullable=False),
    Column("current_release", Integer, nullable=False),
    Column("used_at", Time),
    #: changes with every change of the secrets that it runs with
    Column("secrets_mark", String(12)),
    #: the release that new predictions run on while the current one is set up; null when that is the current one
    Column("serving_release", Integer),
    sqlite_autoincrement=True,
)

releases = Table(
    "releases",
    metadata,
    Column("deployment", Number, ForeignKey("deployments.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("model", Text, nullable=False),
    Column("version", String(64), nullable=False, index=True),
    Column("hardware", String(64), nullable=False),
    Column("min_instances", Integer, nullable=False),
    Column("max_instances", Integer, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("created_by", Number, ForeignKey("accounts.id"), nullable=False),
    Column("priority", Integer, nullable=False, server_default="0"),
    #: why it was made, where nobody asked for it
    Column("note", Text),
    CheckConstraint("min_instances >= 0 and max_instances >= min_instances", name="limits_in_order"),
)

IS_CURRENT = (releases.c.deployment == deployments.c.id) & (releases.c.number == deployments.c.current_release)
"""Joins a deployment with its current release."""

IS_USED = (releases.c.deployment == deployments.c.id) & releases.c.number.in_(
    [deployments.c.current_release, deployments.c.serving_release]
)
"""Joins a deployment with its current release, and with the one that serves until that is set up."""

collections = Table(
    "collections",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("slug", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("full_description", Text),
)

collection_models = Table(
    "collection_models",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("collection", Number, ForeignKey("collections.number", ondelete="CASCADE"), nullable=False),
    Column("model", Number, ForeignKey("models.id", ondelete="CASCADE"), nullable=False),
    UniqueConstraint("collection", "model"),
)

#: what an embedding model made of a model's text; gone as soon as the text changes
model_vectors = Table(
    "model_vectors",
    metadata,
    Column("model", Number, ForeignKey("models.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    #: version of the embedding model
    Column("embedder", String(64), nullable=False),
    Column("signature", LargeBinary, nullable=False),
    #: numbers of 32 bits
    Column("vector", LargeBinary, nullable=False),
)

#: creates that must not happen twice: what was asked, by whom, and the prediction that came of it
creations = Table(
    "creations",
    metadata,
    Column("account", Number, ForeignKey("accounts.id"), primary_key=True),
    Column("key", String(280), primary_key=True),
    #: SHA-256 of the request, in hex
    Column("fingerprint", String(64), nullable=False),
    Column("prediction", String(26), nullable=False),
    Column("created_at", Time, nullable=False, index=True),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("prediction", String(26), nullable=False, index=True),
    Column("account", Number, ForeignKey("accounts.id"), nullable=False),
    Column("event", String(16), nullable=False),
    Column("url", Text, nullable=False),
    Column("created_at", Time, nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Time),
    Column("last_attempt_at", Time),
    Column("status_code", Integer),
    Column("error", Text),
    Column("body", Text),
)
Index("ix_deliveries_account", deliveries.c.account, deliveries.c.number)
_partial("ix_deliveries_next", deliveries.c.next_attempt_at, where=deliveries.c.next_attempt_at.is_not(None))
Index(
    "uq_deliveries_owed",
    deliveries.c.prediction,
    deliveries.c.event,
    unique=True,
    sqlite_where=deliveries.c.event.in_(["start", "completed"]),
    postgresql_where=deliveries.c.event.in_(["start", "completed"]),
)
