"""Streams `hello there, <text>`, the contract of the reference's §13.7, and more when it is told to."""

import asyncio

from cog import AsyncConcatenateIterator, BasePredictor, Input

EDITION = 1


class Predictor(BasePredictor):
    async def setup(self) -> None:
        pass

    async def predict(
        self,
        text: str = Input(description="Who is there."),
        pause: float = Input(description="Seconds before each piece but the first.", default=0.0, ge=0, le=60),
        fail: bool = Input(description="Raise at the end.", default=False),
    ) -> AsyncConcatenateIterator[str]:
        for number, piece in enumerate(["hello ", "there, ", text]):
            if number:
                await asyncio.sleep(pause)
            print(f"piece {number}")
            yield piece
        if fail:
            raise ValueError("the canary was told to fail")
