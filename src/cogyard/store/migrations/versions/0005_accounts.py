"""Roles, members of organizations, what tokens are for, the log of administrative acts; turns in the queues."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply the step."""
    op.add_column("accounts", sa.Column("role", sa.String(length=16), nullable=False, server_default="publisher"))
    op.add_column("accounts", sa.Column("disabled_at", sa.BigInteger()))
    op.add_column("accounts", sa.Column("deleted_at", sa.BigInteger()))
    op.execute("UPDATE accounts SET role = 'admin' WHERE is_admin")
    op.drop_column("accounts", "is_admin")
    op.create_table(
        "members",
        sa.Column("organization", NUMBER, autoincrement=False, nullable=False),
        sa.Column("account", NUMBER, autoincrement=False, nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_members_account")),
        sa.ForeignKeyConstraint(["organization"], ["accounts.id"], name=op.f("fk_members_organization")),
        sa.PrimaryKeyConstraint("organization", "account", name=op.f("pk_members")),
    )
    op.create_index("ix_members_account", "members", ["account"], unique=False)
    for column in (
        sa.Column("scopes", sa.Text()),
        sa.Column("models", sa.Text()),
        sa.Column("member", NUMBER),
        sa.Column("expires_at", sa.BigInteger()),
    ):
        op.add_column("tokens", column)
    op.create_index("ix_tokens_prefix", "tokens", ["prefix"], unique=False)
    op.create_table(
        "audit",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("account", NUMBER, nullable=False),
        sa.Column("token", NUMBER, nullable=False),
        sa.Column("token_name", sa.Text(), nullable=False),
        sa.Column("member", NUMBER),
        sa.Column("address", sa.Text()),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("details", sa.Text()),
        sa.ForeignKeyConstraint(["account"], ["accounts.id"], name=op.f("fk_audit_account")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_account", "audit", ["account", "number"], unique=False)
    op.drop_index("ix_predictions_waiting", "predictions")
    op.create_index(
        "ix_predictions_waiting",
        "predictions",
        ["queue", "account", "sequence"],
        unique=False,
        sqlite_where=sa.text("status = 'starting' AND claimed_by IS NULL"),
        postgresql_where=sa.text("status = 'starting' AND claimed_by IS NULL"),
    )
