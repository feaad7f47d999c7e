"""Alembic's entry: runs the steps over the connection that `store.migrate` hands in."""

from alembic import context

from cogyard.store.tables import metadata


def run() -> None:
    """Each step in a transaction of its own, with its record."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        render_as_batch=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
