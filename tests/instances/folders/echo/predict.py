# ruff: noqa
# mypy: ignore-errors
"""The smallest model."""

from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def predict(self, text: str = Input(description="To be said again.", default="hello")) -> str:
        return text
