"""Aliases: ids that versions have elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the step."""
    op.create_table(
        "aliases",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("model", NUMBER, nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["models.id"], name=op.f("fk_aliases_model")),
        sa.ForeignKeyConstraint(["version"], ["versions.id"], name=op.f("fk_aliases_version")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_aliases")),
        sa.UniqueConstraint("model", "id", name=op.f("uq_aliases_model_id")),
    )
    op.create_index(op.f("ix_aliases_id"), "aliases", ["id"], unique=False)
    op.create_index(op.f("ix_aliases_version"), "aliases", ["version"], unique=False)
