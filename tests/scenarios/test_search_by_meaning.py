"""Models found by what they mean, with an embedding model of this server's own."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.yard import FOLDERS, ROOT, Yard, wait_until

pytestmark = pytest.mark.slow

QUESTION = "a feathered animal"
"""No word of it stands in any model's text."""


def found(yard: Yard, question: str) -> list[str]:
    with yard.http as http:
        hits: list[dict[str, Any]] = http.get("/search", params={"query": question}).json()["models"]
    return [f"{hit['model']['owner']}/{hit['model']['name']}" for hit in hits]


def described(folder: Path, source: Path, description: str) -> Path:
    shutil.copytree(source, folder)
    (folder / "cogyard.yaml").write_text(f"description: {description}\n")
    return folder


def test_a_model_is_found_whose_words_nobody_used(own_yard: Yard, tmp_path: Path) -> None:
    own_yard.settings["search_embeddings"] = "acme/minilm"
    yard = own_yard.start()
    yard.push(described(tmp_path / "one", FOLDERS / "canary-stream", "Sings like a small yellow bird."), "acme/singer")
    yard.push(described(tmp_path / "two", FOLDERS / "picture", "Draws a chart of company profits."), "acme/charts")

    assert found(yard, QUESTION) == []  # there is no embedding model yet: searches go by words
    yard.push(ROOT / "models" / "all-minilm-l6-v2", "acme/minilm", "--no-examples")
    wait_until(lambda: found(yard, QUESTION), 120, "the first search by meaning")

    assert found(yard, QUESTION)[0] == "acme/singer"
    assert found(yard, "chart of profits")[0] == "acme/charts"
    with yard.http as http:
        assert http.get("/predictions").json()["results"] == []  # its predictions are nobody's


def test_a_changed_text_is_embedded_anew(own_yard: Yard, tmp_path: Path) -> None:
    own_yard.settings["search_embeddings"] = "acme/minilm"
    yard = own_yard.start()
    yard.push(ROOT / "models" / "all-minilm-l6-v2", "acme/minilm", "--no-examples")
    yard.push(described(tmp_path / "one", FOLDERS / "canary-stream", "Sings like a small yellow bird."), "acme/singer")
    wait_until(lambda: "acme/singer" in found(yard, QUESTION), 120, "the first search by meaning")
    with yard.http as http:
        changed = http.patch("/models/acme/singer", json={"description": "Computes tax returns for companies."})

    assert changed.status_code == 200
    wait_until(lambda: "acme/singer" in found(yard, "levies on business revenue"), 60, "the new meaning")
    assert "acme/singer" not in found(yard, QUESTION)
