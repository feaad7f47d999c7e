# ruff: noqa
# mypy: ignore-errors
"""An async setup before a sync predict."""

from cog import BasePredictor


class Predictor(BasePredictor):
    async def setup(self) -> None:
        self.text = "set up"

    def predict(self) -> str:
        return self.text
