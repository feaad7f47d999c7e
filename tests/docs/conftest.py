"""The server with the starter models, shared with the clients' tests."""

from tests.clients.conftest import starter

__all__ = ["starter"]
