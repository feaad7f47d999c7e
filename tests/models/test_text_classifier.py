"""The text classifier: any labels untrained, and a real training on a user's file."""

import ast
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.clients.conftest import StarterYard, python1
from tests.models.tickets import TICKETS, UNSEEN, as_csv
from tests.yard import ROOT, wait_until

pytestmark = pytest.mark.slow


def base(yard: StarterYard) -> str:
    with yard.http as http:
        version = http.get("/models/cogyard/text-classifier").json()["latest_version"]["id"]
    return f"cogyard/text-classifier:{version}"


@pytest.fixture
def destination(starter: StarterYard, request: pytest.FixtureRequest) -> str:
    """A model of the caller's, for the results of one test."""
    name = f"tickets-{abs(hash(request.node.nodeid)):x}"
    with starter.http as http:
        body = {"owner": "cogyard", "name": name, "visibility": "private", "hardware": "cpu"}
        assert http.post("/models", json=body).status_code == 201
    return f"cogyard/{name}"


def upload(yard: StarterYard, content: bytes, name: str = "tickets.csv") -> str:
    with yard.http as http:
        url: str = http.post("/files", files={"content": (name, content)}).json()["urls"]["get"]
    return url


def train(yard: StarterYard, destination: str, content: bytes, name: str = "tickets.csv", **more: Any) -> str:
    model, _, version = base(yard).partition(":")
    body = {"destination": destination, "input": {"data": upload(yard, content, name), **more}}
    with yard.http as http:
        response = http.post(f"/models/{model}/versions/{version}/trainings", json=body)
    assert response.status_code == 201, response.text
    training: str = response.json()["id"]
    return training


def labels_of(done: dict[str, Any]) -> list[str]:
    assert done["status"] == "succeeded", done["error"]
    return [each["label"] for each in done["output"]]


# --- untrained ------------------------------------------------------------------------------------------------------


def test_its_example_was_really_made_and_is_right(starter: StarterYard) -> None:
    with starter.http as http:
        model = http.get("/models/cogyard/text-classifier").json()
    example = model["default_example"]

    assert example["version"] == model["latest_version"]["id"]
    assert labels_of(example) == example["input"]["labels"] == ["sport", "cooking", "finance"]


@pytest.mark.parametrize(
    ("text", "labels", "label"),
    [
        ("My parcel has not arrived yet.", ["billing", "delivery", "technical problem"], "delivery"),
        ("I was charged twice this month.", ["delivery", "billing", "technical problem"], "billing"),
        ("The doctor prescribed antibiotics.", ["medicine", "music", "gardening"], "medicine"),
        ("She tuned her guitar before the concert.", ["medicine", "music", "gardening"], "music"),
    ],
)
def test_untrained_it_takes_any_labels(starter: StarterYard, text: str, labels: list[str], label: str) -> None:
    done = starter.run(base(starter), {"text": text, "labels": labels})
    scores = done["output"][0]["scores"]

    assert labels_of(done) == [label]
    assert scores == sorted(scores, key=lambda each: -each["score"])
    assert {each["label"] for each in scores} == set(labels)
    assert sum(each["score"] for each in scores) == pytest.approx(1, abs=0.001)


def test_only_the_best_scores_are_shown_when_asked(starter: StarterYard) -> None:
    done = starter.run(base(starter), {"text": "a song", "labels": ["music", "war", "food"], "top_k": 2})

    assert len(done["output"][0]["scores"]) == 2


@pytest.mark.parametrize(
    ("model_input", "sentence"),
    [
        ({"labels": ["a", "b"]}, "There is nothing to classify"),
        ({"text": "hi"}, "This version is not trained: give labels"),
        ({"text": "hi", "labels": ["one", "one "]}, "Give two labels or more"),
        ({"texts": ["hi", " "], "labels": ["a", "b"]}, "Text 2 of 2 is empty"),
        ({"texts": ["hi"] * 1025, "labels": ["a", "b"]}, "1025 texts were given; the most at a time is 1024"),
    ],
)
def test_it_says_what_is_wrong_with_an_input(starter: StarterYard, model_input: dict[str, Any], sentence: str) -> None:
    done = starter.run(base(starter), model_input)

    assert done["status"] == "failed"
    assert sentence in done["error"]


def test_its_environment_is_the_one_of_the_embeddings(starter: StarterYard) -> None:
    lines = [line for line in starter.log().splitlines() if line.startswith("cogyard/text-classifier: ")]

    assert any("using the environment" in line for line in lines)
    assert not any("installing" in line for line in lines)


