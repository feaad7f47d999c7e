"""Which instances start and stop."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cogyard.domain.habit import Habit
from cogyard.domain.hardware import Gpu, Hardware, Machine, Needs, Resource, Share, place
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.policy import MADE_ROOM, TURN_OVER, decide
from cogyard.domain.reasons import explain
from cogyard.domain.schedule import Booting, Busy, Demand, Plan, Rest, Resting, Short, Start, Stop, View, Want
from cogyard.domain.values import InstanceId, QueueId

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GIB = 2**30
CPU = Hardware(sku="cpu", name="CPU", cpus=2, memory=8 * GIB)
GPU = Hardware(sku="gpu", name="GPU", cpus=1, memory=8 * GIB, gpus=1)
SHARE = Share(hardware="cpu", cpus=2, memory=GIB, memory_limit=8 * GIB)


def machine(count: int = 2, gpus: int = 0, memory: int = 24) -> Machine:
    devices = tuple(Gpu(index=index, name="T4", memory=16 * GIB) for index in range(gpus))
    return Machine(cpus=2, memory=memory * GIB, gpus=devices, max_instances=count)


def instance(name: str, queue: str, state: InstanceState, seconds: float = 0, **more: Any) -> Instance:
    """An instance that has been in its state for so many seconds."""
    since = NOW - timedelta(seconds=seconds)
    facts: dict[str, Any] = {"created_at": since, "share": SHARE, **more}
    if state is not InstanceState.setting_up:
        facts["ready_at"] = since
    if state is InstanceState.idle:
        facts["idle_since"] = since
    return Instance(id=InstanceId(name), queue=QueueId(queue), state=state, **facts)


def asks(queue: str, queued: int = 1, age: float = 0, *, is_certain: bool = True) -> Demand:
    return Demand(queue=QueueId(queue), queued=queued, since=NOW - timedelta(seconds=age), is_certain=is_certain)


def want(queue: str, hardware: Hardware = CPU, **more: Any) -> Want:
    minute = timedelta(minutes=1)
    facts: dict[str, Any] = {"idle_timeout": minute, "longest_idle": minute, "name": queue, **more}
    return Want(queue=QueueId(queue), needs=Needs(hardware=hardware, memory=GIB), **facts)


def plan(
    demand: Sequence[Demand], instances: Sequence[Instance] = (), *wants: Want, on: Machine | None = None, **more: Any
) -> Plan:
    """The plan for queues that are wanted as community models are, but for those in `wants`."""
    named = {*(one.queue for one in demand), *(one.queue for one in instances)}
    known = {queue: want(queue) for queue in named} | {one.queue: one for one in wants}
    return decide(View(now=NOW, machine=on or machine(), demand=demand, instances=instances, wants=known, **more))


def started(given: Plan) -> list[str]:
    return [action.queue for action in given.actions if isinstance(action, Start)]


def stopped(given: Plan) -> dict[str, str]:
    return {action.instance: action.reason for action in given.actions if isinstance(action, Stop)}


IDLE, ACTIVE, BOOTING = InstanceState.idle, InstanceState.active, InstanceState.setting_up


def test_what_is_asked_for_starts_once() -> None:
    assert started(plan([asks("a", 5)])) == ["a"]
    assert plan([asks("a", 5)], [instance("i", "a", BOOTING)]).actions == []


def test_the_longest_waiting_comes_first_when_room_is_short() -> None:
    assert started(plan([asks("a", age=1), asks("b", age=9)], on=machine(1))) == ["b"]


def test_who_was_served_longest_ago_comes_before_who_waits_longest() -> None:
    served = {QueueId("a"): NOW - timedelta(seconds=1), QueueId("b"): NOW - timedelta(hours=1)}

    assert started(plan([asks("a", age=99), asks("b", age=1)], on=machine(1), served=served)) == ["b"]


def test_priority_comes_before_everything() -> None:
    urgent = want("b", priority=1)

    assert started(plan([asks("a", age=99), asks("b")], [], urgent, on=machine(1))) == ["b"]


def test_idle_instances_stop_after_their_time() -> None:
    old, young = instance("i", "a", IDLE, 61), instance("j", "b", IDLE, 59)

    assert stopped(plan([], [old, young])) == {"i": "idle"}


def test_a_model_may_have_an_idle_time_of_its_own() -> None:
    idle = instance("i", "a", IDLE, 61)
    hour = timedelta(hours=1)

    assert plan([], [idle], want("a", idle_timeout=hour, longest_idle=hour)).actions == []


def test_its_own_arrivals_lengthen_the_idle_time_up_to_the_longest() -> None:
    idle = instance("i", "a", IDLE, 100)
    habit = {QueueId("a"): Habit(head=90, tail=110, last=NOW - timedelta(seconds=500))}
    long = want("a", longest_idle=timedelta(minutes=3))

    assert plan([], [idle], long, habits=habit).actions == []
    assert stopped(plan([], [idle], habits=habit)) == {"i": "idle"}


def test_what_is_expected_soon_starts_where_room_is_free() -> None:
    due = {QueueId("a"): Habit(boot=5, head=600, tail=610, last=NOW - timedelta(seconds=590))}
    other = instance("j", "b", IDLE, 1)

    assert started(plan([], [], want("a"), habits=due)) == ["a"]
    assert plan([], [other], want("a"), habits=due, on=machine(1)).actions == []


def test_the_longest_idle_makes_room() -> None:
    instances = [instance("i", "a", IDLE, 5), instance("j", "b", IDLE, 9)]

    assert stopped(plan([asks("c")], instances)) == {"j": MADE_ROOM}


def test_what_is_asked_for_often_does_not_give_way_to_what_was_asked_for_once() -> None:
    hot, cold = instance("i", "hot", IDLE, 9), instance("j", "cold", IDLE, 1)
    habits = {QueueId("hot"): Habit(rate=2.0), QueueId("cold"): Habit(rate=0.001), QueueId("new"): Habit(rate=0.001)}

    assert stopped(plan([asks("new")], [hot, cold], habits=habits)) == {"j": MADE_ROOM}
    assert plan([asks("new")], [hot], habits=habits, on=machine(1)).actions == []
    assert stopped(plan([asks("new", age=8)], [hot], habits=habits, on=machine(1))) == {"i": MADE_ROOM}


def test_who_was_idle_only_for_a_moment_keeps_its_room_for_the_next_of_the_same_caller() -> None:
    moment = [instance("i", "a", IDLE, 0.5)]

    assert plan([asks("b", age=5)], moment, on=machine(1)).actions == []
    assert stopped(plan([asks("b", age=5)], [instance("i", "a", IDLE, 1)], on=machine(1))) == {"i": MADE_ROOM}
    assert stopped(plan([asks("b", age=15)], moment, on=machine(1))) == {"i": MADE_ROOM}


def test_what_boots_long_is_dearer_than_what_boots_quickly() -> None:
    slow, quick = instance("i", "slow", IDLE, 9), instance("j", "quick", IDLE, 1)
    habits = {QueueId("slow"): Habit(rate=0.01, boot=60), QueueId("quick"): Habit(rate=0.01, boot=1)}

    assert stopped(plan([asks("new", age=8)], [slow, quick], habits=habits)) == {"j": MADE_ROOM}


def test_nobody_who_works_or_is_wanted_is_stopped() -> None:
    instances = [instance("i", "a", ACTIVE), instance("j", "b", IDLE, 500)]

    assert plan([asks("b"), asks("c")], instances).actions == []


def test_who_has_had_its_turn_is_drained_for_who_has_none() -> None:
    busy = instance("i", "a", ACTIVE, 20)

    assert plan([asks("b", age=14)], [busy], on=machine(1)).actions == []
    assert stopped(plan([asks("b", age=15)], [busy], on=machine(1))) == {"i": TURN_OVER}
    assert plan([asks("a", age=99), asks("b", age=15)], [instance("i", "a", ACTIVE, 9)], on=machine(1)).actions == []


def test_what_is_kept_warm_is_not_drained_but_for_more_priority() -> None:
    busy = instance("i", "a", ACTIVE, 20)
    kept = want("a", min_instances=1)

    assert plan([asks("b", age=99)], [busy], kept, on=machine(1)).actions == []
    assert stopped(plan([asks("b", age=99)], [busy], kept, want("b", priority=1), on=machine(1))) == {"i": TURN_OVER}


def test_what_is_kept_warm_starts_before_anyone_asks_and_is_not_stopped() -> None:
    kept = instance("i", "a", IDLE, 500)

    assert started(plan([], [], want("a", min_instances=1))) == ["a"]
    assert plan([], [kept], want("a", min_instances=1)).actions == []


def test_what_is_kept_warm_gives_way_last_and_only_to_those_who_ask() -> None:
    kept, other = instance("i", "a", IDLE, 50), instance("j", "b", IDLE, 1)
    always = want("a", min_instances=1)

    assert stopped(plan([asks("c")], [kept, other], always)) == {"j": MADE_ROOM}
    assert stopped(plan([asks("c")], [kept], always, on=machine(1))) == {"i": MADE_ROOM}
    assert plan([], [other], always, on=machine(1)).actions == []


def test_what_is_kept_warm_comes_back_once_the_others_are_calm() -> None:
    calm = instance("j", "b", IDLE, 15)

    assert stopped(plan([], [calm], want("a", min_instances=1), on=machine(1))) == {"j": MADE_ROOM}


def test_what_failed_lately_is_left_alone_unless_somebody_waits() -> None:
    rests = {QueueId("a"): Rest(failures=1, until=NOW + timedelta(seconds=9), reason="boom")}

    assert plan([], [], want("a", min_instances=1), rests=rests).actions == []
    assert started(plan([asks("a")], [], want("a", min_instances=1), rests=rests)) == ["a"]


def test_what_fails_each_time_rests_even_if_somebody_waits_and_says_why() -> None:
    rests = {QueueId("a"): Rest(failures=3, until=NOW + timedelta(seconds=20), reason="boom")}
    waiting = plan([asks("a")], rests=rests)
    over = {QueueId("a"): Rest(failures=3, until=NOW, reason="boom")}

    assert waiting.actions == []
    assert waiting.waits == {"a": Resting(rest=rests[QueueId("a")])}
    assert explain(waiting.waits[QueueId("a")], NOW) == (
        "its setup failed 3 times in a row, last: boom; the next try is in 20 s"
    )
    assert started(plan([asks("a")], rests=over)) == ["a"]


def test_a_deployment_grows_with_its_queue_up_to_its_most() -> None:
    busy = instance("i", "a", ACTIVE)

    assert started(plan([asks("a", 9)], [busy], want("a", max_instances=3), on=machine(8))) == ["a", "a"]
    assert started(plan([asks("a", 1)], [busy], want("a", max_instances=3), on=machine(8))) == ["a"]
    assert plan([asks("a", 9)], [], want("a", max_instances=0), on=machine(8)).actions == []


def test_it_does_not_grow_where_waiting_is_quicker_than_booting() -> None:
    busy = instance("i", "a", ACTIVE)
    quick = {QueueId("a"): Habit(boot=5, service=0.1)}

    assert plan([asks("a", 50)], [busy], want("a", max_instances=3), on=machine(8), habits=quick).actions == []
    assert started(plan([asks("a", 51)], [busy], want("a", max_instances=2), on=machine(8), habits=quick)) == ["a"]


def test_a_shared_queue_grows_as_far_as_processors_are_free() -> None:
    busy = instance("i", "a", ACTIVE)
    small = Hardware(sku="cpu-small", name="CPU", cpus=1, memory=GIB)
    half = instance("i", "a", ACTIVE, share=Share(cpus=1, memory=GIB))

    assert plan([asks("a", 9)], [busy], on=machine(8)).actions == []
    assert started(plan([asks("a", 9)], [half], want("a", small), on=machine(8))) == ["a"]


def test_more_than_a_limit_allows_stops() -> None:
    two = [instance("i", "a", IDLE, 2), instance("j", "a", IDLE, 1)]

    assert stopped(plan([], two, want("a", max_instances=1))) == {"i": "more than its limit allows"}


def test_former_releases_and_trainings_do_not_idle() -> None:
    idle = instance("i", "a", IDLE, 0)

    assert stopped(plan([], [idle], want("a", is_current=False))) == {"i": "not needed any more"}
    assert stopped(decide(View(now=NOW, machine=machine(), instances=[idle]))) == {"i": "not needed any more"}


def test_what_is_set_up_for_nobody_any_more_stops() -> None:
    booting = instance("i", "a", BOOTING, 2)

    assert stopped(plan([], [booting], want("a", is_current=False))) == {"i": "not needed any more"}
    assert plan([asks("a")], [booting], want("a", is_current=False)).actions == []
    assert plan([], [booting]).actions == []


def test_who_may_have_no_instance_is_told_so() -> None:
    waiting = plan([asks("a")], [], want("a", max_instances=0))

    assert waiting.actions == []
    assert explain(waiting.waits[QueueId("a")], NOW) == "its owner allows no instance: raise max_instances"


def test_an_idle_time_of_its_own_is_kept_to_the_letter_whatever_is_expected() -> None:
    idle = instance("i", "a", IDLE, 61)
    due = {QueueId("a"): Habit(head=50, tail=90, last=NOW - timedelta(seconds=60))}
    lengthened = want("a", longest_idle=timedelta(minutes=2))

    assert stopped(plan([], [idle], habits=due)) == {"i": "idle"}
    assert plan([], [idle], lengthened, habits=due).actions == []


def test_a_second_instance_gives_way_before_a_turn_is_over() -> None:
    two = [instance("i", "a", ACTIVE, 3), instance("j", "a", ACTIVE, 3)]

    assert list(stopped(plan([asks("b", age=1)], two)).values()) == [TURN_OVER]


def test_a_turn_lasts_as_long_as_the_boot_that_it_cost() -> None:
    busy = instance("i", "a", ACTIVE, 20)
    slow = {QueueId("a"): Habit(boot=30)}

    assert plan([asks("b", age=20)], [busy], on=machine(1), habits=slow).actions == []
    assert stopped(plan([asks("b", age=20)], [instance("i", "a", ACTIVE, 30)], on=machine(1), habits=slow))


def test_a_prediction_that_is_not_stored_yet_takes_free_room_and_makes_none() -> None:
    idle = instance("j", "b", IDLE, 30)

    assert started(plan([asks("a", is_certain=False)])) == ["a"]
    assert plan([asks("a", is_certain=False)], [idle], on=machine(1)).actions == []


def test_gpus_are_given_one_by_one_and_the_reason_names_who_has_them() -> None:
    first, second = plan([asks("a"), asks("b")], [], want("a", GPU), want("b", GPU), on=machine(9, gpus=2)).actions
    assert isinstance(first, Start)
    assert isinstance(second, Start)
    shares = (first.share, second.share)
    held = [instance(name, name, ACTIVE, share=share) for name, share in zip("ab", shares, strict=True)]
    waiting = plan([asks("c")], held, want("c", GPU), on=machine(9, gpus=2))

    assert [share.gpus for share in shares] == [(0,), (1,)]
    assert waiting.actions == []
    assert explain(waiting.waits[QueueId("c")], NOW) == "waits for 1 GPU: 2 of 2 in use by a, b"


def test_the_reason_names_what_is_still_missing_when_the_idle_have_given_way() -> None:
    gpu = Share(memory=GIB, gpus=(0,), gpu_memory=16 * GIB)
    busy, idle = instance("i", "a", ACTIVE, 1, share=gpu), instance("j", "b", IDLE, 1)
    waiting = plan([asks("c")], [busy, idle], want("c", GPU), on=machine(2, gpus=1))

    assert explain(waiting.waits[QueueId("c")], NOW) == "waits for 1 GPU: 1 of 1 in use by a"


def test_only_whose_room_is_of_use_makes_room() -> None:
    without = instance("i", "a", IDLE, 50)
    with_gpu = instance("j", "b", IDLE, 1, share=Share(memory=GIB, gpus=(0,), gpu_memory=16 * GIB))

    assert stopped(plan([asks("c")], [without, with_gpu], want("c", GPU), on=machine(9, gpus=1))) == {"j": MADE_ROOM}


def test_room_that_is_coming_is_waited_for() -> None:
    going, idle = instance("i", "a", InstanceState.stopping), instance("j", "b", IDLE, 1)

    assert plan([asks("c")], [going, idle]).actions == []
    assert stopped(plan([asks("c"), asks("d")], [going, idle])) == {"j": MADE_ROOM}


def test_why_somebody_waits() -> None:
    booting = plan([asks("a")], [instance("i", "a", BOOTING, 40)], habits={QueueId("a"): Habit(boot=60)})
    busy = plan([asks("a")], [instance("i", "a", ACTIVE)])
    full = plan([asks("c", age=1)], [instance("i", "a", ACTIVE), instance("j", "b", ACTIVE)])
    never = plan([asks("a")], [], want("a", GPU))

    assert booting.waits == {"a": Booting(since=NOW - timedelta(seconds=40), usually=60)}
    assert explain(booting.waits[QueueId("a")], NOW) == "an instance is being set up, 40 s so far, usually 60 s"
    assert busy.waits == {"a": Busy(instances=1)}
    assert explain(full.waits[QueueId("c")], NOW) == "waits for room for 1 instance: 2 of 2 in use by a, b"
    assert isinstance(never.waits[QueueId("a")], Short)
    assert explain(never.waits[QueueId("a")], NOW) == "hardware gpu needs 1 GPU, more than this machine has (none)"


@st.composite
def views(draw: st.DrawFn) -> View:
    """Any state that can come about: what is held fits the machine."""
    gpus = draw(st.integers(0, 2))
    where = machine(draw(st.integers(1, 6)), gpus=gpus, memory=draw(st.integers(2, 12)))
    kinds = st.sampled_from([CPU, GPU, Hardware(sku="small", name="", cpus=1, memory=GIB)])
    queues = [QueueId(name) for name in "abcdef"]
    least = {queue: draw(st.integers(0, 2)) for queue in queues}
    wants = {
        queue: want(
            queue,
            draw(kinds),
            min_instances=least[queue],
            max_instances=draw(st.one_of(st.none(), st.integers(least[queue], 3))),
            priority=draw(st.integers(-1, 1)),
            slots=draw(st.integers(1, 3)),
            is_current=draw(st.booleans()),
        )
        for queue in draw(st.lists(st.sampled_from(queues), unique=True))
    }
    instances: list[Instance] = []
    for number in range(draw(st.integers(0, 6))):
        queue = draw(st.sampled_from(queues))
        needs = wants[queue].needs if queue in wants else Needs(hardware=CPU, memory=GIB)
        found = place(needs, where, [one.share for one in instances])
        state = draw(st.sampled_from([BOOTING, IDLE, ACTIVE, InstanceState.stopping]))
        if isinstance(found, Share):
            instances.append(instance(str(number), queue, state, draw(st.floats(0, 200)), share=found))
    asked = draw(st.lists(st.sampled_from(queues), unique=True))
    habit = st.builds(
        Habit, rate=st.floats(0, 5), boot=st.floats(0.1, 90), service=st.one_of(st.none(), st.floats(0.01, 9))
    )
    return View(
        now=NOW,
        machine=where,
        demand=[
            asks(queue, draw(st.integers(0, 9)), draw(st.floats(0, 60)), is_certain=draw(st.booleans()))
            for queue in asked
        ],
        wants=wants,
        instances=instances,
        habits=draw(st.dictionaries(st.sampled_from(queues), habit)),
        served=draw(st.dictionaries(st.sampled_from(queues), st.just(NOW))),
    )


@given(views())
def test_whatever_is_there_what_is_started_fits_and_nothing_that_works_is_stopped_lightly(view: View) -> None:
    given_plan = decide(view)
    starts = [action for action in given_plan.actions if isinstance(action, Start)]
    stops = stopped(given_plan)
    states = {one.id: one.state for one in view.instances}
    held = [one.share for one in view.instances]

    for start in starts:  # beside all that is there, also what is about to stop
        found = place(view.wants[start.queue].needs, view.machine, held)
        assert found == start.share
        held.append(start.share)
    for stop, reason in stops.items():
        is_idle = states[InstanceId(stop)] is IDLE
        is_useless = states[InstanceId(stop)] is BOOTING and reason != MADE_ROOM
        assert is_idle or is_useless or reason == TURN_OVER
    for queue in {start.queue for start in starts}:
        limit = view.wants[queue].max_instances
        alive = sum(one.queue == queue and one.state is not InstanceState.stopping for one in view.instances)
        if limit is not None:
            assert alive + sum(start.queue == queue for start in starts) <= max(limit, alive)
    if starts or stops:
        assert decide(view) == given_plan, "the same view gives the same plan"


@given(views())
def test_who_waits_has_an_instance_or_a_reason(view: View) -> None:
    given_plan = decide(view)
    for one in view.demand:
        known = view.wants.get(one.queue)
        if one.queued and known is not None:
            assert one.queue in given_plan.waits


@given(views())
def test_the_rounds_come_to_rest(view: View) -> None:
    """Carried out at once, with nothing changing meanwhile, the plans end: nothing is started and stopped for ever."""
    instances = {one.id: one for one in view.instances}
    for round_number in range(40):
        step = decide(
            View(
                now=view.now,
                machine=view.machine,
                demand=view.demand,
                wants=view.wants,
                instances=list(instances.values()),
                habits=view.habits,
                served=view.served,
            )
        )
        if not step.actions:
            return
        for action in step.actions:
            if isinstance(action, Stop):
                del instances[action.instance]
            else:
                name = f"new {round_number} {len(instances)}"
                instances[InstanceId(name)] = instance(name, action.queue, ACTIVE, share=action.share)
        instances = {key: one for key, one in instances.items() if one.state is not InstanceState.stopping}
    raise AssertionError("the plans never come to rest")


@given(views())
def test_a_shortage_says_what_is_missing(view: View) -> None:
    for wait in decide(view).waits.values():
        if isinstance(wait, Short):
            assert wait.shortage.resource in Resource
            assert wait.shortage.wanted > wait.shortage.free or wait.shortage.resource is Resource.instances
            assert explain(wait, NOW)
