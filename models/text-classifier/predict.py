"""Sorts texts into labels: those of a trained version, or any that are given, by what they mean."""

from pathlib import Path as FilePath

import numpy as np
from cog import BaseModel, BasePredictor, Input, Path
from head import load_head, softmax
from minilm import MiniLM

MAX_TEXTS = 1024
MAX_LABELS = 1000

TEMPLATE = "This is about {}."
"""A label as a sentence, which is nearer to texts than the bare word."""

TEMPERATURE = 0.1
"""Turns similarities, which lie close together, into scores."""


class Score(BaseModel):
    label: str
    score: float


class Classification(BaseModel):
    label: str
    score: float
    scores: list[Score]


class Predictor(BasePredictor):
    """Vectors from MiniLM; labels from a trained head, or from their own vectors."""

    def setup(self, weights: Path | None = None) -> None:
        """Load MiniLM, and what a training gave."""
        self.minilm = MiniLM()
        self.head = load_head(FilePath(str(weights))) if weights else None

    def predict(
        self,
        text: str | None = Input(description="One text. Give this or texts.", default=None),
        texts: list[str] | None = Input(description="Several texts, up to 1,024. Give this or text.", default=None),
        labels: list[str] | None = Input(
            description="Labels to choose from. A trained version knows its own, and chooses among those that are "
            "given here; an untrained one takes any, by what they mean.",
            default=None,
        ),
        top_k: int | None = Input(description="Show only so many of the best scores.", default=None, ge=1),
    ) -> list[Classification]:
        """Classify texts: for each, in order, its label and the scores of all, best first, which add up to 1."""
        given = check_texts(text, texts)
        wanted = None if labels is None else check_labels(labels)
        vectors = self.minilm.vectors(given)
        names, scores = self.choose(vectors, wanted)
        return [rank(names, row, top_k or len(names)) for row in scores.astype(float)]

    def choose(self, vectors: np.ndarray, wanted: list[str] | None) -> tuple[list[str], np.ndarray]:
        """Labels, and each text's scores for them."""
        if self.head is not None:
            return among(self.head.labels, self.head.scores(vectors), wanted)
        if wanted is None:
            raise ValueError("This version is not trained: give labels to choose from, or train it on your examples.")
        meanings = self.minilm.vectors([TEMPLATE.format(label) for label in wanted])
        return wanted, softmax(vectors @ meanings.T / TEMPERATURE)


def among(known: list[str], scores: np.ndarray, wanted: list[str] | None) -> tuple[list[str], np.ndarray]:
    """The scores of the labels that are wanted, again with the sum 1."""
    if wanted is None:
        return known, scores
    strange = [label for label in wanted if label not in known]
    if strange:
        shown = ", ".join(map(repr, known[:20])) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
        raise ValueError(f"This version was not trained on the label {strange[0]!r}; it knows {shown}.")
    kept = scores[:, [known.index(label) for label in wanted]]
    return wanted, kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-30)


def rank(names: list[str], scores: np.ndarray, count: int) -> Classification:
    """Best first."""
    best = np.argsort(-scores, kind="stable")[:count]
    shown = [Score(label=names[place], score=round(float(scores[place]), 4)) for place in best]
    return Classification(label=shown[0].label, score=shown[0].score, scores=shown)


def check_texts(text: str | None, texts: list[str] | None) -> list[str]:
    """The texts to classify. Raises `ValueError`."""
    given = [*([text] if text is not None else []), *(texts or [])]
    if not given:
        raise ValueError("There is nothing to classify; give text or texts.")
    if len(given) > MAX_TEXTS:
        raise ValueError(f"{len(given)} texts were given; the most at a time is {MAX_TEXTS}.")
    blank = next((place for place, one in enumerate(given, 1) if not one.strip()), None)
    if blank is not None:
        raise ValueError(f"Text {blank} of {len(given)} is empty; a label for it would mean nothing.")
    return given


def check_labels(labels: list[str]) -> list[str]:
    """The labels without repetitions. Raises `ValueError`."""
    kept = list(dict.fromkeys(label.strip() for label in labels))
    if len(kept) < 2 or "" in kept:
        raise ValueError("Give two labels or more to choose from, none of them empty.")
    if len(kept) > MAX_LABELS:
        raise ValueError(f"{len(kept)} labels were given; the most is {MAX_LABELS}.")
    return kept
