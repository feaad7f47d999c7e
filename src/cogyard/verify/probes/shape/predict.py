"""A model whose output has one of the types that outputs can have; `Output` is replaced before the push."""

from collections.abc import Iterator
from typing import Any

from cog import BaseModel, BasePredictor, Path


class Pair(BaseModel):
    left: str
    right: int


class Predictor(BasePredictor):
    def predict(self, text: str = "") -> "Output":
        raise NotImplementedError
