"""The trained part: a multinomial logistic regression over MiniLM's vectors."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SCALE = 20.0
"""Vectors of length 1 are small steps for an optimiser; this makes them as large as it likes."""

PIECE = 4096
"""Rows at a time, which bounds memory."""


@dataclass(frozen=True)
class Head:
    """Labels, and what decides between them."""

    labels: list[str]
    weights: np.ndarray
    bias: np.ndarray

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """(texts, labels), each row with the sum 1."""
        return softmax(vectors * SCALE @ self.weights + self.bias)

    def save(self, path: Path) -> None:
        """As plain arrays; the same head gives the same bytes."""
        labels = np.frombuffer(json.dumps(self.labels).encode(), dtype=np.uint8)
        np.savez(path, weights=self.weights, bias=self.bias, labels=labels)


def load_head(path: Path) -> Head:
    """What `save` wrote. Raises `ValueError` for anything else."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            labels = json.loads(stored["labels"].tobytes())
            return Head(labels, stored["weights"], stored["bias"])
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"The weights are not those of a trained text classifier: {error}") from None


@dataclass(frozen=True)
class Recipe:
    """How to fit."""

    epochs: int
    learning_rate: float
    l2: float


def fit(vectors: np.ndarray, targets: np.ndarray, labels: list[str], recipe: Recipe) -> Iterator[tuple[Head, float]]:
    """Adam over all rows at once; after each epoch the head so far and its loss.

    `targets` holds each row's place in `labels`.
    """
    rows, width = vectors.shape
    values = np.zeros((width + 1, len(labels)), dtype=np.float32)  # the last row is the bias
    mean, square = np.zeros_like(values), np.zeros_like(values)
    for epoch in range(1, recipe.epochs + 1):
        slope, loss = np.zeros_like(values), 0.0
        for start in range(0, rows, PIECE):
            features, goal = vectors[start : start + PIECE] * SCALE, targets[start : start + PIECE]
            places = np.arange(len(goal))
            found = softmax(features @ values[:-1] + values[-1])
            loss -= float(np.log(np.maximum(found[places, goal], 1e-12)).sum())
            found[places, goal] -= 1.0
            slope[:-1] += features.T @ found
            slope[-1] += found.sum(axis=0)
        slope /= rows
        slope[:-1] += recipe.l2 * values[:-1]
        mean = 0.9 * mean + 0.1 * slope
        square = 0.999 * square + 0.001 * slope**2
        step = mean / (1 - 0.9**epoch) / (np.sqrt(square / (1 - 0.999**epoch)) + 1e-8)
        values = values - recipe.learning_rate * step
        yield Head(labels, values[:-1], values[-1]), loss / rows


def softmax(values: np.ndarray) -> np.ndarray:
    """Each row as shares of 1."""
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
