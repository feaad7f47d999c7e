"""A model that tells its secret in tokens of three characters."""

import os

from cog import BasePredictor, ConcatenateIterator


class Predictor(BasePredictor):
    def predict(self) -> ConcatenateIterator[str]:
        text = f"the key is {os.environ.get('API_KEY')}, and s"
        for start in range(0, len(text), 3):
            yield text[start : start + 3]
