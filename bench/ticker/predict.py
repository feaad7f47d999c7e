"""Yields the time, again and again."""

import time

from cog import BasePredictor, ConcatenateIterator, Input


class Predictor(BasePredictor):
    def predict(
        self,
        count: int = Input(description="How often.", default=20, ge=1, le=1000),
        pause: float = Input(description="Seconds between two.", default=0.02, ge=0),
    ) -> ConcatenateIterator[str]:
        for _ in range(count):
            yield f"{time.time():.6f} "
            time.sleep(pause)
