# ruff: noqa
# mypy: ignore-errors
"""Has a train function that returns weights."""

import tempfile
from pathlib import Path as FilePath

from cog import BaseModel, BasePredictor, Input, Path


class TrainingOutput(BaseModel):
    weights: Path


def train(data: Path = Input(description="Training data."), rounds: int = Input(default=2)) -> TrainingOutput:
    print("training for", rounds)
    path = FilePath(tempfile.mkdtemp()) / "weights.bin"
    path.write_text(FilePath(data).read_text() * rounds)
    return TrainingOutput(weights=Path(path))


class Predictor(BasePredictor):
    def predict(self) -> str:
        return "predicted"
