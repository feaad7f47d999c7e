"""The whole contract: deployments, trainings, collections, webhooks, deadlines, idempotent creates, search."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from cogyard.store.search import CREATE_INDEX, fill_index

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the step."""
    _widen_models_and_instances()
    _widen_predictions()
    _add_tables()
    op.execute(CREATE_INDEX)
    fill_index(op.get_bind())


def _widen_models_and_instances() -> None:
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("weights_url", sa.Text()),
        sa.Column("tags", sa.Text()),
        sa.Column("is_official", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("price", sa.Text()),
    )
    for column in columns:
        op.add_column("models", column)
    op.add_column("instances", sa.Column("queue", sa.String(100), nullable=False, server_default=""))
    op.execute("UPDATE instances SET queue = version")
    op.drop_column("instances", "version")


def _widen_predictions() -> None:
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("queue", sa.String(100), nullable=False, server_default=""),
        sa.Column("kind", sa.String(16), nullable=False, server_default="prediction"),
        sa.Column("deployment", sa.Text()),
        sa.Column("destination", sa.Text()),
        sa.Column("is_version_hidden", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("deadline", sa.BigInteger()),
        sa.Column("stream_kind", sa.String(8)),
        sa.Column("base_url", sa.Text()),
    )
    for column in columns:
        op.add_column("predictions", column)
    op.execute("UPDATE predictions SET queue = version")
    op.execute("UPDATE predictions SET stream_kind = 'text' WHERE is_stream")
    op.drop_index("ix_predictions_account", "predictions")
    op.drop_index("ix_predictions_waiting", "predictions")
    op.create_index(
        "ix_predictions_waiting",
        "predictions",
        ["queue", "sequence"],
        unique=False,
        sqlite_where=sa.text("status = 'starting' AND claimed_by IS NULL"),
        postgresql_where=sa.text("status = 'starting' AND claimed_by IS NULL"),
    )
    op.create_index(
        "ix_predictions_deployment",
        "predictions",
        ["deployment"],
        unique=False,
        sqlite_where=sa.text("deployment IS NOT NULL AND completed_at IS NULL"),
        postgresql_where=sa.text("deployment IS NOT NULL AND completed_at IS NULL"),
    )
    op.create_index(
        "ix_predictions_due",
        "predictions",
        ["deadline"],
        unique=False,
        sqlite_where=sa.text("deadline IS NOT NULL AND completed_at IS NULL"),
        postgresql_where=sa.text("deadline IS NOT NULL AND completed_at IS NULL"),
    )
    op.create_index(
        "ix_predictions_kept",
        "predictions",
        ["completed_at"],
        unique=False,
        sqlite_where=sa.text("data_removed = 0 AND completed_at IS NOT NULL AND kind = 'prediction'"),
        postgresql_where=sa.text("data_removed = 0 AND completed_at IS NOT NULL AND kind = 'prediction'"),
    )
    op.create_index("ix_predictions_listed", "predictions", ["account", "kind", "created_at", "sequence"], unique=False)
    op.create_index(
        "ix_predictions_told",
        "predictions",
        ["sequence"],
        unique=False,
        sqlite_where=sa.text("webhook IS NOT NULL AND completed_at IS NULL"),
        postgresql_where=sa.text("webhook IS NOT NULL AND completed_at IS NULL"),
    )
    op.create_index(
        "ix_predictions_web",
        "predictions",
        ["account", "created_at", "sequence"],
        unique=False,
        sqlite_where=sa.text("source = 'web'"),
        postgresql_where=sa.text("source = 'web'"),
    )


def _add_tables() -> None:
    op.create_table(
        "collections",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("full_description", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_collections")),
        sa.UniqueConstraint("slug", name=op.f("uq_collections_slug")),
    )
    op.create_table(
        "creations",
        sa.Column("account", NUMBER, nullable=False),
        sa.Column("key", sa.String(length=280), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("prediction", sa.String(length=26), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_creations_account")),
        sa.PrimaryKeyConstraint("account", "key", name=op.f("pk_creations")),
    )
    op.create_index(op.f("ix_creations_created_at"), "creations", ["created_at"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("prediction", sa.String(length=26), nullable=False),
        sa.Column("account", NUMBER, nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("last_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_deliveries_account")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("id", name=op.f("uq_deliveries_id")),
    )
    op.create_index("ix_deliveries_account", "deliveries", ["account", "number"], unique=False)
    op.create_index(op.f("ix_deliveries_created_at"), "deliveries", ["created_at"], unique=False)
    op.create_index(
        "ix_deliveries_next",
        "deliveries",
        ["next_attempt_at"],
        unique=False,
        sqlite_where=sa.text("next_attempt_at IS NOT NULL"),
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_deliveries_prediction"), "deliveries", ["prediction"], unique=False)
    op.create_index(
        "uq_deliveries_owed",
        "deliveries",
        ["prediction", "event"],
        unique=True,
        sqlite_where=sa.text("event IN ('start', 'completed')"),
        postgresql_where=sa.text("event IN ('start', 'completed')"),
    )
    op.create_table(
        "deployments",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=130), nullable=False),
        sa.Column("account", NUMBER, nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("current_release", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_deployments_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
        sa.UniqueConstraint("key", name=op.f("uq_deployments_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_deployments_account"), "deployments", ["account"], unique=False)
    op.create_table(
        "collection_models",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("collection", NUMBER, nullable=False),
        sa.Column("model", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["collection"], ["collections.number"], name=op.f("fk_collection_models_collection"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["model"], ["models.id"], name=op.f("fk_collection_models_model"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_collection_models")),
        sa.UniqueConstraint("collection", "model", name=op.f("uq_collection_models_collection_model")),
    )
    op.create_table(
        "releases",
        sa.Column("deployment", NUMBER, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("hardware", sa.String(length=64), nullable=False),
        sa.Column("min_instances", sa.Integer(), nullable=False),
        sa.Column("max_instances", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", NUMBER, nullable=False),
        sa.CheckConstraint(
            "min_instances >= 0 and max_instances >= min_instances", name=op.f("ck_releases_limits_in_order")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["accounts.id"], name=op.f("fk_releases_created_by")),
        sa.ForeignKeyConstraint(
            ["deployment"], ["deployments.id"], name=op.f("fk_releases_deployment"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("deployment", "number", name=op.f("pk_releases")),
    )
    op.create_index(op.f("ix_releases_version"), "releases", ["version"], unique=False)
