"""How a version runs: the Cog server from its own environment and folder, seeing nothing of the server around it."""

import os
from collections.abc import Mapping
from pathlib import Path

from cogyard.domain.catalog import Version
from cogyard.domain.hardware import Share
from cogyard.ports import Launch, Place
from cogyard.runtime.environment import Environments

WRAPPER = Path(__file__).parent / "wrapper" / "cogyard_wrapper.py"

SERVER = WRAPPER.with_name("cogyard_server.py")

TRAINING = ".train"
"""Suffix of the folder in which a version trains: the same files, with the training's schema where Cog looks."""

EVENTS_AHEAD = 32_768
"""Events that a model may be ahead of us; the Cog server's own 1,024 are a few milliseconds of printing."""

THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
"""Variables by which numerical libraries are told how many threads to use; they would take a thread a processor."""

PASSED_ON = (
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
        """See `ports.Runtime`. Makes the cache's folder. Blocking."""
        place.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = version.config
        bin_folder = self._environments.python(version.environment_digest).parent
        name = "train" if train else "AsyncPredictor" if config.is_async else "Predictor"
        environment = {
            **{name: self._variables[name] for name in PASSED_ON if name in self._variables},
            **dict.fromkeys(THREAD_LIMITS, str(place.share.cpus)),
            **_caches(place.cache),
            **config.environment,
            **(secrets or {}),
            **_devices(place.share),
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
            "COGYARD_COG": version.cog_version,
            "COGYARD_PREDICT": config.predict,
            "COGYARD_SPOOL": str(place.scratch / "spool"),
            "COGYARD_NONCE": place.nonce,
            "COGYARD_SERVER_PID": str(os.getpid()),
        }
        if config.train is not None:
            environment["COGYARD_TRAIN"] = config.train
        if weights is not None:
            environment["COG_WEIGHTS"] = str(weights)
        mode = ("train",) if train else ()
        return Launch(
            command=(str(bin_folder / "python"), str(SERVER), *mode),
            environment=environment,
            folder=self._sources / (f"{version.id}{TRAINING}" if train else version.id),
            share=place.share,
        )


def _devices(share: Share) -> dict[str, str]:
    """What shows a process its own devices and no others; counted as the machine's tools count them."""
    indexes = ",".join(map(str, share.gpus))
    return {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": indexes,
        "NVIDIA_VISIBLE_DEVICES": indexes or "void",
    }


def _caches(folder: Path) -> dict[str, str]:
    """Where libraries keep the weights that they fetch."""
    return {
        "XDG_CACHE_HOME": str(folder),
        "HF_HOME": str(folder / "huggingface"),
        "TORCH_HOME": str(folder / "torch"),
    }
