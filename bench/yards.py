"""Servers for the measurements: Cogyard in a fresh data folder, and bare Cog servers from its own environments."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.yard import TOKEN, Yard, free_port  # noqa: E402

__all__ = ["HERE", "TOKEN", "Yard", "bare_cog", "free_port", "started"]


@contextmanager
def started(data: Path, **settings: str):
    """A server without rate limits, which are not what is measured."""
    limits = [f"{whose}rate_{what}" for whose in ("", "token_") for what in ("creates", "requests", "polls")]
    yard = Yard(data, {**dict.fromkeys(limits, "0"), **settings}).start()
    try:
        yield yard
    finally:
        yard.stop()


@contextmanager
def bare_cog(environment: Path, folder: Path, slots: int):
    """A Cog server without us: the address of its predictions."""
    port = free_port()
    variables = {
        "PATH": f"{environment / 'bin'}:/usr/bin:/bin",
        "HOME": "/tmp",
        "PORT": str(port),
        "COG_LOG_LEVEL": "error",
        "COG_MAX_CONCURRENCY": str(slots),
        "COG_PREDICT_TYPE_STUB": "predict.py:Predictor",
    }
    process = subprocess.Popen(
        ["python", "-m", "cog.server.http", "--host", "127.0.0.1"],
        cwd=folder,
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health-check", trust_env=False).json()["status"] == "READY":
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}/predictions"
    finally:
        os.killpg(process.pid, 9)
        process.wait()
