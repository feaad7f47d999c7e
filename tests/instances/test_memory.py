"""How much memory a model may use, and what happens past that."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cogyard.domain.hardware import Share
from cogyard.instances import memory
from cogyard.instances.memory import MemoryGroup, MemoryGroups, told_bytes
from tests.instances.cogs import LIMITS, Cogs, Model

pytestmark = pytest.mark.anyio

MIB = 2**20
SMALL = Share(memory_limit=200 * MIB)
OUT = "it used more memory than its hardware allows (200.0 MiB)"
OFTEN = timedelta(seconds=0.05)


@asynccontextmanager
async def memory_groups() -> AsyncIterator[MemoryGroups]:
    groups = MemoryGroups.find()
    if groups is None:
        pytest.skip("no control groups may be made here")
    yield groups
    groups.close()


async def assert_hog_dies_alone(cogs: Cogs, do: str) -> None:
    beside = replace(cogs, work=cogs.work / "beside", share=Share())
    hogs = replace(cogs, share=SMALL)
    async with hogs.running("unruly", memory_interval=OFTEN) as hog, beside.running("unruly") as neighbour:
        told = await hog.run({"do": do, "n": 350})

        assert told.reason == OUT
        assert await hog.driver.exited() == OUT
        assert (await neighbour.run({"do": "quiet"})).output == "quiet"


@pytest.mark.parametrize("do", ["hog", "hog_in_child"])
async def test_a_hog_in_its_control_group_is_killed_and_its_neighbour_works_on(cogs: Cogs, do: str) -> None:
    async with memory_groups() as groups:
        await assert_hog_dies_alone(replace(cogs, groups=groups), do)


@pytest.mark.parametrize("do", ["hog", "hog_in_child"])
async def test_a_hog_without_a_control_group_is_seen_and_killed(cogs: Cogs, do: str) -> None:
    await assert_hog_dies_alone(cogs, do)


async def test_one_claim_that_is_far_too_large_is_refused_where_there_is_no_control_group(cogs: Cogs) -> None:
    async with replace(cogs, share=SMALL).running("unruly") as model:
        assert "MemoryError" in (await model.run({"do": "claim", "n": 500})).logs
        assert (await model.run({"do": "claim", "n": 50})).output == 50 * MIB


async def test_all_processes_of_an_instance_are_in_its_group_and_the_group_goes_with_them(cogs: Cogs) -> None:
    async with memory_groups() as groups:
        async with replace(cogs, share=SMALL, groups=groups).running("unruly") as model:
            [folder] = [entry for entry in groups.folder.iterdir() if entry.is_dir()]
            members = [int(pid) for pid in (folder / "cgroup.procs").read_text().split()]

            assert set(members) == {process.pid for process in model.group}
            await until_it_uses(model, 10 * MIB)
        assert not folder.exists()
    assert not groups.folder.exists()


async def test_a_process_that_left_the_process_group_ends_with_the_control_group(cogs: Cogs) -> None:
    async with memory_groups() as groups, replace(cogs, groups=groups).running("unruly") as model:
        [daemon] = (await model.run({"do": "daemon"})).items
        await model.driver.stop()

        assert not Path(f"/proc/{daemon}").exists() or "Z" in Path(f"/proc/{daemon}/stat").read_text().split()[2]


async def test_what_an_instance_uses_is_known_without_a_control_group_too(cogs: Cogs) -> None:
    async with cogs.running("unruly", memory_interval=OFTEN) as model:
        await until_it_uses(model, 20 * MIB)
    assert model.driver.memory() == 0


async def until_it_uses(model: Model, size: int) -> None:
    async with asyncio.timeout(5):
        while model.driver.memory() < size:  # noqa: ASYNC110 - it is looked at now and then
            await asyncio.sleep(0.01)


async def test_groups_of_a_dead_server_are_removed_at_the_next_start() -> None:
    async with memory_groups() as groups:
        dead = groups.folder.with_name("cogyard-4194304-1")
        (dead / "one").mkdir(parents=True)
        MemoryGroups.find()

        assert not dead.exists()
        assert groups.folder.exists()


def fake_version_2(root: Path, members: str) -> Path:
    """A group of version 2 as the kernel shows it, `members` in it; what is known of it under /proc."""
    own, proc = root / "cgroup" / "unit", root / "proc" / "self"
    own.mkdir(parents=True)
    proc.mkdir(parents=True)
    (own / "cgroup.controllers").write_text("cpu memory pids\n")
    (own / "cgroup.subtree_control").write_text("\n")
    (own / "cgroup.procs").write_text(members)
    (proc / "cgroup").write_text("0::/unit\n")
    (proc / "mountinfo").write_text(f"30 23 0:27 / {root / 'cgroup'} rw,nosuid - cgroup2 cgroup2 rw\n")
    return proc.parent


def test_a_delegated_group_of_version_2_is_divided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "REMOVAL_SECONDS", 0.0)
    monkeypatch.setattr(os, "getpid", lambda: 77)
    groups = MemoryGroups.find(fake_version_2(tmp_path, "77\n"))

    assert groups is not None
    assert groups.folder.parent == tmp_path / "cgroup" / "unit"
    assert (groups.folder.parent / "server" / "cgroup.procs").read_text() == "77"
    assert (groups.folder.parent / "cgroup.subtree_control").read_text() == "+memory"
    made = groups.make("one", 3 * MIB)
    assert (made.folder / "memory.max").read_text() == str(3 * MIB)
    assert (made.folder / "memory.swap.max").read_text() == "0"


def test_a_group_of_version_2_that_others_share_is_left_alone(tmp_path: Path) -> None:
    proc = fake_version_2(tmp_path, "1\n77\n")

    assert MemoryGroups.find(proc) is None
    assert not (tmp_path / "cgroup" / "unit" / "server").exists()


def test_a_machine_without_control_groups_has_none(tmp_path: Path) -> None:
    assert MemoryGroups.find(tmp_path) is None


@pytest.mark.parametrize(("oom", "ran_out"), [(1, True), (0, False)])
def test_version_2_tells_use_without_cache_and_whose_fault_a_kill_was(tmp_path: Path, oom: int, ran_out: bool) -> None:
    (tmp_path / "memory.current").write_text("5000\n")
    (tmp_path / "memory.stat").write_text("anon 3000\ninactive_file 1500\n")
    (tmp_path / "memory.events").write_text(f"low 0\nmax 9\noom {oom}\noom_kill 1\n")
    group = MemoryGroup(tmp_path, is_unified=True)

    assert group.used() == 3500
    assert group.ran_out() is ran_out


@pytest.mark.parametrize(("size", "told"), [(8 * 2**30, "8.0 GiB"), (300 * MIB, "300.0 MiB"), (2**30, "1.0 GiB")])
def test_sizes_are_told_as_people_say_them(size: int, told: str) -> None:
    assert told_bytes(size) == told


def test_limits_have_defaults_that_a_slow_machine_can_keep() -> None:
    assert timedelta(seconds=30) == LIMITS.begin_timeout
