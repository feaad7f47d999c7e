"""The sums of usage are those of the predictions, budgets let nothing through, instances are booked once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cogyard.domain.account import Account, AccountKind, Role
from cogyard.domain.budget import Budget, BudgetExceeded, BudgetKind, Period, Spending
from cogyard.domain.deployment import Deployment, Release
from cogyard.domain.events import Canceled, CancelRequested, Event, Failed, Interrupted, Metric, Started, Succeeded
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.money import CENT, MICRO, NANO
from cogyard.domain.prediction import Prediction, apply
from cogyard.domain.queue import deployment_of
from cogyard.domain.usage import Amounts, Prices, UsageBy, charge, day_of
from cogyard.domain.values import NO_TOKEN, DeploymentId, InstanceId, TokenId
from cogyard.ports import Once, PageRequest, UsageQuery
from cogyard.store.sqlite import SqliteStore
from tests.contract.test_store import INSTANCE, LEASE, NOW, QUEUE, model, prediction, version, with_store

PRICE = Decimal("0.0000333333")
PRICES = Prices("USD", {"cpu": Decimal("0.001")})
EVER = UsageQuery(by=(), first_day=0)
DAY = timedelta(days=1)


async def total(store: SqliteStore, query: UsageQuery = EVER) -> Amounts:
    return sum((one.amounts for one in await store.sum_usage(query, 10_000)), Amounts())


async def run(store: SqliteStore, new: Prediction, *events: Event) -> Prediction:
    """Create it, claim it, and let these things happen to it."""
    await store.create_prediction(new)
    claimed = await store.claim(new.queue, INSTANCE, LEASE, NOW)
    assert claimed is not None
    after = claimed
    for event in events:
        after = apply(after, event)
    assert await store.record(claimed, after)
    return after


def lasting(seconds: float, start: datetime = NOW) -> tuple[Event, Event]:
    return Started(at=start), Succeeded(at=start + timedelta(seconds=seconds))


lives = st.lists(
    st.tuples(
        st.sampled_from(["succeed", "fail", "cancel", "interrupt", "wish", "nothing"]),
        st.integers(-10, 100_000_000),
        st.integers(0, 3),
        st.sampled_from(["", "image_count"]),
        st.integers(-3, 1000),
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives)
def test_the_sums_are_those_of_the_predictions_to_the_billionth(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, int, int, str, int]]
) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        ended: list[Prediction] = []
        for number, (move, micros, token, unit, units) in enumerate(moves):
            end = NOW + timedelta(days=token, microseconds=micros)
            name = "acme/model" if number % 2 else "acme/other"
            made = prediction(account, price=PRICE, token=TokenId(token), unit=unit, hardware="cpu", model=name)
            await store.create_prediction(made)
            if move == "wish":
                canceled = await store.wish_end(made.id, CancelRequested(at=end))
                assert canceled is not None
                ended.append(canceled)
                continue
            if move == "nothing":
                await store.claim(QUEUE, INSTANCE, LEASE, NOW)
                continue
            claimed = await store.claim(QUEUE, INSTANCE, LEASE, NOW)
            assert claimed is not None
            begun = apply(apply(claimed, Started(at=NOW)), Metric(name="image_count", value=units))
            last: dict[str, Event] = {
                "succeed": Succeeded(at=end),
                "fail": Failed(at=end, error="no"),
                "cancel": Canceled(at=end),
                "interrupt": Interrupted(at=end, reason="died"),
            }
            after = apply(begun, last[move])
            assert await store.record(claimed, after)
            assert not (after.status.is_terminal and await store.record(claimed, after))  # once
            if after.status.is_terminal:
                ended.append(after)
            else:
                await store.claim(QUEUE, INSTANCE, LEASE, NOW)

        assert await total(store) == sum((charge(one) for one in ended), Amounts())
        kept = await store.get_predictions([one.id for one in ended])
        assert sum(one.cost or 0 for one in kept.values()) == (await total(store)).cost
        for by in (UsageBy.token, UsageBy.model):
            for found in await store.sum_usage(replace(EVER, by=(by,)), 100):
                mine = [one for one in ended if (getattr(one, by.value), one.unit) == (*found.key, found.unit)]
                assert found.amounts == sum((charge(one) for one in mine), Amounts())

    with_store(tmp_path_factory.mktemp("store"), scenario)


def test_usage_counts_on_the_day_of_the_end_and_can_be_narrowed(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        await run(store, prediction(account, price=PRICE), *lasting(1))
        await run(store, prediction(account, price=PRICE, model="acme/Other"), *lasting(86_400))
        first = day_of(NOW)

        by_day = await store.sum_usage(replace(EVER, by=(UsageBy.day,)), 10)
        assert [(one.key, one.amounts.count) for one in by_day] == [((first,), 1), ((first + 1,), 1)]
        assert (await total(store, replace(EVER, end_day=first + 1))).run_time == MICRO
        assert (await total(store, replace(EVER, models={"acme/other"}))).run_time == 86_400 * MICRO
        assert (await total(store, replace(EVER, models=set()))).count == 0

    with_store(tmp_path, scenario)


# --- budgets ------------------------------------------------------------------------------------------------------


def budget(account: Account, limit: int, **changes: object) -> Budget:
    made = Budget(id=0, account=account.id, kind=BudgetKind.money, period=Period.month, limit=limit, created_at=NOW)
    return replace(made, **changes)  # type: ignore[arg-type]


async def standing(store: SqliteStore, at: datetime = NOW) -> Spending:
    [only] = await store.list_budgets(None, at)
    return only


def test_of_many_that_want_the_last_cent_at_once_one_is_taken(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        await store.put_budget(budget(account, CENT))
        many = [prediction(account, price=PRICE) for _ in range(50)]
        outcomes = await asyncio.gather(*map(store.create_prediction, many), return_exceptions=True)

        assert sum(isinstance(one, Prediction) for one in outcomes) == 1
        assert sum(isinstance(one, BudgetExceeded) for one in outcomes) == 49
        assert (await standing(store)).held == CENT

    with_store(tmp_path, scenario)


def test_what_ends_cheaper_gives_the_rest_back(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        await store.put_budget(budget(account, CENT))
        done = await run(store, prediction(account, price=PRICE), *lasting(2))

        stands = await standing(store)
        assert (stands.spent, stands.held, stands.left) == (done.cost, 0, CENT - (done.cost or 0))
        await store.create_prediction(prediction(account, price=PRICE))

    with_store(tmp_path, scenario)


def test_what_is_not_finished_holds_what_it_will_probably_cost(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        for seconds in (1000, 3000):
            await run(store, prediction(account, price=PRICE), *lasting(seconds))
        await store.put_budget(budget(account, NANO))
        new = await store.create_prediction(prediction(account, price=PRICE))

        assert (new.held_cost, new.held_time) == (66_666_600, 2000 * MICRO)

    with_store(tmp_path, scenario)


def test_what_ran_before_the_budget_holds_the_least(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        await store.create_prediction(prediction(account, price=PRICE))
        await store.create_prediction(prediction(account, price=PRICE))
        await store.claim(QUEUE, INSTANCE, LEASE, NOW)
        await store.put_budget(budget(account, 2 * CENT))

        assert (await standing(store)).held == 2 * CENT
        with pytest.raises(BudgetExceeded):
            await store.create_prediction(prediction(account, price=PRICE))

    with_store(tmp_path, scenario)


def test_what_ran_before_the_budget_and_costs_nothing_holds_no_money(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        for price in (None, Decimal(0), Decimal("0.00"), Decimal("1e-20")):
            await store.create_prediction(prediction(account, price=price))
        await store.put_budget(budget(account, 2 * CENT))

        assert (await standing(store)).held == CENT

    with_store(tmp_path, scenario)


def test_a_tokens_budget_concerns_that_token_alone(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        await store.put_budget(budget(account, MICRO, kind=BudgetKind.seconds, token=TokenId(7)))
        await store.create_prediction(prediction(account, token=TokenId(7)))
        await store.create_prediction(prediction(account, token=TokenId(8)))
        await store.create_prediction(prediction(account))

        with pytest.raises(BudgetExceeded) as refused:
            await store.create_prediction(prediction(account, token=TokenId(7)))
        assert refused.value.spending.refusal(NOW, "USD").title == "Monthly time limit reached"

    with_store(tmp_path, scenario)


def test_a_repetition_of_what_was_accepted_is_not_refused(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        await store.put_budget(budget(account, CENT))
        once = Once("key", "same", NOW - DAY, is_repeat=True)
        first = await store.create_prediction(prediction(account, price=PRICE), once)

        assert (await store.create_prediction(prediction(account, price=PRICE), once)).id == first.id

    with_store(tmp_path, scenario)


def test_a_budget_starts_anew_and_a_clock_that_was_ahead_gives_nothing_back(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        await store.put_budget(budget(account, CENT, period=Period.day))
        tomorrow = NOW + DAY
        await run(store, prediction(account, price=PRICE, created_at=tomorrow), *lasting(5000, tomorrow))

        for refused_at in (tomorrow, NOW):
            with pytest.raises(BudgetExceeded):
                await store.create_prediction(prediction(account, price=PRICE, created_at=refused_at))
        await store.create_prediction(prediction(account, price=PRICE, created_at=tomorrow + 2 * DAY))

    with_store(tmp_path, scenario)


def test_a_budget_is_replaced_by_one_of_the_same_kind_and_can_be_deleted(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        first = await store.put_budget(budget(account, 1))
        assert await store.put_budget(budget(account, 2)) == replace(first, limit=2)
        await store.delete_budget(first.id)
        assert await store.list_budgets(account.id, NOW) == []

    with_store(tmp_path, scenario)


def test_a_budget_is_kept_after_a_restart(tmp_path: Path) -> None:
    async def before(store: SqliteStore, account: Account) -> None:
        await store.create_prediction(prediction(account))
        await store.put_budget(budget(account, 0))

    async def after(store: SqliteStore, account: Account) -> None:
        with pytest.raises(BudgetExceeded):
            await store.create_prediction(prediction(account))

    with_store(tmp_path, before)
    with_store(tmp_path, after)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 5 * CENT),
    st.sampled_from(BudgetKind),
    st.lists(st.tuples(st.sampled_from(["create", "end"]), st.integers(-5, 2000)), max_size=30),
)
def test_no_budget_admits_anything_once_it_is_used_up(
    tmp_path_factory: pytest.TempPathFactory, limit: int, kind: BudgetKind, moves: list[tuple[str, int]]
) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        await store.put_budget(budget(account, limit, kind=kind))
        for move, seconds in moves:
            before = await standing(store)
            if move == "end":
                claimed = await store.claim(QUEUE, INSTANCE, LEASE, NOW)
                if claimed is not None:
                    events = lasting(seconds)
                    await store.record(claimed, apply(apply(claimed, events[0]), events[1]))
                continue
            try:
                await store.create_prediction(prediction(account, price=PRICE))
                assert before.spent + before.held < limit
            except BudgetExceeded:
                assert before.spent + before.held >= limit

    with_store(tmp_path_factory.mktemp("store"), scenario)


# --- instances ----------------------------------------------------------------------------------------------------


async def deployed(store: SqliteStore, account: Account) -> Instance:
    """An instance of a deployment, not stored."""
    made = await store.create_model(model(account))
    await store.add_version(made.id, version())
    release = Release(
        number=1,
        model="acme/model",
        version=version().id,
        hardware="cpu",
        min_instances=0,
        max_instances=1,
        created_at=NOW,
        created_by=account,
    )
    deployment = await store.create_deployment(
        Deployment(id=DeploymentId(0), account=account.id, owner="acme", name="app", created_at=NOW, current=release)
    )
    return Instance(id=InstanceId("d" * 26), queue=deployment.queue, state=InstanceState.idle, created_at=NOW)


async def booked(store: SqliteStore, by: Sequence[UsageBy] = ()) -> Amounts:
    return await total(store, replace(EVER, by=by))


def test_a_deployments_instances_are_charged_to_its_owner_as_long_as_they_are_up(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        live = await deployed(store, account)
        await store.save_instance(live)
        for seconds in (10, 10, 3, 20):  # twice, and with a clock that was set back in between
            await store.meter_instances(NOW + timedelta(seconds=seconds), PRICES, 9 * DAY)
        assert await booked(store) == Amounts(uptime=20 * MICRO, cost=20 * NANO // 1000)

        over = replace(live, state=InstanceState.stopped, ended_at=NOW + timedelta(seconds=25))
        await store.save_instance(over)
        for seconds in (30, 40):
            await store.meter_instances(NOW + timedelta(seconds=seconds), PRICES, 9 * DAY)
        [row] = await store.sum_usage(replace(EVER, by=(UsageBy.account, UsageBy.deployment, UsageBy.kind)), 10)
        assert row.key == (account.id, "acme/app", "instance")
        assert row.amounts == Amounts(uptime=25 * MICRO, cost=25 * NANO // 1000)

    with_store(tmp_path, scenario)


def test_uptime_is_split_at_midnight(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        await store.save_instance(await deployed(store, account))
        await store.meter_instances(NOW + DAY, PRICES, 9 * DAY)

        found = await store.sum_usage(replace(EVER, by=(UsageBy.day,)), 10)
        morning = datetime(2026, 1, 2, tzinfo=UTC) - NOW
        assert [one.amounts.uptime for one in found] == [
            morning // timedelta(microseconds=1),
            (DAY - morning) // timedelta(microseconds=1),
        ]

    with_store(tmp_path, scenario)


def test_instances_that_everybody_shares_cost_nothing(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        made = await store.create_model(model(account))
        await store.add_version(made.id, version())
        shared = Instance(id=INSTANCE, queue=QUEUE, state=InstanceState.idle, created_at=NOW)
        await store.save_instance(replace(shared, queue=version().id))  # type: ignore[arg-type]
        await store.save_instance(replace(shared, id=InstanceId("e" * 26)))  # of a version that is gone
        await store.meter_instances(NOW + timedelta(seconds=5), PRICES, 9 * DAY)

        [row] = await store.sum_usage(replace(EVER, by=(UsageBy.model, UsageBy.token)), 10)
        assert (row.key, row.amounts) == (("acme/model", NO_TOKEN), Amounts(uptime=5 * MICRO))

    with_store(tmp_path, scenario)


def test_after_a_crash_uptime_is_booked_up_to_the_last_sign_of_life(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        live = await deployed(store, account)
        await store.save_instance(replace(live, ready_at=NOW + timedelta(seconds=4)))
        assert await store.close_meters(PRICES) == 1
        await store.save_instance(replace(live, state=InstanceState.failed, ended_at=NOW + DAY))
        await store.meter_instances(NOW + DAY, PRICES, 9 * DAY)

        assert (await booked(store)).uptime == 4 * MICRO

    with_store(tmp_path, scenario)


def test_nothing_is_kept_warm_for_who_is_disabled(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, _account: Account) -> None:
        ida = await store.create_account("ida", AccountKind.user, "Ida", NOW, Role.publisher)
        live = await deployed(store, ida)
        number = deployment_of(live.queue) or DeploymentId(0)
        release = (await store.list_releases(number, PageRequest(limit=1))).items
        assert await store.add_release(number, replace(release[0], number=2, min_instances=1))
        least = []
        for disabled_at in (None, NOW, None):
            before = await store.get_account_by_id(ida.id)
            await store.update_account(before, replace(before, disabled_at=disabled_at))
            least += [one.min_instances for one in await store.targets([], 1)]
        assert least == [1, 0, 1]

    with_store(tmp_path, scenario)


def test_nothing_is_kept_warm_for_who_has_no_money_left(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        now = datetime.now(UTC)
        live = replace(await deployed(store, account), created_at=now)
        release = (await store.list_releases(deployment_of(live.queue) or DeploymentId(0), PageRequest(limit=1))).items
        kept = replace(release[0], number=2, min_instances=1)
        assert await store.add_release(deployment_of(live.queue) or DeploymentId(0), kept)
        await store.put_budget(budget(account, 5 * NANO))
        await store.save_instance(live)

        for seconds, least in ((4000, 1), (6000, 0)):
            await store.meter_instances(now + timedelta(seconds=seconds), PRICES, 9 * DAY)
            assert [(one.queue, one.min_instances, one.max_instances) for one in await store.targets([], 1)] == [
                (live.queue, least, 1)
            ]

    with_store(tmp_path, scenario)


def test_a_clock_that_is_set_forward_is_no_uptime(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        await store.save_instance(await deployed(store, account))
        later = NOW + 20_000 * DAY
        await store.meter_instances(later, PRICES, timedelta(seconds=10))
        await store.meter_instances(later + timedelta(seconds=5), PRICES, timedelta(seconds=6))
        assert await booked(store) == Amounts(uptime=15 * MICRO, cost=15 * NANO // 1000)

    with_store(tmp_path, scenario)
