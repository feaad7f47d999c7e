"""The relational schema of the secrets of models and deployments; `tables.secrets` are the server's own keys."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, LargeBinary, String, Table

from cogyard.store.columns import Number, Time, metadata

#: what a process finds in its environment; sealed with a key that is not in this database
variables = Table(
    "variables",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("model", Number, ForeignKey("models.id", ondelete="CASCADE")),
    Column("deployment", Number, ForeignKey("deployments.id", ondelete="CASCADE")),
    Column("name", String(128), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("updated_at", Time, nullable=False),
    Column("updated_by", Number, ForeignKey("accounts.id"), nullable=False),
    CheckConstraint("(model is null) <> (deployment is null)", name="of_one"),
)
Index("uq_variables_model", variables.c.model, variables.c.name, unique=True)
Index("uq_variables_deployment", variables.c.deployment, variables.c.name, unique=True)
