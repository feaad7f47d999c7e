"""The releases of Cog that model environments get; tested together, changed together."""

COG = "0.23.1"
COGLET = "0.23.1"
