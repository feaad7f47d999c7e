"""Accounts take turns in a queue."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cogyard.domain.turns import Turns
from cogyard.domain.values import AccountId, QueueId

ADA, BEA, CAT = AccountId(1), AccountId(2), AccountId(3)
QUEUE = QueueId("q")


def test_who_comes_second_does_not_wait_for_all_of_the_first() -> None:
    turns = Turns()

    assert [turns.next(QUEUE, [ADA]) for _ in range(3)] == [ADA] * 3
    assert [turns.next(QUEUE, [ADA, BEA]) for _ in range(4)] == [BEA, ADA, BEA, ADA]


def test_who_comes_back_is_served_as_one_who_is_new() -> None:
    turns = Turns()
    for _ in range(5):
        turns.next(QUEUE, [ADA, BEA])
    turns.next(QUEUE, [BEA])

    assert turns.next(QUEUE, [ADA, BEA]) == ADA


def test_a_queue_that_is_empty_is_forgotten() -> None:
    turns = Turns()
    turns.next(QUEUE, [ADA, BEA])
    turns.forget(QUEUE)

    assert turns.next(QUEUE, [ADA, BEA]) == ADA


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_nobody_is_ahead_by_more_than_one_while_all_wait(queued: list[int]) -> None:
    left = {AccountId(number): count for number, count in enumerate(queued)}
    turns, served = Turns(), Counter[AccountId]()
    while any(left.values()):
        waiting = [account for account, count in left.items() if count]
        account = turns.next(QUEUE, waiting)
        left[account] -= 1
        served[account] += 1
        still = [served[one] for one, count in left.items() if count]
        assert not still or max(still) - min(still) <= 1

    assert served == Counter({AccountId(number): count for number, count in enumerate(queued)})
