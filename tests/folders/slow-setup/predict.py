"""A model whose setup does not end."""

import time

from cog import BasePredictor


class Predictor(BasePredictor):
    def setup(self) -> None:
        print("setting up for ever")
        time.sleep(1000)

    def predict(self, text: str = "") -> str:
        return text
