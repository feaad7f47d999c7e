# ruff: noqa
# mypy: ignore-errors
"""The same, async, with the standard library."""

from urllib.request import urlopen

from cog import BasePredictor, Path


class Predictor(BasePredictor):
    async def setup(self, weights: Path) -> None:
        self.words = urlopen(str(weights)).read().decode() if weights else "nothing"

    async def predict(self) -> str:
        return self.words
