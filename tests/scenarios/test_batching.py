"""Predictions that a model declared it takes together: one run, and everybody gets what is his."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.receiver import receiver
from tests.scenarios.people import People
from tests.yard import FOLDERS, TOKEN, Yard, wait_until


@dataclass
class Waiting:
    """Lets predictions gather behind one that runs, so that they come to the model together."""

    yard: Yard
    reference: str
    folder: Path
    gates: list[Path] = field(default_factory=list)

    def gate(self) -> Path:
        made = self.folder / f"gate {len(self.gates)}"
        self.gates.append(made)
        return made

    def together(self, *inputs: dict[str, Any], tokens: tuple[str, ...] = (), **more: Any) -> list[str]:
        """Predictions with these inputs, in this order; by whom, if not by the admin."""
        gate = self.gate()
        first = self.yard.create(self.reference, {"words": ["first"], "gate": str(gate)}).json()["id"]
        self.yard.until_status(first, "processing")
        by = tokens or (TOKEN,) * len(inputs)
        ids = [self.create(token, given, **more) for token, given in zip(by, inputs, strict=True)]
        gate.touch()
        return ids

    def create(self, token: str, given: dict[str, Any], **more: Any) -> str:
        body = {"version": self.reference, "input": given, **more}
        answer = People(self.yard).ask(token, "POST", "/predictions", body)
        assert answer.status_code == 201, answer.text
        made: str = answer.json()["id"]
        return made

    def ends(self, ids: list[str], *tokens: str) -> list[dict[str, Any]]:
        by = tokens or (TOKEN,) * len(ids)
        return [self.end(one, token) for one, token in zip(ids, by, strict=True)]

    def end(self, prediction: str, token: str) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = People(self.yard).done(token, "GET", f"/predictions/{prediction}")
            return found if found["completed_at"] else None

        found: dict[str, Any] = wait_until(ended, 60, f"the end of {prediction}")
        return found


@pytest.fixture(scope="module")
def lists(yard: Yard) -> str:
    """The reference of a model that takes up to eight predictions with lists together."""
    return yard.push(FOLDERS / "lists", "acme/lists")


@pytest.fixture
def waiting(yard: Yard, lists: str, tmp_path: Path) -> Iterator[Waiting]:
    made = Waiting(yard, lists, tmp_path)
    yield made
    for gate in made.gates:
        gate.touch()


@pytest.fixture(scope="module")
def people(yard: Yard) -> dict[str, str]:
    """Tokens of two users."""
    return {name: People(yard).user(name) for name in ("bath", "batty")}


def said(done: dict[str, Any]) -> list[str]:
    assert done["status"] == "succeeded", done
    return [item["said"] for item in done["output"]]


def runs(ends: list[dict[str, Any]]) -> set[int]:
    """The model's calls in which these ran."""
    return {item["call"] for end in ends for item in end["output"]}


def test_each_gets_its_own_part_of_one_run(waiting: Waiting) -> None:
    ends = waiting.ends(waiting.together({"words": ["a"]}, {"words": ["b", "c"]}, {"words": ["d"]}))

    assert [said(end) for end in ends] == [["a"], ["b", "c"], ["d"]]
    assert len(runs(ends)) == 1
    assert {end["metrics"]["batch_size"] for end in ends} == {3}
    assert {end["metrics"]["words"] for end in ends} == {4}
    assert len({(end["started_at"], end["completed_at"]) for end in ends}) == 1
    assert all("words: " in end["logs"] for end in ends)


def test_a_batch_is_charged_as_one_run(waiting: Waiting) -> None:
    [whole, *_] = ends = waiting.ends(waiting.together(*[{"words": ["a"]}] * 4))
    with waiting.yard.http as http:
        seconds = [http.get(f"/predictions/{end['id']}/usage").json()["seconds"] for end in ends]

    assert sum(seconds) == pytest.approx(whole["metrics"]["predict_time"], abs=4e-6)
    assert len(set(seconds)) == 1


def test_others_get_their_own_and_nothing_of_what_the_model_said_of_all(
    waiting: Waiting, people: dict[str, str]
) -> None:
    tokens = (*people.values(), *people.values())
    ids = waiting.together(*[{"words": [f"secret {number}"]} for number in range(4)], tokens=tokens)

    ends = waiting.ends(ids, *tokens)

    assert [said(end) for end in ends] == [[f"secret {number}"] for number in range(4)]
    assert len(runs(ends)) == 1
    for end in ends:
        assert "secret" not in end["logs"] + str(end["metrics"])
        assert "what the model prints is not shown" in end["logs"]
        assert end["metrics"]["words"] == 4


def test_other_inputs_and_none_at_all_stay_apart(waiting: Waiting) -> None:
    ids = waiting.together(
        {"words": ["a"], "suffix": "!"}, {"words": ["b"]}, {"words": ["c"], "suffix": "!"}, {"words": []}
    )

    *ends, empty = waiting.ends(ids)

    assert [said(end) for end in ends] == [["a!"], ["b"], ["c!"]]
    assert ends[0]["output"][0]["call"] == ends[2]["output"][0]["call"] != ends[1]["output"][0]["call"]
    assert "batch_size" not in ends[1]["metrics"]
    assert empty["status"] == "failed", "this model looks at the last word"


