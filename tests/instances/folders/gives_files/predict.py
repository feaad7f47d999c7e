# ruff: noqa
# mypy: ignore-errors
"""Returns files in every place where an output can hold one."""

import os
import tempfile
from pathlib import Path as FilePath
from typing import Any

from cog import BasePredictor, Input, Path


def write(name: str, text: str) -> Path:
    path = FilePath(tempfile.mkdtemp()) / name
    path.write_text(text)
    return Path(path)


class Predictor(BasePredictor):
    def predict(self, do: str = Input(default="one"), text: str = Input(default="")) -> Any:
        return getattr(self, do)(text)

    def one(self, text):
        return write("picture.png", "one")

    def twenty(self, text):
        return [write("same.txt", str(number)) for number in range(20)]

    def nested(self, text):
        return {"a/b": {"list": [1, write("x.txt", "x"), None]}, "~": (write("y.txt", "y"),), "text": "z"}

    def outside(self, text):
        return Path(text)

    def stream(self, text):
        path = write("open.bin", "opened")
        return open(path, "rb")

    def missing(self, text):
        return Path("/nowhere/x.png")

    def folder(self, text):
        return Path(tempfile.mkdtemp())

    def dangling(self, text):
        link = FilePath(tempfile.mkdtemp()) / "link"
        link.symlink_to("/nowhere")
        return Path(link)

    def steal(self, text):
        """Forge marks: the nonce is in the model's own environment."""
        spool = FilePath(os.environ["COGYARD_SPOOL"])
        (spool / "link").symlink_to(FilePath(text).parent)
        (spool / "real").mkdir(exist_ok=True)
        (spool / "real" / "file").symlink_to(text)
        mark = f"cogyard-output:{os.environ['COGYARD_NONCE']}:"
        return [mark + f"link/{FilePath(text).name}", mark + "real/file", mark + "../outside", mark + text, mark]
