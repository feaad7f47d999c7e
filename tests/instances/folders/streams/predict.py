# ruff: noqa
# mypy: ignore-errors
"""A sync generator that goes on when a file appears."""

import time
from pathlib import Path

from cog import BasePredictor, ConcatenateIterator, Input


class Predictor(BasePredictor):
    def predict(self, gate: str = Input(default=""), fail: bool = Input(default=False), n: int = Input(default=0)) -> ConcatenateIterator[str]:
        yield "first "
        for _ in range(n):
            yield "x"
        while gate and not Path(gate).exists():
            time.sleep(0.005)
        print("between", end="")
        if fail:
            raise ValueError("half way")
        yield "second "
        yield "third"
