"""Models found by meaning; only what searches may find is indexed; since when a model has a version."""

import sqlalchemy as sa
from alembic import op

from cogyard.store.search import fill_index

revision = "0004"
down_revision = "0003"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the step."""
    op.add_column("model_versions", sa.Column("added_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE model_versions SET added_at = (SELECT created_at FROM versions WHERE id = model_versions.version)"
    )
    op.create_table(
        "model_vectors",
        sa.Column("model", NUMBER, autoincrement=False, nullable=False),
        sa.Column("embedder", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["models.id"], name=op.f("fk_model_vectors_model"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("model", name=op.f("pk_model_vectors")),
    )
    fill_index(op.get_bind())
    # as many columns as the index of all has, or SQLite prefers that one and looks at every row
    op.drop_index("ix_predictions_web", "predictions")
    op.create_index(
        "ix_predictions_web",
        "predictions",
        ["account", "kind", "created_at", "sequence"],
        unique=False,
        sqlite_where=sa.text("source = 'web'"),
        postgresql_where=sa.text("source = 'web'"),
    )
