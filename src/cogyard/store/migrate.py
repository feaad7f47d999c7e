"""Brings a database to this release's schema, in one transaction: it is there whole, or as it was."""

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from cogyard.domain.errors import CogyardError

MIGRATIONS = Path(__file__).parent / "migrations"


class NewerSchema(CogyardError):
    """The database was made by a newer release; `str()` says what to do."""


class NotADatabase(CogyardError):
    """The file is there and is no database; `str()` says what to do."""


def migrate(path: Path) -> None:
    """Apply what is missing. Blocking. Raises `NewerSchema`, `NotADatabase`; then the file is as it was."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"isolation_level": None})
    # SQLite can undo changes of the schema too, but the driver would not begin a transaction for them
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    try:
        with closing(sqlite3.connect(path)) as plain:
            plain.execute("PRAGMA journal_mode = WAL")
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
            if current is not None and current not in known:
                raise NewerSchema(
                    f"The database {path} has schema {current}, which this release of Cogyard does not know "
                    f"(it knows up to {scripts.get_current_head()}). Upgrade Cogyard, or use another data folder "
                    "with COGYARD_DATA."
                )
            if current != scripts.get_current_head():
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                connection.commit()
    except (DatabaseError, sqlite3.DatabaseError) as error:
        cause = error.orig if isinstance(error, DatabaseError) else error
        if "not a database" in str(cause):
            raise NotADatabase(
                f"{path} is not a database. Move the file away, or use another data folder with COGYARD_DATA."
            ) from error
        raise
    finally:
        engine.dispose()
