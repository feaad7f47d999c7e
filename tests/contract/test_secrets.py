"""Secrets in the store: which queues they belong to, and what begins new ones."""

from dataclasses import replace
from pathlib import Path

from cogyard.domain.account import Account, AccountKind, Role
from cogyard.domain.catalog import Model
from cogyard.domain.deployment import Deployment, Release
from cogyard.domain.queue import model_queue, training_queue, version_queue
from cogyard.domain.secret import Holder, HolderKind
from cogyard.domain.values import DeploymentId, QueueId
from cogyard.store.sqlite import SqliteStore
from tests.contract.test_store import NOW, model, version, with_store

KEY = "API_KEY"


def of(model: Model) -> Holder:
    return Holder(HolderKind.model, model.id)


async def get(store: SqliteStore, name: str) -> Model:
    found = await store.get_model("acme", name)
    assert found is not None
    return found


async def make(store: SqliteStore, account: Account, name: str) -> Model:
    made = await store.create_model(model(account, name))
    await store.add_version(made.id, version())
    return await get(store, name)


async def deploy(store: SqliteStore, account: Account, name: str, model_name: str) -> Deployment:
    release = Release(
        number=1,
        model=model_name,
        version=version().id,
        hardware="cpu",
        min_instances=1,
        max_instances=1,
        created_at=NOW,
        created_by=account,
    )
    made = Deployment(
        id=DeploymentId(0), account=account.id, owner=account.username, name=name, created_at=NOW, current=release
    )
    return await store.create_deployment(made)


async def put(store: SqliteStore, holder: Holder, account: Account, sealed: bytes) -> None:
    await store.put_secret(holder, KEY, sealed, account.id, NOW)


async def found(store: SqliteStore, queue: QueueId) -> list[bytes]:
    return [sealed for _, sealed in (await store.secrets_of_queue(queue)).values()]


def test_each_change_marks_a_model_anew_and_no_secret_leaves_no_mark(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        made = await make(store, account, "one")
        marks = [made.secrets_mark]
        for sealed in (b"a", b"b"):
            await put(store, of(made), account, sealed)
            marks.append((await get(store, "one")).secrets_mark)
        assert await store.remove_secret(of(made), "OTHER") is False
        assert (await get(store, "one")).secrets_mark == marks[-1]
        assert await store.remove_secret(of(made), KEY) is True
        assert (await get(store, "one")).secrets_mark is marks[0] is None
        assert len(set(marks)) == 3

    with_store(tmp_path, scenario)


def test_only_the_models_own_queues_have_its_secrets(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        one, other = await make(store, account, "one"), await make(store, account, "other")
        await put(store, of(one), account, b"sealed")
        one = await get(store, "one")
        for queue in (model_queue(version().id, one.id, one.secrets_mark), training_queue(version().id, one.id, "m")):
            assert await found(store, queue) == [b"sealed"]
        for queue in (version_queue(version().id), model_queue(version().id, other.id, "m")):
            assert await found(store, queue) == []

    with_store(tmp_path, scenario)


def test_a_models_number_that_is_given_out_again_brings_no_secrets_with_it(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        gone = await store.create_model(model(account, "gone"))
        await put(store, of(gone), account, b"sealed")
        mark = (await get(store, "gone")).secrets_mark
        await store.delete_model(gone.id)
        new = await make(store, account, "new")
        assert new.id == gone.id
        assert await found(store, model_queue(version().id, new.id, mark)) == []
        await put(store, of(new), account, b"new")
        assert (await get(store, "new")).secrets_mark != mark

    with_store(tmp_path, scenario)


def test_a_deployment_has_a_new_queue_after_each_change_that_concerns_it(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        one, other = await make(store, account, "one"), await make(store, account, "other")
        made = await deploy(store, account, "d", "Acme/ONE")
        own = Holder(HolderKind.deployment, made.id)

        async def queue() -> QueueId:
            current = await store.get_deployment("acme", "d")
            assert current is not None
            return current.queue

        queues = [await queue()]
        await put(store, of(one), account, b"model")
        queues.append(await queue())
        assert await found(store, queues[-1]) == [b"model"]
        await put(store, own, account, b"own")
        queues.append(await queue())
        assert await found(store, queues[-1]) == [b"own"]
        await store.remove_secret(own, KEY)
        queues.append(await queue())
        await store.remove_secret(of(one), KEY)
        queues.append(await queue())
        await put(store, of(other), account, b"other")
        assert await queue() == queues[-1]
        await store.add_release(made.id, replace(made.current, number=2, model="acme/other"))
        queues.append(await queue())
        assert await found(store, queues[-1]) == [b"other"]
        await store.add_release(made.id, replace(made.current, number=3, model="acme/other", max_instances=2))
        assert await queue() == queues[-1]
        assert len(set(queues)) == len(queues)

    with_store(tmp_path, scenario)


def test_a_deployment_of_anothers_model_gets_nothing_of_it(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        made = await make(store, account, "one")
        eve = await store.create_account("eve", AccountKind.user, "eve", NOW, Role.publisher)
        deployed = await deploy(store, eve, "d", "acme/one")
        await put(store, of(made), account, b"sealed")
        assert await store.get_deployment("eve", "d") == deployed
        assert await found(store, deployed.queue) == []

    with_store(tmp_path, scenario)


def test_what_is_kept_warm_and_what_is_of_use_are_the_queues_of_now(tmp_path: Path) -> None:
    shared = version_queue(version().id)

    async def scenario(store: SqliteStore, account: Account) -> None:
        for name in ("one", "other", "third"):
            made = await make(store, account, name)
            await store.update_model(made, replace(made, is_official=name != "third"))
        assert [(one.queue, one.min_instances) for one in await store.targets([], 1)] == [(shared, 1)]
        one, third = await get(store, "one"), await get(store, "third")
        await put(store, of(one), account, b"sealed")
        await put(store, of(third), account, b"sealed")
        marked = [
            model_queue(version().id, model.id, model.secrets_mark)
            for model in (await get(store, "one"), await get(store, "third"))
        ]
        former = model_queue(version().id, third.id, "0" * 12)
        wanted = {target.queue: target for target in await store.targets([*marked, former], 1)}
        assert wanted[shared].min_instances == 1  # `other` has no secrets
        assert [wanted[queue].min_instances for queue in marked] == [1, 0]
        assert [wanted[queue].is_current for queue in (shared, *marked, former)] == [True, True, True, False]

    with_store(tmp_path, scenario)
