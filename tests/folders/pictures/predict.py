"""Draws several small pictures and tells how far it is, as tqdm does."""

import sys
import tempfile
import time
from pathlib import Path as FilePath

from cog import BasePredictor, Input, Path


def tell(current: int, total: int) -> None:
    """One bar over the other on stderr: a carriage return before each."""
    bar = "█" * (10 * current // total)
    sys.stderr.write(f"\r{100 * current // total:3d}%|{bar:10s}| {current}/{total} [00:00<00:00, 99.00it/s]")
    sys.stderr.flush()


class Predictor(BasePredictor):
    def predict(
        self,
        count: int = Input(description="How many pictures.", default=2, ge=1, le=20),
        pause: float = Input(description="Seconds between two.", default=0.0, ge=0, le=5),
    ) -> list[Path]:
        drawn = []
        for number in range(count):
            tell(number, count)
            path = FilePath(tempfile.mkdtemp()) / "picture.svg"
            path.write_text(f"<svg xmlns='http://www.w3.org/2000/svg'><title>{number}</title></svg>")
            drawn.append(Path(path))
            time.sleep(pause)
        tell(count, count)
        sys.stderr.write("\n")
        return drawn
