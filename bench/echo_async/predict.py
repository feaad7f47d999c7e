"""The same, async, so that one process can take many at a time."""

from cog import BasePredictor


class Predictor(BasePredictor):
    async def setup(self) -> None:
        pass

    async def predict(self, text: str) -> str:
        return text
