"""A deployment's way from release to release in the store: what is rolled back, what moves, what is refused."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cogyard.domain.account import Account
from cogyard.domain.deployment import Deployment, Release
from cogyard.domain.errors import Disabled, NotFound
from cogyard.domain.instance import RESTARTED, Instance, InstanceState
from cogyard.domain.rollout import Move, RollBack
from cogyard.domain.values import DeploymentId, InstanceId, PredictionId, QueueId, VersionId
from cogyard.ports import Moved
from cogyard.store.sqlite import SqliteStore
from tests.contract.test_store import LEASE, NOW, model, prediction, version, with_store

OLD, NEW = VersionId("a" * 64), VersionId("b" * 64)


async def deployed(store: SqliteStore, account: Account, least: int = 1) -> Deployment:
    """A deployment of the older of a model's two versions."""
    made = await store.create_model(model(account, "canary"))
    for number in (OLD, NEW):
        await store.add_version(made.id, replace(version(), id=number))
    release = Release(
        number=1,
        model=made.full_name,
        version=OLD,
        hardware="cpu",
        min_instances=least,
        max_instances=2,
        created_at=NOW,
        created_by=account,
    )
    desk = Deployment(
        id=DeploymentId(0), account=account.id, owner=account.username, name="desk", created_at=NOW, current=release
    )
    return await store.create_deployment(desk)


async def released(store: SqliteStore, before: Deployment, **changes: object) -> Deployment:
    new = replace(before.current, number=before.current.number + 1, **changes)  # type: ignore[arg-type]
    assert await store.add_release(before.id, new)
    return await get(store, before)


async def get(store: SqliteStore, deployment: Deployment) -> Deployment:
    found = await store.get_deployment(deployment.owner, deployment.name)
    assert found is not None
    return found


def instance(queue: QueueId, name: str, *, reason: str = "no weights", was_ready: bool = False) -> Instance:
    return Instance(
        id=InstanceId(name),
        queue=queue,
        state=InstanceState.failed,
        created_at=NOW,
        ended_at=NOW,
        reason=reason,
        ready_at=NOW if was_ready else None,
    )


def test_a_roll_is_remembered_until_it_is_finished(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        first = await deployed(store, account)
        rolling = await released(store, first, version=NEW)

        assert (rolling.current.version, rolling.serving) == (NEW, first.current)
        assert await store.rolling_deployments() == [rolling]
        assert not await store.finish_roll(rolling.id, 1)
        assert await store.finish_roll(rolling.id, 2)
        assert not await store.finish_roll(rolling.id, 2)
        assert (await get(store, rolling)).serving.version == NEW
        assert await store.rolling_deployments() == []

    with_store(tmp_path, scenario)


def test_a_version_that_still_serves_is_in_use(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        rolling = await released(store, await deployed(store, account), version=NEW)
        theirs = await store.get_model("acme", "canary")
        assert theirs is not None

        assert (await store.version_users(theirs, OLD)).deployments
        await store.finish_roll(rolling.id, 2)
        assert not (await store.version_users(theirs, OLD)).deployments

    with_store(tmp_path, scenario)


def test_a_roll_back_and_the_move_of_what_waits_are_one(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        first = await deployed(store, account, least=0)
        second = await released(store, first, version=NEW)
        wanted = prediction(account, queue=second.queue, version=NEW, deployment="acme/desk", is_stream=True, attempt=2)
        claimed, waiting = [await store.create_prediction(replace(wanted, id=PredictionId(n * 26))) for n in "12"]
        assert await store.claim(second.queue, InstanceId("i"), LEASE, NOW) is not None
        back = replace(first.current, number=3, note="rolled back")

        moved = await store.settle_failure(second, second.queue, RollBack(release=back))
        late = await store.settle_failure(second, second.queue, RollBack(release=back))

        assert moved == Moved(queue=first.queue, predictions=[waiting.id])
        assert late is None
        assert (await get(store, second)).current == back
        found, stays = await store.get_prediction(waiting.id), await store.get_prediction(claimed.id)
        assert found is not None
        assert stays is not None
        assert (found.queue, found.version, found.is_stream, found.attempt) == (first.queue, OLD, False, 1)
        assert stays.queue == second.queue

    with_store(tmp_path, scenario)


def test_nothing_is_rolled_back_to_a_version_that_is_gone(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        first = await deployed(store, account, least=0)
        second = await released(store, first, version=NEW)
        theirs = await store.get_model("acme", "canary")
        assert theirs is not None
        await store.remove_version(theirs, OLD, NOW)

        standing = await store.standing(second.id)
        back = RollBack(release=replace(first.current, number=3))

        assert standing is not None
        assert [one.number for one in standing.releases] == [2]
        assert await store.settle_failure(second, second.queue, back) is None
        assert (await get(store, second)).current.number == 2

    with_store(tmp_path, scenario)


def test_a_former_release_that_fails_gives_way_in_the_same_step(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        rolling = await released(store, await deployed(store, account), version=NEW)

        moved = await store.settle_failure(rolling, rolling.queue, Move(to=rolling.current))

        assert moved == Moved(queue=rolling.next_queue, predictions=[])
        assert (await get(store, rolling)).former is None

    with_store(tmp_path, scenario)


def test_what_became_of_instances_is_known_whatever_secrets_they_had(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        desk = await deployed(store, account)
        marked = replace(desk, secrets_mark="m" * 12)
        other = replace(desk, id=DeploymentId(desk.id * 10 + 1))
        await store.save_instance(instance(marked.queue, "1", was_ready=True))
        await store.save_instance(instance(desk.queue_of(replace(desk.current, version=NEW)), "2"))
        await store.save_instance(instance(desk.queue_of(replace(desk.current, version=NEW)), "3", reason=RESTARTED))
        await store.save_instance(instance(other.queue_of(replace(desk.current, version=NEW)), "4", was_ready=True))

        found = await store.standing(desk.id)

        assert found is not None
        assert found.past.worked == {OLD}
        assert found.past.failed == {NEW: [NOW]}

    with_store(tmp_path, scenario)


def test_a_deployment_is_asked_again_by_the_transaction_that_creates(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        desk = await deployed(store, account)
        new = prediction(account, queue=desk.queue, deployment="acme/desk", created_at=NOW)
        off = await released(store, desk, min_instances=0, max_instances=0)
        with pytest.raises(Disabled):
            await store.create_prediction(new)
        on = await released(store, off, max_instances=1)
        await store.create_prediction(new)

        assert (await get(store, on)).used_at == NOW
        assert await store.disabled_deployments() == []
        assert not await store.delete_deployment(on.id, NOW)
        await released(store, on, max_instances=0)
        assert await store.disabled_deployments() == ["acme/desk"]
        assert await store.delete_deployment(on.id, NOW + timedelta(seconds=1))
        with pytest.raises(NotFound):
            await store.create_prediction(replace(new, id=PredictionId("z" * 26)))

    with_store(tmp_path, scenario)
