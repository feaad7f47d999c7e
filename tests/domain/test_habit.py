"""How a queue is used, learned from its own arrivals."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogyard.domain.habit import BOOT_GUESS, EDGES, FEWEST_GAPS, HALF_LIFE, MARGIN, ONE_ARRIVAL, Habit, Learner

START = datetime(2026, 1, 1, tzinfo=UTC)
IDLE, LONGEST = timedelta(minutes=5), timedelta(minutes=30)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def learned(times: Sequence[float]) -> Learner:
    """A learner that saw arrivals so many seconds after the start."""
    learner = Learner()
    for at in times:
        learner.note_arrival(after(at))
    return learner


def every(seconds: float, count: int = FEWEST_GAPS + 1) -> list[float]:
    return [number * seconds for number in range(count)]


def test_of_a_queue_that_nobody_asked_nothing_is_known() -> None:
    assert Learner().habit(START) == Habit()
    assert Habit().keep_for(IDLE, LONGEST) == IDLE
    assert not Habit().is_expected(START)
    assert Habit().worth == 0


def test_the_rate_is_that_of_the_arrivals() -> None:
    learner = learned(every(2, 3600))

    assert learner.habit(after(7200)).rate == pytest.approx(0.5, rel=0.02)


def test_the_rate_is_half_after_its_half_life() -> None:
    learner = learned([0])

    assert learner.habit(START).rate == pytest.approx(ONE_ARRIVAL)
    assert learner.habit(START + HALF_LIFE).rate == pytest.approx(ONE_ARRIVAL / 2)


def test_arrivals_that_are_told_out_of_order_do_no_harm() -> None:
    learner = learned([10, 9])

    assert learner.last == after(10)
    assert learner.habit(after(9)).rate == pytest.approx(2 * ONE_ARRIVAL)


def test_a_boot_and_a_run_are_running_means() -> None:
    learner = Learner()
    assert learner.habit(START).boot == BOOT_GUESS
    assert learner.habit(START).service is None
    learner.note_boot(10)
    learner.note_runs(4, 2)
    assert (learner.habit(START).boot, learner.habit(START).service) == (10, 0.5)
    learner.note_boot(20)
    learner.note_runs(1, 1.5)
    assert learner.habit(START).boot == pytest.approx(13)
    assert learner.habit(START).service == pytest.approx(0.8)


def test_worth_is_what_a_warm_instance_saves() -> None:
    assert Habit(rate=0.5, boot=60).worth == 30


def test_what_a_clock_asks_is_kept_until_it_asks_again() -> None:
    habit = learned(every(600)).habit(after(4800))
    kept = habit.keep_for(IDLE, LONGEST)

    assert timedelta(seconds=600) < kept < timedelta(seconds=600 * 1.2 * (1 + MARGIN))
    assert habit.keep_for(IDLE, timedelta(minutes=7)) == timedelta(minutes=7)
    assert habit.keep_for(timedelta(hours=1), LONGEST) == timedelta(hours=1), "never shorter than without"


def test_what_a_clock_asks_is_expected_when_it_is_due_and_not_before() -> None:
    learner = learned(every(3600))
    learner.note_boot(30)
    habit = learner.habit(after(8 * 3600))
    last = 8 * 3600

    assert not habit.is_expected(after(last + 60))
    assert not habit.is_expected(after(last + 1800))
    assert habit.is_expected(after(last + 3600 - 30)), "early enough to have booted"
    assert habit.is_expected(after(last + 3600))
    assert not habit.is_expected(after(last + 2 * 3600)), "it did not come"


def test_a_few_gaps_say_nothing_of_when() -> None:
    assert learned(every(600, FEWEST_GAPS)).habit(after(0)).tail is None
    assert learned(every(600, FEWEST_GAPS + 1)).habit(after(0)).tail is not None


def test_what_mostly_comes_after_hours_is_not_waited_for() -> None:
    assert learned(every(5 * 3600)).habit(after(0)).tail is None


def test_what_comes_at_any_time_has_no_pattern() -> None:
    dice = Random(1)
    gaps = [2 ** dice.uniform(0, 13.5) for _ in range(400)]
    habit = learned([sum(gaps[:number]) for number in range(400)]).habit(after(sum(gaps)))

    assert (habit.head, habit.tail) == (None, None)


def test_without_a_pattern_what_came_again_after_longer_than_the_idle_time_is_kept_as_long_as_may_be() -> None:
    soon, later, never = Habit(longest_gap=60), Habit(longest_gap=1200), Habit(longest_gap=0)

    assert soon.keep_for(IDLE, LONGEST) == IDLE, "the idle time is enough for it"
    assert later.keep_for(IDLE, LONGEST) == LONGEST
    assert never.keep_for(IDLE, LONGEST) == IDLE, "no idle time would do"
    assert later.keep_for(IDLE, IDLE) == IDLE, "a model's own idle time is kept to the letter"
    assert learned([0, 1200]).habit(after(1200)).keep_for(IDLE, LONGEST) == IDLE, "once says nothing"


def test_what_was_said_once_is_said_anew_after_the_next_arrival() -> None:
    learner = learned(every(600, FEWEST_GAPS))
    before = learner.habit(after(4200))
    learner.note_arrival(after(4800))

    assert before.tail is None
    assert learner.habit(after(4800)).tail is not None


gaps = st.lists(st.floats(0, 100_000), max_size=40)


@given(gaps, st.floats(0, 100_000))
def test_whatever_came_what_it_says_makes_sense(between: list[float], later: float) -> None:
    times = [sum(between[: number + 1]) for number in range(len(between))]
    now = after(sum(between) + later)
    habit = learned(times).habit(now)

    assert 0 <= habit.rate <= len(times) * ONE_ARRIVAL * 1.001
    assert (habit.head is None) == (habit.tail is None)
    assert 0 <= habit.longest_gap <= max([0.0, *between[1:]]) + 1e-3
    if habit.head is not None and habit.tail is not None:
        assert 0 <= habit.head <= habit.tail <= EDGES[-1]
    assert IDLE <= habit.keep_for(IDLE, LONGEST) <= LONGEST


@given(gaps, st.floats(0, 10_000), st.floats(0, 10_000))
def test_the_rate_falls_as_long_as_nobody_comes(between: list[float], later: float, more: float) -> None:
    learner = learned([sum(between[: number + 1]) for number in range(len(between))])
    end = sum(between)

    assert learner.habit(after(end + later + more)).rate <= learner.habit(after(end + later)).rate


@given(st.floats(60, 3000), st.floats(0, 0.03), st.integers(10, 40), st.randoms(use_true_random=False))
def test_what_comes_by_a_clock_is_expected_when_it_comes(
    period: float, jitter: float, count: int, dice: Random
) -> None:
    times = [number * period * (1 + dice.uniform(0, jitter) / (count + 1)) for number in range(count)]
    habit = learned(times).habit(after(times[-1]))

    assert habit.is_expected(after(times[-1] + period))
    assert habit.keep_for(timedelta(0), timedelta(hours=1)) >= timedelta(seconds=period)
