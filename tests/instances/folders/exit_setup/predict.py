# ruff: noqa
# mypy: ignore-errors
"""Its process dies in setup."""

import os

from cog import BasePredictor


class Predictor(BasePredictor):
    def setup(self) -> None:
        print("about to leave")
        os._exit(7)

    def predict(self) -> str:
        return "never"
