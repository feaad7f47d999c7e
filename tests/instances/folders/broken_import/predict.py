# ruff: noqa
# mypy: ignore-errors
"""Cannot even be imported."""

from cog import BasePredictor

print("importing")
import a_package_that_nobody_has


class Predictor(BasePredictor):
    def predict(self) -> str:
        return "never"
