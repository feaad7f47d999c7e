"""The API's description of itself."""

from cogyard.domain.values import JsonObject


def document(base: str) -> JsonObject:
    """The OpenAPI document, for a server at `base`."""
    return {"openapi": "3.1.0", "info": {"title": "Cogyard", "version": "1"}, "paths": {}, "servers": [{"url": base}]}
