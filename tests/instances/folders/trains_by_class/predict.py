# ruff: noqa
# mypy: ignore-errors
"""Trains by a class with a setup of its own; and by an async function."""

import asyncio
import tempfile
from pathlib import Path as FilePath

from cog import BasePredictor, Input, Path


def save(text):
    path = FilePath(tempfile.mkdtemp()) / "weights.txt"
    path.write_text(text)
    return Path(path)


class Trainer:
    def setup(self) -> None:
        print("getting ready")
        self.word = "ready"

    def train(self, times: int = Input(default=2)) -> Path:
        print("training")
        return save(self.word * times)

    def predict(self) -> str:
        return self.word


async def train_later(times: int = 1) -> Path:
    await asyncio.sleep(0.01)
    return save("later" * times)


class Predictor(BasePredictor):
    def predict(self) -> str:
        return "predicted"
