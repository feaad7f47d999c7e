"""The releases of Cog that model environments get; tested together, changed together."""

COG = "0.23.1"
COGLET = "0.23.1"

OLDEST_SDK = (0, 17)
"""Older ones bring another server, with other answers."""