def test_its_network_is_the_one_of_the_embeddings() -> None:
    """A Cog folder stands alone, so the code is there twice; it must not drift apart."""

    def functions(path: str) -> dict[str, str]:
        tree = ast.parse((ROOT / "models" / path).read_text())
        return {node.name: ast.dump(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}

    ours, theirs = functions("text-classifier/minilm.py"), functions("all-minilm-l6-v2/predict.py")

    for name in ("find_folder", "embed", "embed_tokens", "run_layer", "linear", "norm", "gelu"):
        assert ours[name] == theirs[name]


# --- trained --------------------------------------------------------------------------------------------------------


def test_a_training_on_a_users_file_gives_a_version_that_knows_its_labels(
    starter: StarterYard, destination: str
) -> None:
    before = base(starter)
    training = train(starter, destination, as_csv(TICKETS))
    ended = starter.end_of(training)
    with starter.http as http:
        latest = http.get(f"/models/{destination}").json()["latest_version"]["id"]
    done = starter.run(ended["output"]["version"], {"texts": [text for text, _ in UNSEEN]})
    right = sum(label == wanted for label, (_, wanted) in zip(labels_of(done), UNSEEN, strict=True))
    untrained = starter.run(before, {"text": UNSEEN[0][0]})

    assert ended["status"] == "succeeded", ended["error"]
    assert ended["output"]["version"] == f"{destination}:{latest}"
    assert right >= len(UNSEEN) - 1
    assert base(starter) == before
    assert "This version is not trained" in untrained["error"]


def test_a_training_tells_its_progress_and_its_accuracy(starter: StarterYard, destination: str) -> None:
    ended = starter.end_of(train(starter, destination, as_csv(TICKETS)))
    percents = [int(line.partition("%|")[0]) for line in ended["logs"].splitlines() if "%|" in line]
    metrics = ended["metrics"]

    assert ended["logs"].startswith("36 texts with 3 labels\n")
    assert percents == sorted(set(percents))
    assert len(percents) > 2
    assert percents[-1] == 100
    assert f"accuracy {metrics['accuracy']:.3f}: " in ended["logs"]
    assert metrics["accuracy"] > 0.8
    assert (metrics["text_count"], metrics["label_count"], metrics["held_out_count"]) == (36, 3, 6)
    assert metrics["predict_time"] > 0


def test_the_weights_are_a_small_file_of_plain_arrays(starter: StarterYard, destination: str) -> None:
    ended = starter.end_of(train(starter, destination, as_csv(TICKETS)))
    content = httpx.get(ended["output"]["weights"], trust_env=False).content
    with zipfile.ZipFile(io.BytesIO(content)) as weights:
        names, labels = weights.namelist(), weights.read("labels.npy")

    assert len(content) < 10_000
    assert names == ["weights.npy", "bias.npy", "labels.npy"]
    assert labels.endswith(b'["billing", "delivery", "technical"]')


def test_the_same_file_gives_the_same_version_whatever_was_held_out(starter: StarterYard, destination: str) -> None:
    one, other, another = (
        starter.end_of(train(starter, destination, as_csv(TICKETS), seed=seed, epochs=epochs))["output"]["version"]
        for seed, epochs in ((0, 200), (5, 200), (0, 20))
    )

    assert one == other != another


def test_a_trained_version_chooses_among_its_labels_and_takes_no_others(starter: StarterYard, destination: str) -> None:
    version = starter.end_of(train(starter, destination, as_csv(TICKETS)))["output"]["version"]
    among = starter.run(version, {"text": "My parcel has not arrived.", "labels": ["billing", "technical"]})
    strange = starter.run(version, {"text": "hi", "labels": ["billing", "sport"]})

    assert {each["label"] for each in among["output"][0]["scores"]} == {"billing", "technical"}
    assert "was not trained on the label 'sport'; it knows 'billing', 'delivery', 'technical'" in strange["error"]


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("t.tsv", lambda rows: "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows)),
        ("t.csv", lambda rows: "﻿label;id;text\r\n" + "".join(f'{label};7;"{text}"\r\n' for text, label in rows)),
        ("t.jsonl", lambda rows: "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)),
        ("t", lambda rows: "text,label\n\n" + "".join(f'"{text}\n""so"", he said",{label}\n' for text, label in rows)),
    ],
    ids=["TSV", "semicolons and a byte order mark", "JSON lines", "line ends and quotes in texts"],
)
def test_the_usual_files_are_read(
    starter: StarterYard, destination: str, name: str, write: Callable[[list[tuple[str, str]]], str]
) -> None:
    ended = starter.end_of(train(starter, destination, write(TICKETS).encode(), name))

    assert ended["status"] == "succeeded", ended["error"]
    assert ended["metrics"]["accuracy"] > 0.6


def test_columns_may_have_other_names_and_nothing_needs_to_be_held_out(starter: StarterYard, destination: str) -> None:
    content = as_csv(TICKETS).replace(b"text,label", b"question,team")
    names = {"text_column": "question", "label_column": "team"}
    ended = starter.end_of(train(starter, destination, content, validation_split=0, **names))

    assert ended["status"] == "succeeded", ended["error"]
    assert "accuracy" not in ended["metrics"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty; give CSV or TSV"),
        (b"\n \n", "The file is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "The file is not UTF-8 text (byte 0)"),
        (b"text,label\0\n", "it holds zero bytes"),
        (b"Just some prose.\nAnd more.\n", "has no column 'text'; it has 'Just some prose.'"),
        (
            b"question,team\na,b\n",
            "The file, read as CSV, has no column 'text'; it has 'question', 'team'. Set text_col",
        ),
        (b"text\tteam\na\tb\n", "The file, read as TSV, has no column 'label'; it has 'text', 'team'. Set label_col"),
        (b"text,label\n", "has column names and no rows"),
        (b"text,label\na,x\nb,x\n", "All rows have the label 'x'"),
        (b"text,label\na,x\nb,x\nc,y\n", "Each label needs two rows or more; only one has 'y'"),
        (b"text,label\na,x\nwell, now,x\n", "Line 3 has 3 fields where the first line names 2 columns"),
        (b"text,label\na,x\n,x\n", "Line 3 has nothing in the column 'text'"),
        (b'text,label\na,x\n"b,x\nc,y\n', "line 3: unexpected end of data"),
        (b'{"text": "a", "label": "x"}\n{"text": "b"}\n', "Line 2 has no column 'label'; it has 'text'"),
        (b'{"text": "a", "label": "x"}\n{"text": 3, "label": "x"}\n', "Line 2: 'text' is not a string"),
        (b'{"text": "a", "label": "x"}\nnonsense\n', "Line 2 is not valid JSON"),
        (b'{"text": "\\ud83d", "label": "x"}\n', "Line 1 holds half of a character"),
        (b'{"text": "a", "label": ' + b"[" * 100_000, "Line 1 is not valid JSON"),
        (b'[{"text": "a", "label": "x"}]', "The file holds a JSON array; give JSON lines"),
        (b"text,label\n" + b"a,x\n" * 100_001, "The file has more than 100,000 rows"),
        (
            b"text,label\n" + b"".join(b"a,%d\n" % (n // 2) for n in range(2002)),
            "holds 1,001 labels; the most is 1,000.",
        ),
    ],
)
def test_a_bad_file_is_told_in_a_sentence(
    starter: StarterYard, destination: str, content: bytes, sentence: str
) -> None:
    ended = starter.end_of(train(starter, destination, content))
    with starter.http as http:
        versions = http.get(f"/models/{destination}/versions").json()["results"]

    assert ended["status"] == "failed"
    assert sentence in ended["error"]
    assert versions == []


def test_a_long_training_is_canceled_in_its_middle(starter: StarterYard, destination: str) -> None:
    rows = [(f"{text} Ticket {number}.", label) for number in range(300) for text, label in TICKETS]
    training = train(starter, destination, as_csv(rows))
    wait_until(lambda: "%|" in (starter.get(training)["logs"] or ""), 60, "progress")
    with starter.http as http:
        canceled = http.post(f"/trainings/{training}/cancel").json()
        versions = http.get(f"/models/{destination}/versions").json()["results"]
    after = starter.end_of(train(starter, destination, as_csv(TICKETS)))

    assert canceled["status"] == "canceled"
    assert "100%|" not in starter.get(training)["logs"]
    assert versions == []
    assert after["status"] == "succeeded"


def test_the_python_client_trains_and_runs_the_result(starter: StarterYard) -> None:
    got = python1(starter, "main_job_training_python1.py")

    assert got["status"] == "succeeded"
    assert got["version"].startswith("cogyard/python-tickets:")
    assert got["label"] == "delivery"
