# ruff: noqa
# mypy: ignore-errors
"""A function instead of a class."""

from cog import Input


def predict(text: str = Input(default="world"), times: int = Input(default=1, ge=1)) -> str:
    return f"hello {text}" * times
