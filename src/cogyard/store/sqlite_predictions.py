"""Predictions and all that happens to them, and files, on SQLite."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

from cogyard.domain.batching import Batch
from cogyard.domain.events import CancelRequested, DeadlinePassed
from cogyard.domain.file import File
from cogyard.domain.prediction import Prediction
from cogyard.domain.schedule import Demand
from cogyard.domain.turns import Turns
from cogyard.domain.values import AccountId, DeliveryId, FileId, InstanceId, PredictionId, QueueId
from cogyard.domain.webhook import Delivery
from cogyard.ports import Clock, Once, Page, PageRequest, PredictionFilter
from cogyard.store import claims, deliveries, predictions, records
from cogyard.store.sqlite_core import SqliteCore


class SqlitePredictions(SqliteCore):
    """Implements `ports.PredictionStore`, `ClaimStore`, `TimeStore`, `DeliveryStore`, `FileStore`."""

    def __init__(self, path: Path, clock: Clock, lock: TextIO) -> None:
        super().__init__(path, clock, lock)
        #: for the writer's thread alone
        self._turns = Turns()

    async def create_prediction(
        self, prediction: Prediction, once: Once | None = None, queue_limit: int | None = None
    ) -> Prediction:
        """See `ports.PredictionStore`."""
        return await self._write(predictions.create, prediction, once, queue_limit)

    async def get_prediction(self, prediction: PredictionId) -> Prediction | None:
        """See `ports.PredictionStore`."""
        return await self._read(predictions.get, prediction)

    async def get_predictions(self, wanted: Sequence[PredictionId]) -> dict[PredictionId, Prediction]:
        """See `ports.PredictionStore`."""
        return await self._read(predictions.get_several, wanted)

    async def list_predictions(self, wanted: PredictionFilter, page: PageRequest) -> Page[Prediction]:
        """See `ports.PredictionStore`."""
        return await self._read(predictions.page, wanted, page)

    async def wish_end(self, prediction: PredictionId, wish: CancelRequested | DeadlinePassed) -> Prediction | None:
        """See `ports.PredictionStore`."""
        return await self._write(predictions.wish_end, prediction, wish)

    async def demand(self) -> Sequence[Demand]:
        """See `ports.ClaimStore`."""
        return await self._read(predictions.demand)

    async def claim(self, queue: QueueId, instance: InstanceId, lease: timedelta, at: datetime) -> Prediction | None:
        """See `ports.ClaimStore`."""
        return await self._write(claims.claim, queue, instance, lease, at, self._turns)

    async def claim_alike(
        self, first: Prediction, batch: Batch, lease: timedelta, at: datetime
    ) -> Sequence[Prediction]:
        """See `ports.ClaimStore`."""
        return await self._write(claims.claim_alike, first, batch, lease, at, self._turns)

    async def extend(
        self, instance: InstanceId, held: Collection[PredictionId], lease: timedelta, at: datetime
    ) -> None:
        """See `ports.ClaimStore`."""
        await self._write(claims.extend, instance, held, lease, at)

    async def record(self, before: Prediction, after: Prediction) -> bool:
        """See `ports.ClaimStore`."""
        return await self._write(predictions.record, before, after)

    async def claimed(
        self, *, instance: InstanceId | None = None, expired_at: datetime | None = None
    ) -> Sequence[Prediction]:
        """See `ports.ClaimStore`."""
        return await self._read(predictions.claimed, instance, expired_at)

    async def waiting(self, queue: QueueId, limit: int | None = None) -> Sequence[Prediction]:
        """See `ports.ClaimStore`."""
        return await self._read(predictions.waiting, queue, limit)

    async def overdue(self, at: datetime) -> Sequence[PredictionId]:
        """See `ports.TimeStore`."""
        return await self._read(predictions.overdue, at)

    async def next_deadline(self) -> datetime | None:
        """See `ports.TimeStore`."""
        return await self._read(predictions.next_deadline)

    async def forget_predictions(self, before: datetime, limit: int) -> Sequence[PredictionId]:
        """See `ports.TimeStore`."""
        return await self._write(predictions.forget, before, limit)

    async def forget_records(self, before: datetime) -> None:
        """See `ports.TimeStore`."""
        await self._write(predictions.forget_creations, before)
        await self._write(deliveries.forget, before)

    async def told_predictions(self) -> Sequence[Prediction]:
        """See `ports.DeliveryStore`."""
        return await self._read(predictions.told)

    async def save_delivery(self, delivery: Delivery) -> None:
        """See `ports.DeliveryStore`."""
        await self._write(deliveries.save, delivery)

    async def due_deliveries(self, at: datetime, limit: int, without: Collection[DeliveryId]) -> Sequence[Delivery]:
        """See `ports.DeliveryStore`."""
        return await self._read(deliveries.due, at, limit, without)

    async def next_delivery_at(self, after: datetime) -> datetime | None:
        """See `ports.DeliveryStore`."""
        return await self._read(deliveries.next_due, after)

    async def get_delivery(self, account: AccountId, delivery: DeliveryId) -> Delivery | None:
        """See `ports.DeliveryStore`."""
        return await self._read(deliveries.get, account, delivery)

    async def list_deliveries(
        self,
        account: AccountId,
        prediction: PredictionId | None,
        page: PageRequest,
        models: frozenset[str] | None,
    ) -> Page[Delivery]:
        """See `ports.DeliveryStore`."""
        return await self._read(deliveries.page, account, prediction, page, models)

    async def create_file(self, file: File) -> None:
        """See `ports.FileStore`."""
        await self._write(records.create_file, file)

    async def get_file(self, file: FileId) -> File | None:
        """See `ports.FileStore`."""
        return await self._read(records.get_file, file)

    async def list_files(self, account: AccountId, page: PageRequest) -> Page[File]:
        """See `ports.FileStore`."""
        return await self._read(records.list_files, account, page)

    async def delete_file(self, file: FileId) -> bool:
        """See `ports.FileStore`."""
        return await self._write(records.delete_file, file)

    async def expired_files(self, at: datetime, limit: int) -> Sequence[File]:
        """See `ports.FileStore`."""
        return await self._read(records.expired_files, at, limit)
