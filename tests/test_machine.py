"""What `nvidia-smi` says, as it was recorded, and what is made of it."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cogyard import machine
from cogyard.domain.hardware import Gpu
from cogyard.machine import MIB, detect, parse_gpus

ONE_T4 = "0, GPU-8a56a4bc-e184-a047-2620-be19fdf913d5, Tesla T4, 15360\n"
TWO_L40S = """\
0, GPU-2f1b0a53-7a1c-4b2d-9f0e-0c5d3c1f6a11, NVIDIA L40S, 46068
1, GPU-91c7e6d2-33f4-4be5-8a77-5f0a2d9be402, NVIDIA L40S, 46068
"""
ONE_LOST = """\
0, GPU-2f1b0a53-7a1c-4b2d-9f0e-0c5d3c1f6a11, NVIDIA L40S, 46068
1, GPU-91c7e6d2-33f4-4be5-8a77-5f0a2d9be402, [GPU is lost], [GPU is lost]
"""
T4 = Gpu(index=0, uuid="GPU-8a56a4bc-e184-a047-2620-be19fdf913d5", name="Tesla T4", memory=15360 * MIB)


def says(printed: str | None) -> Callable[[Sequence[str]], str | None]:
    """A driver that answers so; None: there is no `nvidia-smi`."""
    return lambda command: printed if command[0] == "nvidia-smi" else None


def indexes(printed: str | None) -> list[int]:
    return [gpu.index for gpu in detect(4, cpus=2, memory=2**30, run=says(printed)).gpus]


@pytest.fixture(autouse=True)
def all_devices_are_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_one_device() -> None:
    assert parse_gpus(ONE_T4) == [T4]


def test_two_devices() -> None:
    assert [(gpu.index, gpu.name, gpu.memory // MIB) for gpu in parse_gpus(TWO_L40S)] == [
        (0, "NVIDIA L40S", 46068),
        (1, "NVIDIA L40S", 46068),
    ]


def test_a_lost_device_is_left_out() -> None:
    assert indexes(ONE_LOST) == [0]


@pytest.mark.parametrize("printed", [None, "", "\n", "No devices were found\n"])
def test_no_answer_is_no_device(printed: str | None) -> None:
    assert indexes(printed) == []


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("1", [1]),
        ("0,1", [0, 1]),
        (" 1 , 0 ", [0, 1]),
        ("GPU-91c7e6d2-33f4-4be5-8a77-5f0a2d9be402", [1]),
        ("GPU-91c7", [1]),
        ("7", []),
        ("", []),
        ("-1", []),
    ],
)
def test_devices_that_are_hidden_from_this_process_are_not_given_away(
    visible: str, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert indexes(TWO_L40S) == expected


def test_what_is_given_is_believed_and_the_driver_not_asked() -> None:
    def refuse(command: Sequence[str]) -> str | None:
        raise AssertionError(f"{command} was run")

    found = detect(3, cpus=64, memory=2**40, gpus=[T4], run=refuse)

    assert (found.cpus, found.memory, found.gpus, found.max_instances) == (64, 2**40, (T4,), 3)


def test_this_machine_has_something() -> None:
    found = detect(4, run=says(None))

    assert found.cpus >= 1
    assert found.memory > 2**20


def command_named_nvidia_smi(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_the_command_itself_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command_named_nvidia_smi(tmp_path, f"echo '{ONE_T4.strip()}'", monkeypatch)

    assert detect(1, cpus=1, memory=2**30).gpus == (T4,)


def test_a_driver_that_does_not_answer_is_no_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command_named_nvidia_smi(
        tmp_path, "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18", monkeypatch
    )

    assert detect(1, cpus=1, memory=2**30).gpus == ()


def test_a_command_that_is_not_there_is_no_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert detect(1, cpus=1, memory=2**30).gpus == ()


def test_a_driver_that_hangs_is_no_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command_named_nvidia_smi(tmp_path, "exec sleep 30", monkeypatch)
    monkeypatch.setattr(machine, "_SECONDS", 0.2)

    assert detect(1, cpus=1, memory=2**30).gpus == ()


def control_group(says: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a control group, by name; those that are not named are not there."""
    monkeypatch.setattr(machine, "_words", lambda name: says.get(name, "").split())


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000"}, 8),
        ({"cpu.max": "200000 100000"}, 2),
        ({"cpu.max": "250000 100000"}, 2),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "1600000 100000"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
    ],
)
def test_processors_are_those_that_the_control_group_allows(
    files: dict[str, str], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    control_group(files, monkeypatch)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: range(8), raising=False)

    assert detect(1, memory=2**30, gpus=()).cpus == expected


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_memory_is_what_the_control_group_allows_less_what_is_kept_back(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    control_group({name: str(100 * MIB)}, monkeypatch)

    assert detect(1, cpus=1, gpus=()).memory == 95 * MIB


def test_memory_without_a_limit_is_that_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    control_group({"memory.max": "max"}, monkeypatch)
    unlimited = detect(1, cpus=1, gpus=()).memory
    control_group({"memory/memory.limit_in_bytes": str(2**63 - 4096)}, monkeypatch)

    assert detect(1, cpus=1, gpus=()).memory == unlimited
