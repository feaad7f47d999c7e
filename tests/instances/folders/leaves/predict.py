# ruff: noqa
# mypy: ignore-errors
"""Ends its process soon after setup, or in that moment."""

import os
import threading

from cog import BasePredictor


class Predictor(BasePredictor):
    def setup(self) -> None:
        threading.Timer(float(os.environ["LEAVES_AFTER"]), os._exit, [4]).start()

    def predict(self) -> str:
        return "never"
