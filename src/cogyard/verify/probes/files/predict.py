"""Gives small text files, one after the other."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path as FilePath

from cog import BasePredictor, Input, Path


class Predictor(BasePredictor):
    def predict(
        self,
        count: int = Input(description="How many files.", default=2, ge=0, le=10),
        pause: float = Input(description="Seconds between two.", default=0.0, ge=0, le=20),
    ) -> Iterator[Path]:
        for number in range(count):
            time.sleep(pause)
            path = FilePath(tempfile.mkdtemp()) / f"note-{number}.txt"
            path.write_text(f"this is note {number}\n")
            yield Path(path)
