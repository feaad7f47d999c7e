"""Secrets of models and deployments, and which inputs of a prediction are secret."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the step."""
    op.add_column("models", sa.Column("secrets_mark", sa.String(length=12)))
    op.add_column("deployments", sa.Column("secrets_mark", sa.String(length=12)))
    op.add_column("predictions", sa.Column("secret_inputs", sa.Text()))
    op.create_table(
        "variables",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("model", NUMBER),
        sa.Column("deployment", NUMBER),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", NUMBER, nullable=False),
        sa.CheckConstraint("(model is null) <> (deployment is null)", name=op.f("ck_variables_of_one")),
        sa.ForeignKeyConstraint(["model"], ["models.id"], name=op.f("fk_variables_model"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["deployment"], ["deployments.id"], name=op.f("fk_variables_deployment"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["updated_by"], ["accounts.id"], name=op.f("fk_variables_updated_by")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_variables")),
    )
    op.create_index("uq_variables_model", "variables", ["model", "name"], unique=True)
    op.create_index("uq_variables_deployment", "variables", ["deployment", "name"], unique=True)
