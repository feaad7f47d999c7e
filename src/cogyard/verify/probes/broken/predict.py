"""A model whose setup takes a while and then fails."""

import time

from cog import BasePredictor


class Predictor(BasePredictor):
    def setup(self) -> None:
        time.sleep(7)
        raise RuntimeError("this probe cannot be set up")

    def predict(self, text: str = "") -> str:
        return text
