# ruff: noqa
# mypy: ignore-errors
"""Its setup raises."""

from cog import BasePredictor


class Predictor(BasePredictor):
    def setup(self) -> None:
        print("loading weights")
        raise RuntimeError("no weights here")

    def predict(self) -> str:
        return "never"
