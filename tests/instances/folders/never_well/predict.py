# ruff: noqa
# mypy: ignore-errors
"""Sets itself up, and is not well."""

from cog import BasePredictor


class Predictor(BasePredictor):
    def predict(self) -> str:
        return "not to be had"

    def healthcheck(self) -> bool:
        raise RuntimeError("the card is missing")
