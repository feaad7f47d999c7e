"""Predictions that a model declared it takes together: one run, and everybody gets what is his."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.receiver import Receiver
from tests.scenarios.people import People
from tests.yard import FOLDERS, Yard, wait_until


@pytest.fixture(scope="module")
def lists(yard: Yard) -> str:
    """The reference of a model that takes up to eight predictions with lists together."""
    return yard.push(FOLDERS / "lists", "acme/lists")


@pytest.fixture
def behind(yard: Yard, lists: str, tmp_path: Path) -> Iterator[Callable[..., list[str]]]:
    """Creates predictions that all wait until the last of them is there: they come to the model together."""
    opened: list[Path] = []

    def create(*inputs: dict[str, Any], reference: str = lists) -> list[str]:
        gate = tmp_path / f"gate {len(opened)}"
        opened.append(gate)
        first = yard.create(reference, {"words": ["first"], "gate": str(gate)}).json()["id"]
        yard.until_status(first, "processing")
        with ThreadPoolExecutor(8) as pool:
            ids = [answer.json()["id"] for answer in pool.map(lambda given: yard.create(reference, given), inputs)]
        gate.touch()
        return ids

    yield create
    for gate in opened:
        gate.touch()


def said(done: dict[str, Any]) -> list[str]:
    assert done["status"] == "succeeded", done
    return [item["said"] for item in done["output"]]


def test_each_gets_his_own_part_of_one_run(yard: Yard, behind: Callable[..., list[str]]) -> None:
    ids = behind({"words": ["a"]}, {"words": ["b", "c"]}, {"words": ["d"]})

    ends = [yard.end_of(one) for one in ids]

    assert [said(end) for end in ends] == [["a"], ["b", "c"], ["d"]]
    assert {item["of"] for end in ends for item in end["output"]} == {4}
    assert len({item["call"] for end in ends for item in end["output"]}) == 1
    assert {end["metrics"]["batch_size"] for end in ends} == {3}
    assert {end["metrics"]["words"] for end in ends} == {4}
    assert len({(end["started_at"], end["completed_at"]) for end in ends}) == 1
    assert all("words: " in end["logs"] for end in ends)
