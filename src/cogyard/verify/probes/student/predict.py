"""Says which of the trained words a text begins with; untrained it knows none."""

from pathlib import Path as FilePath

from cog import BasePredictor, Input, Path


class Predictor(BasePredictor):
    def setup(self, weights: Path | None = None) -> None:
        self.words = FilePath(str(weights)).read_text().split() if weights else []

    def predict(self, text: str = Input(description="A text.")) -> str:
        return next((word for word in self.words if text.startswith(word)), "nothing")
