# ruff: noqa
# mypy: ignore-errors
"""An async generator, several at a time, that goes on when a file appears."""

import asyncio
from pathlib import Path

from cog import AsyncConcatenateIterator, BasePredictor, Input


class Predictor(BasePredictor):
    async def setup(self) -> None:
        await asyncio.sleep(0)
        self.seen = 0
        print("async setup")

    async def predict(
        self,
        text: str = Input(default="x"),
        gate: str = Input(default=""),
        together: int = Input(default=1),
        fail: bool = Input(default=False),
    ) -> AsyncConcatenateIterator[str]:
        self.seen += 1
        print("hello from", text)
        yield text + "1"
        while (gate and not Path(gate).exists()) or self.seen < together:
            await asyncio.sleep(0.005)
        if fail:
            raise ValueError("half way")
        yield text + "2"
        yield text + "3"
