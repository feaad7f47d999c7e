"""A model that takes lists, and behaves as its words say."""

import os
import time
from pathlib import Path as FilePath
from typing import Any

from cog import BasePredictor, Input, current_scope


class Predictor(BasePredictor):
    def setup(self) -> None:
        self.calls = 0

    def predict(
        self,
        words: list[str] = Input(description="What to do with each."),
        suffix: str = Input(description="Put behind each word.", default=""),
        gate: str = Input(description="A file without which it does not end.", default=""),
    ) -> list[Any]:
        """One item for each word: the word, and in which call with how many others it came."""
        self.calls += 1
        print(f"words: {' '.join(words)}")
        current_scope().record_metric("words", len(words))
        current_scope().record_metric("last", words[-1])
        while gate and not FilePath(gate).exists():
            time.sleep(0.01)
        if "raise" in words:
            raise ValueError(f"one of {len(words)} words is bad")
        if "die" in words:
            os._exit(3)
        said = [{"said": word + suffix, "call": self.calls, "of": len(words)} for word in words]
        return said[1:] if "short" in words and len(words) > 1 else said
