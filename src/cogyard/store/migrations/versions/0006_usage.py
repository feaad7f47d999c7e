"""What predictions and instances cost, sums of it by day, and budgets."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the step."""
    for column in (
        sa.Column("token", NUMBER, nullable=False, server_default="0"),
        sa.Column("hardware", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("unit", sa.Text(), nullable=False, server_default=""),
        sa.Column("price", sa.Text()),
        sa.Column("cost", sa.BigInteger()),
        sa.Column("held_cost", sa.BigInteger()),
        sa.Column("held_time", sa.BigInteger()),
    ):
        op.add_column("predictions", column)
    op.create_index(
        "ix_predictions_held",
        "predictions",
        ["account", "token", "held_cost", "held_time"],
        unique=False,
        sqlite_where=sa.text("held_cost IS NOT NULL AND completed_at IS NULL"),
        postgresql_where=sa.text("held_cost IS NOT NULL AND completed_at IS NULL"),
    )
    op.add_column("instances", sa.Column("metered_until", sa.BigInteger()))
    op.add_column("instances", sa.Column("is_metered", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE instances SET is_metered = 1")  # those of a release that did not meter
    op.create_index(
        "ix_instances_unmetered",
        "instances",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("is_metered = 0"),
        postgresql_where=sa.text("is_metered = 0"),
    )
    op.create_table(
        "usage",
        sa.Column("account", NUMBER, autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("token", NUMBER, autoincrement=False, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("deployment", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("hardware", sa.String(length=64), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("run_time", sa.BigInteger(), nullable=False),
        sa.Column("uptime", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_usage_account")),
        sa.PrimaryKeyConstraint(
            *("account", "day", "token", "model", "deployment", "kind", "hardware", "unit"), name=op.f("pk_usage")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "budgets",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("account", NUMBER, nullable=False),
        sa.Column("token", NUMBER, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("period", sa.String(length=8), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_budgets_amount_not_negative")),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_budgets_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budgets")),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_budgets_which", "budgets", ["account", "token", "kind", "period"], unique=True)
