# ruff: noqa
# mypy: ignore-errors
"""Files in the fields of an output object."""

import tempfile
from pathlib import Path as FilePath
from typing import Optional

from cog import BaseModel, BasePredictor, Path


class Output(BaseModel):
    image: Path
    caption: str
    mask: Optional[Path] = None


class Predictor(BasePredictor):
    def predict(self) -> Output:
        path = FilePath(tempfile.mkdtemp()) / "image.png"
        path.write_text("pixels")
        return Output(image=Path(path), caption="a picture")
