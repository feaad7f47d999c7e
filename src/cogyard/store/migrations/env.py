"""Alembic's entry: runs the steps over the connection that `store.migrate` hands in."""

from alembic import context

from cogyard.store import account_tables, secret_tables, tables, usage_tables  # noqa: F401 - they fill the metadata
from cogyard.store.columns import metadata


def run() -> None:
    """All steps, in the transaction of that connection."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
