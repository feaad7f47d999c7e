# ruff: noqa
# mypy: ignore-errors
"""Its setup never ends, and neither does what it started."""

import os
import subprocess
import time
from pathlib import Path

from cog import BasePredictor


class Predictor(BasePredictor):
    def setup(self) -> None:
        print("waiting for nothing")
        child = subprocess.Popen(["sleep", "600"])
        pids = Path(os.environ["HANGING_SETUP_PIDS"])
        pids.with_suffix(".new").write_text(f"{os.getppid()} {os.getpid()} {child.pid}")
        pids.with_suffix(".new").rename(pids)
        time.sleep(600)

    def predict(self) -> str:
        return "never"
