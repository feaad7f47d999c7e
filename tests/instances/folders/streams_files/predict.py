# ruff: noqa
# mypy: ignore-errors
"""A generator of files."""

import tempfile
from pathlib import Path as FilePath
from typing import Iterator

from cog import BasePredictor, Path


class Predictor(BasePredictor):
    def predict(self) -> Iterator[Path]:
        for number in range(5):
            path = FilePath(tempfile.mkdtemp()) / "frame.txt"
            path.write_text(str(number))
            yield Path(path)
