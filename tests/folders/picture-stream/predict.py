"""Yields one small file after the other."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path as FilePath

from cog import BasePredictor, Input, Path


class Predictor(BasePredictor):
    def predict(
        self,
        count: int = Input(description="How many pictures.", default=2, ge=0, le=20),
        pause: float = Input(description="Seconds between two.", default=0.0, ge=0, le=5),
    ) -> Iterator[Path]:
        for number in range(count):
            path = FilePath(tempfile.mkdtemp()) / f"picture-{number}.svg"
            path.write_text(f"<svg xmlns='http://www.w3.org/2000/svg'><title>{number}</title></svg>")
            yield Path(path)
            time.sleep(pause)
