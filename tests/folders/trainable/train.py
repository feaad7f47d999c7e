"""Learns the words of a file."""

import tempfile
import time
from pathlib import Path as FilePath

from cog import BaseModel, Input, Path


class TrainingOutput(BaseModel):
    weights: Path


def train(
    words: Path = Input(description="A text file of words."),
    rounds: int = Input(description="How often they are read.", default=1, ge=1, le=1000),
    mode: str = Input(description="What to do.", default="learn", choices=["learn", "raise", "forget", "tell"]),
) -> TrainingOutput:
    learned = FilePath(str(words)).read_text().split()
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}: {len(learned)} words")
        time.sleep(0.01)
    if mode == "raise":
        raise ValueError("these words cannot be learned")
    if mode == "tell":
        return "nothing but words"  # type: ignore[return-value]
    path = FilePath(tempfile.mkdtemp()) / "words.txt"
    if mode == "learn":
        path.write_text("\n".join(learned))
    return TrainingOutput(weights=Path(path))
