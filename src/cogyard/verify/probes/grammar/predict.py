"""Takes one input of every kind, and says what it was given."""

import asyncio
from typing import Any

from cog import BasePredictor, Input, Path, Secret, current_scope


class Predictor(BasePredictor):
    async def setup(self) -> None:
        pass

    async def predict(
        self,
        word: str = Input(description="A short word.", min_length=2, max_length=8, regex="^[a-z]+$"),
        count: int = Input(description="A number.", default=3, ge=0, le=10),
        ratio: float = Input(description="A part of one.", default=0.5, ge=0.25, le=1.0),
        flag: bool = Input(description="Yes or no.", default=False),
        size: str = Input(description="How large.", default="small", choices=["small", "large"]),
        level: int = Input(description="How high.", default=1, choices=[1, 2, 3]),
        file: Path | None = Input(description="A file.", default=None),
        files: list[Path] = Input(description="Some files.", default=[]),
        words: list[str] = Input(description="Some words.", default=[]),
        secret_word: Secret = Input(description="Not to be told.", default=None),
        mode: str = Input(
            description="What to do.", default="echo", choices=["echo", "null", "fail", "measure", "read"]
        ),
        seconds: float = Input(description="Seconds to sleep before.", default=0.0, ge=0, le=60),
    ) -> Any:
        print(f"mode {mode}")
        await asyncio.sleep(seconds)
        if mode == "fail":
            raise ValueError(f"no such word: {word}")
        if mode == "null":
            return None
        if mode == "measure":
            current_scope().record_metric("image_count", count)
        if mode == "read":
            return [open(str(one), "rb").read().decode("latin1") for one in [file, *files] if one is not None]
        return {
            "word": word,
            "count": count,
            "ratio": ratio,
            "flag": flag,
            "size": size,
            "level": level,
            "words": words,
        }
