"""Trains the classifier on a user's file: frozen MiniLM vectors, and a logistic regression over them."""

import tempfile
import time
from pathlib import Path as FilePath

import numpy as np
from cog import BaseModel, Input, Path, current_scope
from examples_file import Examples, read_examples
from head import Head, Recipe, fit
from minilm import WIDTH, MiniLM
from progress import Progress


class TrainingOutput(BaseModel):
    weights: Path


def train(
    data: Path = Input(
        description="CSV or TSV with a line of column names, or JSON lines: a text and its label in each row, "
        "two rows or more for each label, up to 100,000 rows, in UTF-8."
    ),
    text_column: str = Input(description="The column, or key, with the text.", default="text"),
    label_column: str = Input(description="The column, or key, with the label.", default="label"),
    epochs: int = Input(description="How often all rows are gone through.", default=200, ge=1, le=10_000),
    learning_rate: float = Input(description="Size of the optimiser's steps.", default=0.01, ge=0.00001, le=1),
    l2: float = Input(
        description="Penalty on large weights: more of it guards small files against learning them by heart.",
        default=0.03,
        ge=0,
        le=100,
    ),
    validation_split: float = Input(
        description="Share of each label's rows that is held out to measure the accuracy. The result is then fitted to "
        "all rows.",
        default=0.2,
        ge=0,
        le=0.5,
    ),
    seed: int = Input(description="Chooses the rows that are held out.", default=0, ge=0),
) -> TrainingOutput:
    """Train on texts and their labels."""
    began = time.monotonic()
    examples = read_examples(FilePath(str(data)), text_column, label_column)
    labels = sorted(set(examples.labels))
    print(f"{len(examples.texts)} texts with {len(labels)} labels")
    places = {label: place for place, label in enumerate(labels)}
    targets = np.array([places[label] for label in examples.labels])
    held_out = choose_held_out(targets, validation_split, seed)
    progress = Progress(len(targets) + epochs * (2 if held_out.any() else 1))
    vectors = embed(examples, progress)
    recipe = Recipe(epochs, learning_rate, l2)
    if held_out.any():
        measured = run_fit(vectors[~held_out], targets[~held_out], labels, recipe, progress)
        report_accuracy(measured, vectors[held_out], targets[held_out])
    head = run_fit(vectors, targets, labels, recipe, progress)
    scope = current_scope()
    scope.record_metric("text_count", len(targets))
    scope.record_metric("label_count", len(labels))
    path = FilePath(tempfile.mkdtemp()) / "classifier.npz"
    head.save(path)
    print(f"trained in {time.monotonic() - began:.1f} s")
    return TrainingOutput(weights=Path(path))


def choose_held_out(targets: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which rows are held out: of each label the share, and never all."""
    chance = np.random.default_rng(seed)
    chosen = np.zeros(len(targets), dtype=bool)
    for target in np.unique(targets):
        rows = chance.permutation(np.flatnonzero(targets == target))
        chosen[rows[: min(round(len(rows) * share), len(rows) - 1)]] = True
    return chosen


def embed(examples: Examples, progress: Progress) -> np.ndarray:
    """One vector for each text."""
    vectors = np.empty((len(examples.texts), WIDTH), dtype=np.float32)
    for places, rows in MiniLM().batches(examples.texts):
        vectors[places] = rows
        progress.add(len(places))
    return vectors


def run_fit(vectors: np.ndarray, targets: np.ndarray, labels: list[str], recipe: Recipe, progress: Progress) -> Head:
    """The head after the last epoch."""
    for head, loss in fit(vectors, targets, labels, recipe):
        progress.add(1)
    print(f"loss {loss:.4f} on {len(targets)} texts after {recipe.epochs} epochs")
    return head


def report_accuracy(head: Head, vectors: np.ndarray, targets: np.ndarray) -> None:
    """Tell how many of the held-out texts get their label."""
    right = int((head.scores(vectors).argmax(axis=1) == targets).sum())
    print(f"accuracy {right / len(targets):.3f}: {right} of {len(targets)} held-out texts get their label")
    scope = current_scope()
    scope.record_metric("accuracy", round(right / len(targets), 4))
    scope.record_metric("held_out_count", len(targets))
