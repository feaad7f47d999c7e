"""Binds an album: an object with files in it."""

import tempfile
from pathlib import Path as FilePath

from cog import BaseModel, BasePredictor, Input, Path


class Album(BaseModel):
    title: str
    cover: Path
    pages: list[Path]


def draw(title: str) -> Path:
    path = FilePath(tempfile.mkdtemp()) / "page.svg"
    path.write_text(f"<svg xmlns='http://www.w3.org/2000/svg'><title>{title}</title></svg>")
    return Path(path)


class Predictor(BasePredictor):
    def predict(
        self,
        title: str = Input(description="What the album is called.", default="an album"),
        count: int = Input(description="How many pages.", default=2, ge=0, le=20),
    ) -> Album:
        return Album(title=title, cover=draw(title), pages=[draw(str(number)) for number in range(count)])
