"""What things cost, to the billionth."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogyard.domain.budget import Budget, BudgetKind, Period, Spending
from cogyard.domain.catalog import Model, Price
from cogyard.domain.errors import InvalidResource
from cogyard.domain.events import Canceled, CancelRequested, Failed, Interrupted, Metric, Started, Succeeded
from cogyard.domain.money import CENT, MICRO, MOST_COST, NANO, cost_of, millionths, seconds, told
from cogyard.domain.prediction import Prediction, apply
from cogyard.domain.usage import Prices, by_day, charge, day_of, start_of
from cogyard.domain.values import AccountId, InstanceId, Json, ModelId, PredictionId, QueueId, VersionId

NOW = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
PRICES = Prices("EUR", {"cpu": Decimal("0.0001")})
_FIRST, _LAST = datetime(2000, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
TIMES = st.datetimes(_FIRST, _LAST, timezones=st.just(UTC))


def new(**changes: object) -> Prediction:
    fields: dict[str, object] = {
        "id": PredictionId("p"),
        "account": AccountId(1),
        "model": "acme/model",
        "version": VersionId("v"),
        "queue": QueueId("q"),
        "input": {},
        "created_at": NOW,
        "price": Decimal("0.0001"),
        "hardware": "cpu",
    }
    return Prediction(**{**fields, **changes})  # type: ignore[arg-type]


def model(price: Price | None, *, is_official: bool = True) -> Model:
    return Model(
        id=ModelId(1),
        account=AccountId(1),
        owner="acme",
        name="m",
        created_at=NOW,
        is_official=is_official,
        price=price,
    )


def after(**spans: float) -> datetime:
    return NOW + timedelta(**spans)


def test_a_prediction_is_charged_for_the_time_that_it_ran() -> None:
    done = apply(apply(new(), Started(at=after(seconds=5))), Succeeded(at=after(seconds=7.5)))

    assert (charge(done).run_time, done.cost) == (2_500_000, 250_000)


def test_what_failed_or_was_canceled_is_charged_for_what_it_did() -> None:
    running = apply(new(claimed_by=InstanceId("i")), Started(at=NOW))

    assert apply(running, Failed(at=after(seconds=1), error="no")).cost == 100_000
    assert apply(running, Canceled(at=after(seconds=2))).cost == 200_000


def test_what_never_started_costs_nothing() -> None:
    canceled = apply(new(), CancelRequested(at=after(hours=1)))

    assert (charge(canceled).run_time, canceled.cost) == (0, 0)


def test_an_interrupted_attempt_is_not_charged() -> None:
    again = apply(apply(new(), Started(at=NOW)), Interrupted(at=after(seconds=100), reason="it died"))
    done = apply(apply(again, Started(at=after(seconds=200))), Succeeded(at=after(seconds=201)))

    assert charge(done).run_time == MICRO


@given(TIMES, TIMES)
def test_whatever_the_clock_does_no_charge_is_negative(start: datetime, end: datetime) -> None:
    used = charge(apply(apply(new(), Started(at=start)), Succeeded(at=end)))

    assert used.run_time == max((end - start) // timedelta(microseconds=1), 0)
    assert used.cost >= 0


def test_units_are_charged_instead_of_seconds() -> None:
    made = new(unit="image_count", price=Decimal("0.0375"))
    running = apply(apply(made, Started(at=NOW)), Metric(name="image_count", value=3))
    done = apply(running, Succeeded(at=after(hours=1)))

    assert (charge(done).quantity, done.cost) == (3 * MICRO, 112_500_000)


@pytest.mark.parametrize("nonsense", [-1, True, "3", None, [], float("nan"), float("inf"), 1e30, 10**40])
def test_a_count_that_is_nonsense_counts_as_none(nonsense: Json) -> None:
    assert millionths(nonsense) == 0


@given(st.decimals(0, 1000, allow_nan=False, places=12), st.integers(0, 10**15))
def test_a_cost_is_the_price_times_the_amount_rounded_half_up(price: Decimal, amount: int) -> None:
    numerator, denominator = price.as_integer_ratio()
    exact = numerator * amount * (NANO // MICRO)

    assert cost_of(price, amount) == min((2 * exact + denominator) // (2 * denominator), MOST_COST)


@given(st.integers(0, 10**18))
def test_money_is_told_exactly(nano: int) -> None:
    assert Decimal(told(nano)) * NANO == nano


@given(st.integers(0, 2**52))
def test_seconds_are_exact_to_the_microsecond(microseconds: int) -> None:
    assert round(Decimal(repr(seconds(microseconds))) * MICRO) == microseconds


def test_an_official_models_price_counts_in_the_yards_currency_alone() -> None:
    price = Price(unit="image_count", amount=0.01, currency="EUR")

    assert PRICES.of_model(model(price)).unit == "image_count"
    assert PRICES.of_model(model(price, is_official=False)).unit == ""
    assert PRICES.of_model(model(Price(unit="image_count", amount=1, currency="USD"))).price == Decimal("0.0001")
    with pytest.raises(InvalidResource, match="EUR"):
        PRICES.check(replace(price, currency="USD"))
    PRICES.check(price)


@pytest.mark.parametrize("unit", ["", " ", "predict_time", "total_time"])
def test_a_price_of_what_no_model_counts_is_refused_and_never_charged(unit: str) -> None:
    price = Price(unit=unit, amount=0.01, currency="EUR")

    with pytest.raises(InvalidResource, match="a metric that the model counts"):
        PRICES.check(price)
    assert PRICES.of_model(model(price)) == PRICES.of_seconds("cpu")  # one that an earlier release took


@given(TIMES, st.timedeltas(timedelta(0), timedelta(days=20)))
def test_days_hold_all_the_time_once(start: datetime, length: timedelta) -> None:
    days = list(by_day(start, start + length))

    assert sum(micros for _, micros in days) == length // timedelta(microseconds=1)
    assert [day for day, _ in days] == sorted({day for day, _ in days})
    assert all(0 < micros <= 86_400 * MICRO for _, micros in days)


@given(TIMES, st.sampled_from(Period))
def test_a_period_holds_the_time_that_it_is_asked_for(at: datetime, period: Period) -> None:
    assert period.start(at) <= at < period.end(at)
    assert period.start(period.end(at)) == period.end(at)
    assert start_of(day_of(period.start(at))) == period.start(at)


def test_a_refusal_says_whose_budget_how_much_and_when_it_starts_anew() -> None:
    budget = Budget(
        id=1, account=AccountId(1), kind=BudgetKind.money, period=Period.month, limit=5 * NANO, created_at=NOW
    )
    spending = Spending(budget=budget, spent=5 * NANO - CENT, held=CENT, ends_at=Period.month.end(NOW))

    refusal = spending.refusal(NOW, "EUR")

    assert (spending.left, refusal.title, refusal.retry_after) == (0, "Monthly spend limit reached", 1)
    assert str(refusal) == (
        "This account's monthly budget of 5.00 EUR is used up: 4.99 EUR spent and 0.01 EUR held for what is not "
        "finished. It starts anew at 2026-02-01T00:00:00Z."
    )
