"""Which release of a deployment serves while another one is set up, and what a failed setup leads to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cogyard.domain.account import Account, AccountKind
from cogyard.domain.deployment import Deployment, Release
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.rollout import (
    LONG_PATIENCE,
    LONGEST_REASON,
    PATIENCE,
    Failure,
    Move,
    Past,
    RollBack,
    Standing,
    answer,
    former_after,
    is_given_up,
    is_up,
)
from cogyard.domain.values import AccountId, DeploymentId, InstanceId, QueueId, VersionId

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ADA = Account(id=AccountId(1), kind=AccountKind.user, username="ada", name="Ada", created_at=NOW)
BOB = replace(ADA, id=AccountId(2), username="bob")
A, B, C = (VersionId(letter * 64) for letter in "abc")

FIRST = Release(
    number=1,
    model="acme/canary",
    version=A,
    hardware="cpu",
    min_instances=1,
    max_instances=2,
    created_at=NOW,
    created_by=ADA,
    priority=7,
)
SECOND = replace(FIRST, number=2, version=B, priority=0, created_by=BOB)
THIRD = replace(FIRST, number=3, version=C)

ONLY_FIRST = Deployment(id=DeploymentId(5), account=ADA.id, owner="ada", name="desk", created_at=NOW, current=FIRST)
ROLLING = replace(ONLY_FIRST, current=SECOND, former=FIRST)
AT_ONCE = replace(ONLY_FIRST, current=SECOND)
A_WORKED = Past(worked=frozenset({A}))


def standing(deployment: Deployment, *releases: Release, past: Past = A_WORKED) -> Standing:
    return Standing(deployment=deployment, releases=releases or (SECOND, FIRST), past=past)


def failure(deployment: Deployment, *, died: bool = False, reason: str = "no weights") -> Failure:
    return Failure(queue=deployment.next_queue, reason=reason, at=NOW, died=died)


@pytest.mark.parametrize(
    ("serving", "new", "serves"),
    [
        (FIRST, SECOND, FIRST),
        (FIRST, replace(SECOND, version=A, max_instances=5), None),
        (FIRST, replace(SECOND, min_instances=0), None),
        (FIRST, replace(SECOND, min_instances=0, max_instances=0), None),
        (replace(FIRST, min_instances=0), SECOND, None),
        (FIRST, replace(SECOND, model="acme/other"), None),
    ],
    ids=["another version", "the same version", "scales to zero", "disabled", "scaled to zero", "another model"],
)
def test_the_former_release_serves_where_both_keep_instances(
    serving: Release, new: Release, serves: Release | None
) -> None:
    assert former_after(replace(ONLY_FIRST, current=serving), new, A_WORKED) == serves


def test_a_release_that_comes_during_a_roll_leaves_the_one_that_serves() -> None:
    assert former_after(ROLLING, THIRD, A_WORKED) == FIRST
    assert former_after(ROLLING, replace(FIRST, number=3), A_WORKED) is None


def test_a_release_that_never_came_up_does_not_serve() -> None:
    assert former_after(ONLY_FIRST, SECOND, Past(failed={A: [NOW]})) is None
    assert former_after(ONLY_FIRST, SECOND, Past(failed={A: [NOW]}, worked=frozenset({A}))) == FIRST
    assert former_after(ONLY_FIRST, SECOND, Past()) == FIRST  # it may still be set up


def test_new_predictions_wait_for_the_release_that_serves() -> None:
    assert ROLLING.queue == ONLY_FIRST.queue
    assert ROLLING.next_queue == AT_ONCE.queue
    assert ROLLING.queue != ROLLING.next_queue


@pytest.mark.parametrize(
    ("state", "is_ready"),
    [
        (InstanceState.setting_up, False),
        (InstanceState.idle, True),
        (InstanceState.active, True),
        (InstanceState.stopping, False),
    ],
)
def test_a_queue_is_up_when_an_instance_takes_predictions(state: InstanceState, *, is_ready: bool) -> None:
    there = Instance(id=InstanceId("i"), queue=ROLLING.next_queue, state=state, created_at=NOW)

    assert is_up(ROLLING.next_queue, [there]) is is_ready
    assert not is_up(ROLLING.queue, [there])


@pytest.mark.parametrize("deployment", [ROLLING, AT_ONCE], ids=["in a roll", "switched at once"])
def test_a_failed_setup_is_answered_by_the_release_that_served(deployment: Deployment) -> None:
    found = answer(standing(deployment), failure(deployment))

    note = "rolled back by itself: the setup of release 2 failed: no weights"
    assert found == RollBack(release=replace(FIRST, number=3, created_by=BOB, note=note))


def test_a_long_reason_is_cut() -> None:
    found = answer(standing(ROLLING), failure(ROLLING, reason="x" * 10_000))

    assert isinstance(found, RollBack)
    assert found.release.note is not None
    assert found.release.note.endswith("x" * LONGEST_REASON + " …")
    assert len(found.release.note) < LONGEST_REASON + 80


@pytest.mark.parametrize(
    ("releases", "past", "number"),
    [
        ((THIRD, SECOND, FIRST), Past(), B),
        ((THIRD, SECOND, FIRST), A_WORKED, A),
        ((THIRD, SECOND, FIRST), Past(failed={B: [NOW]}), A),
        ((THIRD, replace(SECOND, min_instances=0, max_instances=0), FIRST), Past(), A),
        ((THIRD, replace(SECOND, version=C), FIRST), Past(), A),
        ((THIRD, SECOND), Past(failed={B: [NOW]}), None),
        ((THIRD,), Past(), None),
    ],
    ids=["the last", "the last that worked", "not failed", "not disabled", "another version", "all failed", "no other"],
)
def test_what_is_gone_back_to(releases: tuple[Release, ...], past: Past, number: VersionId | None) -> None:
    deployment = replace(ONLY_FIRST, current=THIRD)
    found = answer(standing(deployment, *releases, past=past), failure(deployment))

    assert (None if found is None else found.release.version if isinstance(found, RollBack) else found) == number


def test_a_first_release_has_nothing_to_go_back_to() -> None:
    assert answer(standing(ONLY_FIRST, FIRST, past=Past()), failure(ONLY_FIRST)) is None


def test_what_was_rolled_back_to_is_not_rolled_back() -> None:
    back = replace(ONLY_FIRST, current=replace(FIRST, number=3, note="rolled back by itself: …"))

    assert answer(standing(back, past=Past()), failure(back)) is None


def test_a_release_that_worked_once_is_not_rolled_back() -> None:
    assert answer(standing(AT_ONCE, past=Past(worked=frozenset({A, B}))), failure(AT_ONCE)) is None


def test_deaths_count_from_the_third_on_and_from_the_release_on() -> None:
    died, before = failure(ROLLING, died=True), NOW - timedelta(days=1)
    worked = frozenset({A})

    assert answer(standing(ROLLING), died) is None
    assert answer(standing(ROLLING, past=Past(worked=worked, failed={B: [NOW]})), died) is None
    assert answer(standing(ROLLING, past=Past(worked=worked, failed={B: [before, NOW]})), died) is None
    assert isinstance(answer(standing(ROLLING, past=Past(worked=worked, failed={B: [NOW, NOW]})), died), RollBack)


def test_a_release_that_has_died_is_waited_for_longer_than_one_without_room() -> None:
    died = standing(ROLLING, past=Past(failed={B: [NOW]}))

    assert [is_given_up(standing(ROLLING), absent) for absent in (PATIENCE / 2, PATIENCE)] == [False, True]
    assert [is_given_up(died, absent) for absent in (PATIENCE, LONG_PATIENCE)] == [False, True]


def test_what_waits_for_a_dropped_release_moves_to_the_one_that_serves() -> None:
    dropped = Failure(queue=AT_ONCE.queue, reason="no weights", at=NOW)
    now_third = replace(ROLLING, current=THIRD)

    assert answer(standing(now_third), dropped) == Move(to=FIRST)


def test_a_release_that_serves_and_never_came_up_gives_way_to_the_next() -> None:
    serving = Failure(queue=ROLLING.queue, reason="no weights", at=NOW)

    assert answer(standing(ROLLING, past=Past()), serving) == Move(to=SECOND)
    assert answer(standing(ROLLING), serving) is None


def test_a_disabled_deployment_is_not_rolled_back() -> None:
    off = replace(AT_ONCE, current=replace(SECOND, min_instances=0, max_instances=0))

    assert answer(standing(off), failure(off)) is None


def test_secrets_that_came_late_get_what_waits() -> None:
    marked = replace(AT_ONCE, secrets_mark="m" * 12)
    before = Failure(queue=QueueId(AT_ONCE.queue), reason="no key", at=NOW)

    assert answer(standing(marked), before) == Move(to=SECOND)
