"""Finding models by meaning, with an embedding model of this server's own (a setting, off by default).

The texts of new and changed models are embedded in the background. A question is embedded while its caller waits, for
a moment only: while the embedding model boots, searches go by words alone.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import structlog

from cogyard.creation import NewPrediction
from cogyard.domain.account import Caller
from cogyard.domain.errors import CogyardError
from cogyard.domain.meaning import Vector
from cogyard.domain.prediction import Prediction, Status
from cogyard.domain.values import Json, VersionId
from cogyard.ports import CatalogStore, VectorStore

PATIENCE = 0.5
"""Seconds that a search waits for its question's vector."""

QUESTION_SECONDS = 60.0
MOST_QUESTIONS = 16
"""How long and how many questions are embedded at a time; more of them go by words alone."""

BATCH = 32
BATCH_SECONDS = 600.0
"""Models that are embedded in one prediction, and how long that may take, the model's boot included."""

LOOK_INTERVAL = 2.0
REST_AFTER_FAILURE = 60.0
"""Seconds between two looks for models without a vector; after a failure, longer."""

KEPT_QUESTIONS = 1000


class Registry(CatalogStore, VectorStore, Protocol):
    """What finding by meaning needs of the store."""


class Runs(Protocol):
    """Runs predictions."""

    async def create(self, caller: Caller, version: str, wanted: NewPrediction) -> Prediction:
        """Store a prediction of `owner/name:id`."""
        ...

    async def wait(self, prediction: Prediction, seconds: float) -> Prediction:
        """The prediction once it has ended, or as it is after so many seconds."""
        ...


class Embeddings:
    """Implements `ports.Embedder` by predictions of `owner/name`, in the name of an account that nobody logs in to.

    The model takes `texts`, a list of strings, and gives a list of as many lists of numbers.
    """

    def __init__(self, store: Registry, runs: Runs, account: Caller, model: tuple[str, str]) -> None:
        self._store = store
        self._runs = runs
        self._account = account
        self._model = model
        self._asking: dict[tuple[VersionId, str], asyncio.Task[None]] = {}
        self._kept: OrderedDict[tuple[VersionId, str], Vector] = OrderedDict()
        self._log = structlog.get_logger()

    async def embed_question(self, text: str) -> tuple[VersionId, Vector] | None:
        """See `ports.Embedder`."""
        version = await self._version()
        if version is None:
            return None
        question = (version, text)
        if question not in self._kept and (question in self._asking or len(self._asking) < MOST_QUESTIONS):
            if question not in self._asking:
                self._asking[question] = asyncio.create_task(self._ask(question))
            await asyncio.wait([self._asking[question]], timeout=PATIENCE)
        vector = self._kept.get(question)
        return None if vector is None else (version, vector)

    async def _ask(self, question: tuple[VersionId, str]) -> None:
        """Embed one question; what comes too late for who asked first is there for who asks again."""
        version, text = question
        try:
            made = await self._embed(version, [text], QUESTION_SECONDS)
            if made is not None:
                self._kept[question] = made[0]
                if len(self._kept) > KEPT_QUESTIONS:
                    self._kept.popitem(last=False)
        except CogyardError as fault:
            self._log.warning("search.not_embedded", error=str(fault))
        finally:
            del self._asking[question]

    async def run(self) -> None:
        """Embed what has no vector yet, until cancelled."""
        try:
            while True:
                try:
                    rest = await self._look()
                except CogyardError as fault:
                    self._log.warning("models.not_embedded", error=str(fault))
                    rest = REST_AFTER_FAILURE
                await asyncio.sleep(rest)
        finally:
            for asked in self._asking.values():
                asked.cancel()

    async def _look(self) -> float:
        """One batch; in how many seconds to look again."""
        version = await self._version()
        missing = [] if version is None else await self._store.models_without_vector(version, BATCH)
        if version is None or not missing:
            return LOOK_INTERVAL
        vectors = await self._embed(version, [text for _, text in missing], BATCH_SECONDS)
        if vectors is None:
            self._log.warning("models.not_embedded", error="the embedding model gave no vectors")
            return REST_AFTER_FAILURE
        made = [(model, text, vector) for (model, text), vector in zip(missing, vectors, strict=True)]
        await self._store.save_vectors(version, made)
        return 0.0

    async def _version(self) -> VersionId | None:
        model = await self._store.get_model(*self._model)
        return None if model is None else model.latest_version

    async def _embed(self, version: VersionId, texts: Sequence[str], seconds: float) -> list[Vector] | None:
        """A vector for each text; None when they did not come in time, or are none."""
        owner, name = self._model
        wanted = NewPrediction(input={"texts": list(texts)})
        created = await self._runs.create(self._account, f"{owner}/{name}:{version}", wanted)
        done = await self._runs.wait(created, seconds)
        return _vectors(done.output, len(texts)) if done.status is Status.succeeded else None


def _vectors(output: Json, count: int) -> list[Vector] | None:
    if not isinstance(output, list) or len(output) != count:
        return None
    found: list[Vector] = []
    for row in output:
        numbers = [float(value) for value in row if isinstance(value, int | float)] if isinstance(row, list) else []
        if not isinstance(row, list) or not numbers or len(numbers) != len(row):
            return None
        found.append(numbers)
    return found