def test_no_more_together_than_were_declared(waiting: Waiting) -> None:
    ends = waiting.ends(waiting.together(*[{"words": [str(number)]} for number in range(12)]))

    assert [said(end) for end in ends] == [[str(number)] for number in range(12)]
    assert [end["metrics"]["batch_size"] for end in ends] == [8] * 8 + [4] * 4


def test_what_fails_fails_alone(waiting: Waiting) -> None:
    good, bad, fine = waiting.ends(waiting.together({"words": ["a"]}, {"words": ["raise"]}, {"words": ["b"]}))

    assert said(good) == ["a"]
    assert said(fine) == ["b"]
    assert bad["status"] == "failed"
    assert bad["error"] == "ValueError: one of 1 words is bad"
    assert "the model failed; it runs again alone" in good["logs"]
    assert "batch_size" not in good["metrics"]


def test_an_output_that_cannot_be_split_is_given_to_nobody(waiting: Waiting) -> None:
    ends = waiting.ends(waiting.together({"words": ["a"]}, {"words": ["short"]}, {"words": ["b"]}))

    assert [said(end) for end in ends] == [["a"], ["short"], ["b"]]
    assert len(runs(ends)) == 3
    assert all("the model returned a list of 2 for 3 items; it runs again alone" in end["logs"] for end in ends)


def test_one_that_is_cancelled_ends_at_once_and_the_others_go_on(waiting: Waiting) -> None:
    gate = waiting.gate()
    ids = waiting.together(*[{"words": [word], "gate": str(gate)} for word in "abc"])
    for one in ids:
        waiting.yard.until_status(one, "processing")

    with waiting.yard.http as http:
        canceled = http.post(f"/predictions/{ids[0]}/cancel").json()
    assert canceled["status"] == "canceled"
    assert waiting.yard.get(ids[1])["status"] == "processing"
    gate.touch()

    _, *others = waiting.ends(ids)
    assert [said(end) for end in others] == [["b"], ["c"]]
    assert waiting.yard.get(ids[0])["output"] is None


def test_when_all_are_cancelled_the_run_is(waiting: Waiting) -> None:
    gate = waiting.gate()
    ids = waiting.together(*[{"words": [word], "gate": str(gate)} for word in "abc"])
    for one in ids:
        waiting.yard.until_status(one, "processing")

    with waiting.yard.http as http:
        for one in ids:
            http.post(f"/predictions/{one}/cancel")

    assert [end["status"] for end in waiting.ends(ids)] == ["canceled"] * 3
    assert said(waiting.yard.run(waiting.reference, {"words": ["next"]})) == ["next"], "its gate is still closed"


def test_the_time_of_one_runs_out_alone(waiting: Waiting) -> None:
    gate, reference = waiting.gate(), waiting.reference
    first = waiting.yard.create(reference, {"words": ["first"], "gate": str(gate)}).json()["id"]
    waiting.yard.until_status(first, "processing")
    second = waiting.gate()
    given = {"words": ["a"], "gate": str(second)}
    ids = [waiting.yard.create(reference, given, **more).json()["id"] for more in ({}, {"Cancel-After": "5s"})]
    gate.touch()

    assert waiting.yard.end_of(ids[1])["status"] == "canceled"
    assert waiting.yard.get(ids[0])["status"] == "processing"
    second.touch()
    assert said(waiting.yard.end_of(ids[0])) == ["a"]


def test_each_ones_webhook_is_told_of_it_alone(waiting: Waiting) -> None:
    with receiver() as heard:
        ids = waiting.together(
            {"words": ["a"]},
            {"words": ["b"]},
            webhook=f"{heard.url}/hook",
            webhook_events_filter=["start", "completed"],
        )
        waiting.ends(ids)
        wait_until(lambda: len(heard.got) >= 4, 10, "four webhooks")

    told = [(one.body["id"], one.body["status"]) for one in heard.got]
    assert sorted(told) == sorted((one, status) for one in ids for status in ("processing", "succeeded"))
    ends = {one.body["id"]: one.body for one in heard.got if one.body["status"] == "succeeded"}
    assert [said(ends[one]) for one in ids] == [["a"], ["b"]]


def test_one_that_kills_the_model_takes_nobody_with_it(waiting: Waiting) -> None:
    ids = waiting.together({"words": ["a"]}, {"words": ["die"]}, {"words": ["b"]})

    good, bad, fine = waiting.ends(ids)

    assert said(good) == ["a"]
    assert said(fine) == ["b"]
    assert bad["status"] == "failed"
    assert "exit code 3" in bad["error"]
    assert bad["logs"].count("was interrupted") == 2
    assert good["logs"].count("was interrupted") == 1
    assert len(runs([good, fine])) == 2 or good["output"][0]["of"] == 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The model's folder without its declaration."""
    made = tmp_path / "folder"
    shutil.copytree(FOLDERS / "lists", made)
    cog_yaml = made / "cog.yaml"
    cog_yaml.write_text(cog_yaml.read_text().partition("x-cogyard")[0])
    return made


