"""What a Cog server finds in its environment."""

import stat
from dataclasses import replace
from pathlib import Path

from cogyard.clock import SystemClock
from cogyard.domain.catalog import BuildConfig, Version
from cogyard.domain.hardware import Share
from cogyard.domain.values import VersionId
from cogyard.ports import Launch, Place
from cogyard.runtime import pins
from cogyard.runtime.environment import Environments
from cogyard.runtime.venv import THREAD_LIMITS, VenvRuntime

VERSION = Version(
    id=VersionId("v"),
    created_at=SystemClock().now(),
    cog_version=pins.COG,
    openapi_schema={},
    config=BuildConfig(predict="predict.py:Predictor"),
    source_digest="",
    environment_digest="cog",
)


def launch(
    root: Path, share: Share, *, own: dict[str, str] | None = None, servers: dict[str, str] | None = None
) -> Launch:
    """`own` is the model's environment, `servers` that of the server."""
    runtime = VenvRuntime(Environments(root, root, root, {}), root / "sources", servers or {})
    place = Place(scratch=root / "one", cache=root / "cache" / "v", port=1, nonce="n", share=share)
    return runtime.launch(replace(VERSION, config=replace(VERSION.config, environment=own or {})), place)


def test_an_instance_sees_its_own_devices_counted_as_the_machine_counts_them(tmp_path: Path) -> None:
    found = launch(tmp_path, Share(gpus=(1, 3)), servers={"CUDA_VISIBLE_DEVICES": "0,1,2,3"}).environment

    assert found["CUDA_VISIBLE_DEVICES"] == found["NVIDIA_VISIBLE_DEVICES"] == "1,3"
    assert found["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_an_instance_without_devices_sees_none_whatever_it_asks_for(tmp_path: Path) -> None:
    found = launch(tmp_path, Share(), own={"CUDA_VISIBLE_DEVICES": "0"}, servers={"CUDA_VISIBLE_DEVICES": "0"})

    assert found.environment["CUDA_VISIBLE_DEVICES"] == ""
    assert found.environment["NVIDIA_VISIBLE_DEVICES"] == "void"


def test_libraries_use_as_many_threads_as_the_share_has_processors_unless_the_model_knows_better(
    tmp_path: Path,
) -> None:
    found = launch(tmp_path, Share(cpus=3), own={"OMP_NUM_THREADS": "1"}).environment

    assert {name: found[name] for name in THREAD_LIMITS} == {
        **dict.fromkeys(THREAD_LIMITS, "3"),
        "OMP_NUM_THREADS": "1",
    }


def test_fetched_weights_are_shared_and_private_to_the_server(tmp_path: Path) -> None:
    found = launch(tmp_path, Share(), own={"TORCH_HOME": "/elsewhere"}).environment
    cache = tmp_path / "cache" / "v"

    assert found["HF_HOME"] == str(cache / "huggingface")
    assert found["XDG_CACHE_HOME"] == str(cache)
    assert found["TORCH_HOME"] == "/elsewhere"
    assert found["HOME"] == str(tmp_path / "one" / "home")
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
