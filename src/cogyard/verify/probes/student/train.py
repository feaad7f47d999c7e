"""Learns the words that it is given."""

import tempfile
import time
from pathlib import Path as FilePath

from cog import BaseModel, Input, Path


class TrainingOutput(BaseModel):
    weights: Path


def train(
    words: str = Input(description="Words with blanks between."),
    rounds: int = Input(description="How often they are read.", default=1, ge=1, le=9),
    seconds: float = Input(description="How long a round takes.", default=0.0, ge=0, le=60),
    fail: bool = Input(description="Raise at the end.", default=False),
) -> TrainingOutput:
    for number in range(rounds):
        print(f"round {number + 1}")
        time.sleep(seconds)
    if fail:
        raise ValueError("these words cannot be learned")
    path = FilePath(tempfile.mkdtemp()) / "words.txt"
    path.write_text(words)
    return TrainingOutput(weights=Path(path))
