"""An async model: four at a time, streaming."""

import asyncio
from pathlib import Path

from cog import AsyncConcatenateIterator, BasePredictor, Input


class Predictor(BasePredictor):
    async def setup(self) -> None:
        self.running = 0

    async def predict(
        self,
        text: str = Input(description="Who is there."),
        gate: str = Input(description="Folder whose files 1, 2, … let the items through.", default=""),
        wait_for: int = Input(description="Wait until so many run at once.", default=0),
    ) -> AsyncConcatenateIterator[str]:
        self.running += 1
        try:
            while self.running < wait_for:
                await asyncio.sleep(0.005)
            for number, item in enumerate(["hello ", "there, ", text]):
                while gate and number and not (Path(gate) / str(number)).exists():
                    await asyncio.sleep(0.005)
                yield item
            await asyncio.sleep(0.1)
        finally:
            self.running -= 1
