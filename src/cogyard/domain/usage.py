"""What predictions and instances are charged, and the sums that are kept of it.

A prediction takes its price with it when it is made, so that a later change of prices changes nothing of it. One of
an official model with a price is charged by the units of its output, one on a deployment costs nothing (the
deployment's instances are charged for the time that they are up), all others are charged for the seconds that they
ran. What never started costs nothing; what failed or was canceled is charged for what it did. Attempts that were
interrupted are not charged.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from cogyard.domain.catalog import Model, Price
from cogyard.domain.errors import InvalidResource
from cogyard.domain.money import micros, millionths
from cogyard.domain.prediction import RESERVED_METRICS, Prediction, run_time
from cogyard.domain.values import JsonObject

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


class UsageKind(StrEnum):
    """What was used."""

    prediction = "prediction"
    training = "training"
    instance = "instance"


class UsageBy(StrEnum):
    """What sums can be told apart by."""

    account = "account"
    model = "model"
    deployment = "deployment"
    token = "token"
    day = "day"
    hardware = "hardware"
    kind = "kind"


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a new prediction is charged by: units where there is one, else seconds of the hardware."""

    hardware: str
    price: Decimal
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Prices:
    """What this yard charges; all of it in one currency."""

    currency: str = "USD"
    #: of a second, by SKU; what is not named is free
    hardware: Mapping[str, Decimal] = field(default_factory=dict)

    def of_hardware(self, sku: str) -> Decimal:
        """What a second of the hardware costs."""
        return self.hardware.get(sku, Decimal(0))

    def of_model(self, model: Model) -> Tariff:
        """What a prediction of the model is charged by."""
        price = model.price
        if model.is_official and price is not None and price.currency == self.currency and is_countable(price.unit):
            return Tariff(model.hardware, Decimal(repr(price.amount)), price.unit)
        return self.of_seconds(model.hardware)

    def of_seconds(self, sku: str) -> Tariff:
        """What is charged by the time that it runs on the hardware."""
        return Tariff(sku, self.of_hardware(sku))

    def parse(self, given: JsonObject) -> Price:
        """A price that was checked for form; where it names no currency, it is in that of the yard."""
        amount = given.get("amount")
        return Price(
            unit=str(given.get("unit")),
            amount=float(amount) if isinstance(amount, int | float) else 0.0,
            currency=str(given.get("currency", self.currency)),
        )

    def check(self, price: Price) -> None:
        """Raise `InvalidResource` for a price in another currency than the yard's, or of what no model counts."""
        if price.currency != self.currency:
            raise InvalidResource("price.currency", f"must be {self.currency}, the currency of this yard")
        if not is_countable(price.unit):
            times = ", ".join(sorted(RESERVED_METRICS))
            raise InvalidResource("price.unit", f"must be a metric that the model counts; {times} are none of its own")


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much: predictions, microseconds, millionths of a unit, billionths of the currency."""

    count: int = 0
    run_time: int = 0
    uptime: int = 0
    quantity: int = 0
    cost: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(
            count=self.count + other.count,
            run_time=self.run_time + other.run_time,
            uptime=self.uptime + other.uptime,
            quantity=self.quantity + other.quantity,
            cost=self.cost + other.cost,
        )


def is_countable(unit: str) -> bool:
    """Whether a model can count it: seconds are charged by the price of hardware, and what has no name by nobody."""
    return bool(unit.strip()) and unit not in RESERVED_METRICS


def charge(prediction: Prediction) -> Amounts:
    """What a prediction used up to its end, and costs; nothing before it."""
    if prediction.started_at is None or prediction.completed_at is None:
        return Amounts()
    quantity = millionths(prediction.metrics.get(prediction.unit)) if prediction.unit else 0
    return Amounts(
        count=1,
        run_time=run_time(prediction, prediction.completed_at),
        quantity=quantity,
        cost=prediction.cost or 0,
    )


def day_of(at: datetime) -> int:
    """Days since 1970, in UTC."""
    return (at - _EPOCH) // _DAY


def start_of(day: int) -> datetime:
    """When the day began."""
    return _EPOCH + day * _DAY


def by_day(start: datetime, end: datetime) -> Iterator[tuple[int, int]]:
    """The days from `start` to `end`, each with the microseconds of it that lie between them."""
    while start < end:
        day = day_of(start)
        midnight = min(start_of(day + 1), end)
        yield day, micros(start, midnight)
        start = midnight
