# ruff: noqa
# mypy: ignore-errors
"""An async model with one whole output."""

import asyncio
import time

from cog import BasePredictor, Input, current_scope


class Predictor(BasePredictor):
    def setup(self) -> None:
        self.seen = 0
        self.all_here = asyncio.Event()

    async def predict(self, text: str = Input(default="x"), do: str = Input(default="meet")) -> str:
        return await getattr(self, do)(text)

    async def meet(self, text):
        self.seen += 1
        print("here is", text)
        if self.seen == 4:
            self.all_here.set()
        await self.all_here.wait()
        current_scope().record_metric("who", text)
        return text

    async def echo(self, text):
        return text

    async def forever(self, text):
        print("waiting", flush=True)
        await asyncio.sleep(600)

    async def block(self, text):
        print("blocking", flush=True)
        time.sleep(600)

    async def flood(self, text):
        for number in range(20_000):
            print(text, number)
            if number % 100 == 0:
                await asyncio.sleep(0)
        return text

    async def block_a_second(self, text):
        time.sleep(1)
        return "done"
