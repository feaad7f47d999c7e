# ruff: noqa
# mypy: ignore-errors
"""Fetches its weights from where setup says they are, with a type that Cog no longer has."""

from typing import Optional

import requests
from cog import BasePredictor
from cog.types import Weights


class Predictor(BasePredictor):
    def setup(self, weights: Optional[Weights] = None) -> None:
        self.words = requests.get(weights).text if weights else "nothing"

    def predict(self) -> str:
        return self.words
