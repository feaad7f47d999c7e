# ruff: noqa
# mypy: ignore-errors
"""An async generator of large and odd items."""

import tempfile
from pathlib import Path as FilePath
from typing import Any, AsyncIterator

from cog import BasePredictor, Input, Path


class Predictor(BasePredictor):
    async def predict(self, do: str = Input(default="odd")) -> AsyncIterator[Any]:
        try:
            if do == "missing":
                yield "before"
                yield Path("/nowhere/x.png")
            path = FilePath(tempfile.mkdtemp()) / "item.txt"
            path.write_text("a file")
            yield Path(path)
            yield None
            yield ["a", {"b": 1.5}]
            yield "x" * 3_000_000
        finally:
            print("closed")