def test_what_is_not_declared_never_happens_and_a_push_can_declare_it(yard: Yard, folder: Path, tmp_path: Path) -> None:
    plain = yard.push(folder, "acme/lists-plain")
    declared = yard.push(folder, "acme/lists-plain", "--batch", "words:3")
    again = yard.push(folder, "acme/lists-plain")
    sizes: dict[str, list[Any]] = {}
    waiting = Waiting(yard, plain, tmp_path)
    for waiting.reference in (plain, declared):
        ends = waiting.ends(waiting.together(*[{"words": [word]} for word in "abcd"]))
        sizes[waiting.reference] = [end["metrics"].get("batch_size") for end in ends]

    assert plain == again != declared
    assert sizes == {plain: [None] * 4, declared: [3, 3, 3, None]}


def test_each_slot_of_an_async_model_takes_a_batch(yard: Yard, folder: Path, tmp_path: Path) -> None:
    source = (folder / "predict.py").read_text().replace("    def predict", "    async def predict")
    slow = source.replace("time.sleep(0.01)", "await asyncio.sleep(0.01)").replace("import time", "import asyncio")
    (folder / "predict.py").write_text(slow)
    with (folder / "cog.yaml").open("a") as cog_yaml:
        cog_yaml.write("concurrency: {max: 2}\nx-cogyard: {batch: {input: words, max: 3}}\n")
    waiting = Waiting(yard, yard.push(folder, "acme/lists-async"), tmp_path)
    gates = [waiting.gate() for _ in range(3)]
    first = [yard.create(waiting.reference, {"words": ["a"], "gate": str(gate)}).json()["id"] for gate in gates[:2]]
    for one in first:
        yard.until_status(one, "processing")
    ids = [waiting.create(TOKEN, {"words": [word], "gate": str(gates[2])}) for word in "abcdef"]

    for gate in gates[:2]:
        gate.touch()
    for one in ids:  # two runs of three, neither of which can end
        yard.until_status(one, "processing")
    gates[2].touch()

    ends = waiting.ends(ids)
    assert [said(end) for end in ends] == [[word] for word in "abcdef"]
    assert [end["metrics"]["batch_size"] for end in ends] == [3] * 6


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("words", "'words' declares no batch: write INPUT:MAX"),
        ("word:4", "the push's batch: the model has no input word; its inputs are: words, suffix, gate."),
        ("suffix:4", "the push's batch: the input suffix is no list; give it the type list[…]."),
    ],
)
def test_a_declaration_that_the_schema_contradicts_is_refused(yard: Yard, folder: Path, option: str, told: str) -> None:
    done = yard.cogyard("push", str(folder), "acme/lists-wrong", "--batch", option)

    assert done.returncode != 0
    assert told in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("-> list[Any]", "-> str", "the output must be a list"),
        ("words: list[str]", "words: list[Path]", "the items of words are files or secrets"),
    ],
)
def test_a_folder_that_declares_what_it_cannot_keep_is_refused(
    yard: Yard, tmp_path: Path, before: str, after: str, told: str
) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(FOLDERS / "lists", folder)
    source = (folder / "predict.py").read_text().replace(before, after).replace("import Base", "import Path, Base")
    (folder / "predict.py").write_text(source)

    done = yard.cogyard("push", str(folder), "acme/lists-wrong")

    assert done.returncode != 0
    assert f"cog.yaml:6: {told}" in " ".join(done.stderr.split())


def test_a_killed_server_gives_all_of_a_batch_back(own_yard: Yard, tmp_path: Path) -> None:
    yard = own_yard.start()
    reference = yard.push(FOLDERS / "lists", "acme/lists", "--no-examples")
    waiting, gate = Waiting(yard, reference, tmp_path), tmp_path / "kept closed"
    ids = waiting.together(*[{"words": [word], "gate": str(gate)} for word in "abc"])
    for one in ids:
        yard.until_status(one, "processing")

    yard.kill()
    gate.touch()
    yard.start()

    ends = waiting.ends(ids)
    assert [said(end) for end in ends] == [["a"], ["b"], ["c"]]
    assert {item["of"] for end in ends for item in end["output"]} == {1}, "from the second attempt on alone"


def test_others_of_a_queue_are_not_kept_waiting(waiting: Waiting, people: dict[str, str]) -> None:
    bath, batty = people.values()
    ids = waiting.together(
        *[{"words": [str(number)]} for number in range(17)],
        {"words": ["mine"], "suffix": "!"},
        tokens=(bath,) * 17 + (batty,),
    )

    *ends, mine = waiting.ends(ids, *(bath,) * 17, batty)

    assert said(mine) == ["mine!"]
    assert mine["started_at"] < max(end["started_at"] for end in ends)
