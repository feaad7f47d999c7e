"""Which instances start and stop."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.queue import deployment_queue, model_queue, training_queue
from cogyard.domain.schedule import Demand, Limits, Start, Stop, Target, decide
from cogyard.domain.values import DeploymentId, InstanceId, ModelId, QueueId, VersionId

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def instance(name: str, version: str, state: InstanceState, idle_seconds: float | None = None) -> Instance:
    since = None if idle_seconds is None else NOW - timedelta(seconds=idle_seconds)
    return Instance(id=InstanceId(name), queue=QueueId(version), state=state, created_at=NOW, idle_since=since)


def wants(version: str, queued: int = 1, age: float = 0) -> Demand:
    return Demand(queue=QueueId(version), queued=queued, since=NOW - timedelta(seconds=age))


def limits(count: int = 2) -> Limits:
    return Limits(max_instances=count, idle_timeout=timedelta(seconds=60))


def test_what_is_asked_for_starts_once() -> None:
    assert decide([wants("a", 5)], [], [], limits(), NOW) == [Start(QueueId("a"))]
    assert decide([wants("a", 5)], [], [instance("i", "a", InstanceState.setting_up)], limits(), NOW) == []


def test_the_longest_waiting_comes_first_when_room_is_short() -> None:
    assert decide([wants("a", age=1), wants("b", age=9)], [], [], limits(1), NOW) == [Start(QueueId("b"))]


def test_idle_instances_stop_after_their_time() -> None:
    old, young = instance("i", "a", InstanceState.idle, 61), instance("j", "b", InstanceState.idle, 59)

    assert decide([], [], [old, young], limits(), NOW) == [Stop(InstanceId("i"), "idle")]


def test_the_longest_idle_makes_room() -> None:
    instances = [instance("i", "a", InstanceState.idle, 5), instance("j", "b", InstanceState.idle, 9)]

    assert decide([wants("c")], [], instances, limits(), NOW) == [Stop(InstanceId("j"), "made room for another model")]


def test_nobody_who_works_or_is_wanted_is_stopped() -> None:
    instances = [instance("i", "a", InstanceState.active), instance("j", "b", InstanceState.idle, 500)]

    assert decide([wants("b"), wants("c")], [], instances, limits(), NOW) == []


states = st.sampled_from([InstanceState.setting_up, InstanceState.idle, InstanceState.active, InstanceState.stopping])


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 3)), max_size=5, unique_by=lambda pair: pair[0]),
    st.lists(st.tuples(st.sampled_from("abcde"), states, st.floats(0, 200)), max_size=6),
    st.integers(1, 5),
)
def test_there_are_never_more_than_fit_and_nobody_busy_is_stopped(
    demand: list[tuple[str, int]], given_instances: list[tuple[str, InstanceState, float]], most: int
) -> None:
    instances = [
        instance(str(number), version, state, idle if state is InstanceState.idle else None)
        for number, (version, state, idle) in enumerate(given_instances)
    ]
    actions = decide([wants(version, queued) for version, queued in demand], [], instances, limits(most), NOW)
    starts = [action.queue for action in actions if isinstance(action, Start)]
    stops = [action.instance for action in actions if isinstance(action, Stop)]

    assert len(instances) + len(starts) <= max(most, len(instances))
    assert len(set(starts)) == len(starts)
    assert set(starts) <= {version for version, queued in demand if queued}
    idle = {one.id for one in instances if one.state is InstanceState.idle}
    assert set(stops) <= idle


def target(queue: str, least: int, most: int = 5) -> Target:
    return Target(queue=QueueId(queue), min_instances=least, max_instances=most)


def test_what_is_kept_warm_starts_before_anyone_asks_and_is_not_stopped() -> None:
    kept = instance("i", "a", InstanceState.idle, 500)

    assert decide([], [target("a", 1)], [], limits(), NOW) == [Start(QueueId("a"))]
    assert decide([], [target("a", 1)], [kept], limits(), NOW) == []


def test_what_failed_lately_is_left_alone_unless_somebody_waits() -> None:
    resting = [QueueId("a")]

    assert decide([], [target("a", 1)], [], limits(), NOW, resting=resting) == []
    assert decide([wants("a")], [target("a", 1)], [], limits(), NOW, resting=resting) == [Start(QueueId("a"))]


def test_what_is_kept_warm_gives_way_last_and_only_to_those_who_ask() -> None:
    kept, other = instance("i", "a", InstanceState.idle, 500), instance("j", "b", InstanceState.idle, 1)
    made_room = "made room for another model"

    assert decide([wants("c")], [target("a", 1)], [kept, other], limits(), NOW) == [Stop(other.id, made_room)]
    assert decide([wants("c")], [target("a", 1)], [kept], limits(1), NOW) == [Stop(kept.id, made_room)]
    assert decide([], [target("a", 1)], [other], limits(1), NOW) == []


def test_a_deployment_grows_with_its_queue_up_to_its_most() -> None:
    busy = instance("i", "a", InstanceState.active)

    assert decide([wants("a", 9)], [target("a", 0, 3)], [busy], limits(8), NOW) == [Start(QueueId("a"))] * 2
    assert decide([wants("a", 1)], [target("a", 0, 3)], [busy], limits(8), NOW) == [Start(QueueId("a"))]
    assert decide([wants("a", 9)], [target("a", 0, 0)], [], limits(8), NOW) == []


def test_former_releases_former_secrets_and_trainings_do_not_idle() -> None:
    version = VersionId("v" * 64)
    with_secrets = model_queue(version, ModelId(7), "0" * 12)
    for queue in (deployment_queue(DeploymentId(7), version), training_queue(version), with_secrets):
        idle = instance("i", queue, InstanceState.idle, 0)

        assert decide([], [], [idle], limits(), NOW) == [Stop(idle.id, "not needed any more")]
        assert decide([], [target(queue, 0)], [idle], limits(), NOW) == []
