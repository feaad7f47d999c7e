"""Every route that `openapi` describes."""

from cogyard.api.openapi_accounts import ACCOUNTS
from cogyard.api.openapi_catalog import CATALOG
from cogyard.api.openapi_operation import Operation
from cogyard.api.openapi_overview import OVERVIEW
from cogyard.api.openapi_running import RUNNING
from cogyard.api.openapi_secrets import SECRETS
from cogyard.api.openapi_usage import USAGE

OPERATIONS: tuple[Operation, ...] = (*RUNNING, *CATALOG, *SECRETS, *ACCOUNTS, *USAGE, *OVERVIEW)
