"""A model whose setup raises."""

from cog import BasePredictor


class Predictor(BasePredictor):
    def setup(self) -> None:
        print("reading the weights")
        raise RuntimeError("the weights are not there")

    def predict(self, text: str = "") -> str:
        return text
