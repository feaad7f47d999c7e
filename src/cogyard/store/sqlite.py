"""The store on SQLite, whole."""

from cogyard.store.sqlite_accounts import SqliteAccounts
from cogyard.store.sqlite_catalog import SqliteCatalog
from cogyard.store.sqlite_core import DataFolderInUse, lock_folder
from cogyard.store.sqlite_instances import SqliteInstances
from cogyard.store.sqlite_overview import SqliteOverview
from cogyard.store.sqlite_predictions import SqlitePredictions
from cogyard.store.sqlite_secrets import SqliteSecrets
from cogyard.store.sqlite_usage import SqliteUsage

__all__ = ["DataFolderInUse", "SqliteStore", "lock_folder"]


class SqliteStore(
    SqliteAccounts, SqliteCatalog, SqliteInstances, SqliteOverview, SqlitePredictions, SqliteSecrets, SqliteUsage
):
    """Implements `ports.Store`. Make one with `store.open_store`."""
