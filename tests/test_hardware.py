"""What the words for hardware mean on a machine."""

import pytest

from cogyard.domain.errors import InvalidResource
from cogyard.domain.hardware import GIB, Gpu, Machine
from cogyard.hardware import EXPECTED, WORDS, HardwareKinds, OwnKind


def kinds(gpus: int = 0, cpus: int = 8, memory: int = 64, instances: int = 4, **own: OwnKind) -> HardwareKinds:
    """Those of a machine with so many devices, processors and GiB."""
    devices = tuple(Gpu(index=index, name="NVIDIA L40S", memory=45 * GIB) for index in range(gpus))
    there = Machine(cpus=cpus, memory=memory * GIB, gpus=devices, max_instances=instances)
    return HardwareKinds(there, {name.replace("_", "-"): kind for name, kind in own.items()})


def test_every_word_of_replicate_runs_on_a_machine_without_devices() -> None:
    small = kinds()

    for sku in WORDS:
        small.check(sku)
        assert small.needs(sku, wants_gpu=True).hardware.gpus == 0


@pytest.mark.parametrize(
    ("devices", "sku", "expected"),
    [(1, "gpu-t4", 1), (2, "gpu-h100", 1), (1, "gpu-l40s-2x", 1), (2, "gpu-a100-large-2x", 2)],
)
def test_a_word_means_as_many_devices_as_it_says_and_as_there_are(devices: int, sku: str, expected: int) -> None:
    assert kinds(gpus=devices).needs(sku, wants_gpu=False).hardware.gpus == expected


def test_names_are_those_that_people_read() -> None:
    assert {kind.sku: kind.name for kind in kinds(gpus=1).kinds} == WORDS


def test_a_small_machine_has_a_small_cpu() -> None:
    little = {kind.sku: kind for kind in kinds(cpus=1, memory=2).kinds}

    assert (little["cpu"].cpus, little["cpu"].memory) == (1, 2 * GIB * 3 // 4)
    assert little["cpu-small"].memory <= little["cpu"].memory


def test_a_model_that_wants_a_device_gets_one_where_there_is_one() -> None:
    assert kinds(gpus=1).needs("cpu", wants_gpu=True).hardware.gpus == 1
    assert kinds(gpus=1).needs("cpu", wants_gpu=False).hardware.gpus == 0
    assert kinds(gpus=0).needs("cpu", wants_gpu=True).hardware.gpus == 0


def test_memory_is_a_guess_until_one_was_seen_and_never_more_than_its_kind_has() -> None:
    cpu = kinds()
    limit = cpu.needs("cpu", wants_gpu=False).hardware.memory

    assert cpu.needs("cpu", wants_gpu=False).memory == EXPECTED
    assert cpu.needs("cpu", wants_gpu=False, peak_memory=5 * GIB).memory == 6 * GIB
    assert cpu.needs("cpu", wants_gpu=False, peak_memory=500 * GIB).memory == limit


def test_a_kind_of_the_settings_is_taken_at_its_word() -> None:
    given = kinds(gpus=1, half_gpu=OwnKind(name="Half a GPU", cpus=2, memory=4 * GIB, gpus=1, gpu_memory=20 * GIB))
    needs = given.needs("half-gpu", wants_gpu=True, peak_memory=GIB)

    assert (needs.hardware.name, needs.hardware.cpus, needs.hardware.gpu_memory) == ("Half a GPU", 2, 20 * GIB)
    assert needs.memory == 4 * GIB, "all of it is reserved, whatever was seen"


def test_what_a_kind_of_the_settings_leaves_out_is_as_cpu_has_it() -> None:
    given = {kind.sku: kind for kind in kinds(mine=OwnKind()).kinds}

    assert (given["mine"].name, given["mine"].cpus, given["mine"].memory) == (
        "mine",
        given["cpu"].cpus,
        given["cpu"].memory,
    )


def test_a_kind_that_is_gone_from_the_settings_is_cpu() -> None:
    assert kinds().needs("gone", wants_gpu=False).hardware.sku == "cpu"


def test_a_kind_that_there_is_not_is_refused_with_the_options() -> None:
    with pytest.raises(
        InvalidResource, match=r"gpu-t5 is not a valid hardware SKU\. Your options are: cpu, cpu-small, gpu-a100"
    ):
        kinds().check("gpu-t5")


def test_a_kind_that_the_machine_does_not_have_is_refused_with_what_is_missing() -> None:
    with pytest.raises(InvalidResource, match=r"hardware big needs 2 GPUs, more than this machine has \(1 GPU\)"):
        kinds(gpus=1, big=OwnKind(gpus=2)).check("big")


def test_more_instances_than_fit_do_not_fit() -> None:
    two = kinds(gpus=2)

    assert two.misfit("gpu-l40s", 2) is None
    assert two.misfit("gpu-l40s", 3) == "this machine holds 2 on hardware gpu-l40s"
    assert kinds(instances=4).misfit("cpu-small", 5) == "this machine holds 4 on hardware cpu-small"
