"""Streams `hello there, <text>`; with a gate, waits between items until a file of that name appears."""

import time
from pathlib import Path

from cog import BasePredictor, ConcatenateIterator, Input


class Predictor(BasePredictor):
    def predict(
        self,
        text: str = Input(description="Who is there."),
        gate: str = Input(description="Folder whose files 1, 2, … let the items through.", default=""),
        count: int = Input(description="So many more items.", default=0),
        fail: bool = Input(description="Raise at the end.", default=False),
    ) -> ConcatenateIterator[str]:
        for number, item in enumerate(["hello ", "there, ", text]):
            while gate and number and not (Path(gate) / str(number)).exists():
                time.sleep(0.005)
            yield item
        for number in range(count):
            yield f" {number}\n"
        if fail:
            raise RuntimeError("no more")
