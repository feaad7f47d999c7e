"""Shares, boots and events of instances, timings and batches of predictions, settings of models, rolling releases."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the step."""
    op.add_column("instances", sa.Column("share", sa.Text()))
    op.add_column("instances", sa.Column("boot", sa.Text()))
    op.add_column("instances", sa.Column("peak_memory", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index(op.f("ix_instances_ended_at"), "instances", ["ended_at"])
    op.create_index(op.f("ix_instances_created_at"), "instances", ["created_at"])
    op.create_index(op.f("ix_instances_queue"), "instances", ["queue"])
    op.create_table(
        "instance_events",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("instance", sa.String(length=26), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.ForeignKeyConstraint(
            ["instance"], ["instances.id"], name=op.f("fk_instance_events_instance"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_instance_events")),
    )
    op.create_index(op.f("ix_instance_events_instance"), "instance_events", ["instance"])
    op.add_column("predictions", sa.Column("batch_key", sa.String(length=64)))
    op.add_column("predictions", sa.Column("timing", sa.Text()))
    op.add_column("models", sa.Column("settings", sa.Text()))
    op.add_column("deployments", sa.Column("serving_release", sa.Integer()))
    op.add_column("releases", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("releases", sa.Column("note", sa.Text()))
