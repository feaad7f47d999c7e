"""The relational side: what is kept, and the queue, which is no more than the predictions that wait.

`open_store` brings a database up to the schema of this release and opens it. `sqlite` is the store of one machine;
the statements (`predictions`, `catalog`, `accounts`, `records`) and `tables` know no dialect.
"""

import asyncio
from pathlib import Path

from cogyard.ports import Clock
from cogyard.store.migrate import migrate
from cogyard.store.sqlite import SqliteStore, lock_folder


async def open_store(path: Path, clock: Clock) -> SqliteStore:
    """The store in the database file `path`, made when missing.

    Raises `store.migrate.NewerSchema`, `store.migrate.NotADatabase`, `store.sqlite.DataFolderInUse`.
    """
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    lock = lock_folder(path.with_suffix(".lock"))
    try:
        await asyncio.to_thread(migrate, path)
    except BaseException:
        lock.close()
        raise
    return SqliteStore(path, clock, lock)
