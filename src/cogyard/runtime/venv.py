"""How a version runs: the Cog server from its own environment and folder, seeing nothing of the server around it."""

import os
from collections.abc import Mapping
from pathlib import Path

from cogyard.domain.catalog import Version
from cogyard.ports import Launch, Place
from cogyard.runtime.environment import Environments

WRAPPER = Path(__file__).parent / "wrapper" / "cogyard_wrapper.py"

TRAINING = ".train"
"""Suffix of the folder in which a version trains: the same files, with the training's schema where Cog looks."""

EVENTS_AHEAD = 32_768
"""Events that a model may be ahead of us; the Cog server's own 1,024 are a few milliseconds of printing."""

PASSED_ON = (
    "CUDA_VISIBLE_DEVICES",
    "HF_HUB_OFFLINE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "TZ",
)
"""Variables of the server that models may see."""


class VenvRuntime:
    """Implements `ports.Runtime` over the environments that `builder` made."""

    def __init__(self, environments: Environments, sources: Path, variables: Mapping[str, str]) -> None:
        self._environments = environments
        self._sources = sources
        self._variables = variables

    def launch(
        self,
        version: Version,
        place: Place,
        *,
        train: bool = False,
        weights: Path | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> Launch:
        """See `ports.Runtime`."""
        config = version.config
        bin_folder = self._environments.python(version.environment_digest).parent
        name = "train" if train else "AsyncPredictor" if config.is_async else "Predictor"
        environment = {
            **{name: self._variables[name] for name in PASSED_ON if name in self._variables},
            **config.environment,
            **(secrets or {}),
            "PATH": f"{bin_folder}:/usr/local/bin:/usr/bin:/bin",
            "VIRTUAL_ENV": str(bin_folder.parent),
            "HOME": str(place.scratch / "home"),
            "TMPDIR": str(place.scratch / "tmp"),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PORT": str(place.port),
            "COG_LOG_LEVEL": "warn",
            "COG_STREAM_HISTORY_CAPACITY": str(EVENTS_AHEAD),
            "COG_MAX_CONCURRENCY": str(config.concurrency),
            "COG_TRAIN_TYPE_STUB" if train else "COG_PREDICT_TYPE_STUB": f"{WRAPPER}:{name}",
            "COGYARD_PREDICT": config.predict,
            "COGYARD_SPOOL": str(place.scratch / "spool"),
            "COGYARD_NONCE": place.nonce,
            "COGYARD_SERVER_PID": str(os.getpid()),
        }
        if config.train is not None:
            environment["COGYARD_TRAIN"] = config.train
        if weights is not None:
            environment["COG_WEIGHTS"] = str(weights)
        mode = ("--x-mode", "train") if train else ()
        return Launch(
            command=(str(bin_folder / "python"), "-m", "cog.server.http", "--host", "127.0.0.1", *mode),
            environment=environment,
            folder=self._sources / (f"{version.id}{TRAINING}" if train else version.id),
            share=place.share,
        )
