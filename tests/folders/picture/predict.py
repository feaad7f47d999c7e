"""Draws one small picture."""

import tempfile
from pathlib import Path as FilePath

from cog import BasePredictor, Input, Path


class Predictor(BasePredictor):
    def predict(self, title: str = Input(description="What is drawn.", default="a yard")) -> Path:
        path = FilePath(tempfile.mkdtemp()) / "picture.svg"
        path.write_text(f"<svg xmlns='http://www.w3.org/2000/svg'><title>{title}</title></svg>")
        return Path(path)
