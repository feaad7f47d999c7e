"""What runs together is claimed together, and nobody loses his turn by it."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from cogyard.domain.account import Account, AccountKind, Role
from cogyard.domain.batching import Batch
from cogyard.domain.events import Interrupted, Separated, Started
from cogyard.domain.prediction import Prediction, apply
from cogyard.domain.values import QueueId
from cogyard.store.rows import from_version, to_version
from cogyard.store.sqlite import SqliteStore
from tests.contract.test_store import INSTANCE, LEASE, NOW, QUEUE, model, prediction, version, with_store

EIGHT = Batch(input="texts", max=8)


async def user(store: SqliteStore, name: str) -> Account:
    return await store.create_account(name, AccountKind.user, name, NOW, Role.runner)


async def queued(store: SqliteStore, account: Account, count: int, key: str | None = "k", **more: Any) -> list[str]:
    made = [prediction(account, batch_key=key, **{"input": {"texts": ["a"]}, **more}) for _ in range(count)]
    return [(await store.create_prediction(one)).id for one in made]


async def claimed(store: SqliteStore, batch: Batch = EIGHT) -> list[Prediction]:
    """What an instance takes for one free slot."""
    first = await store.claim(QUEUE, INSTANCE, LEASE, NOW)
    assert first is not None
    return [first] if first.batch_key is None else [first, *await store.claim_alike(first, batch, LEASE, NOW)]


def test_the_oldest_with_the_same_key_come_along(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, ada: Account) -> None:
        same = await queued(store, ada, 3)
        other = await queued(store, ada, 1, key="other")
        alone = await queued(store, ada, 1, key=None)
        same += await queued(store, ada, 9)
        await queued(store, ada, 1, queue=QueueId("b" * 64))

        batch = await claimed(store)

        assert [one.id for one in batch] == same[:8]
        assert {(one.claimed_by, one.epoch) for one in batch} == {(INSTANCE, 1)}
        assert await store.claimed(instance=INSTANCE) == batch
        assert [[one.id for one in await claimed(store)] for _ in range(3)] == [other, alone, same[8:]]

    with_store(tmp_path, scenario)


def test_accounts_take_turns_within_a_batch(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, ada: Account) -> None:
        bea, cat = await user(store, "bea"), await user(store, "cat")
        many, few = await queued(store, ada, 20), await queued(store, bea, 2)
        some = await queued(store, cat, 20)

        batch = [one.id for one in await claimed(store)]

        assert batch[0] == many[0]
        assert set(batch) == {*many[:3], *few, *some[:3]}

    with_store(tmp_path, scenario)


def test_who_waits_with_another_key_is_next(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, ada: Account) -> None:
        bea, cat = await user(store, "bea"), await user(store, "cat")
        await queued(store, ada, 100)
        await queued(store, cat, 100)
        waiting = await queued(store, bea, 3, key="other")
        served = [[one.id for one in await claimed(store)] for _ in range(9)]

        turns = [number for number, batch in enumerate(served) if batch[0] in waiting]
        assert turns == [1], "one batch before her, and all that she has goes in one"

    with_store(tmp_path, scenario)


def test_riding_along_is_a_turn(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, ada: Account) -> None:
        bea, cat = await user(store, "bea"), await user(store, "cat")
        await queued(store, ada, 1)
        await queued(store, bea, 1)
        [second] = await queued(store, bea, 1, key="b")
        [third] = await queued(store, cat, 1, key="c")

        assert len(await claimed(store)) == 2
        assert [(await claimed(store))[0].id for _ in range(2)] == [third, second]

    with_store(tmp_path, scenario)


def test_no_more_items_than_were_declared(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, ada: Account) -> None:
        await queued(store, ada, 6, input={"texts": ["a", "b", "c"]})

        batches = [await claimed(store, Batch(input="texts", max=8, max_items=10)) for _ in range(2)]

        assert [len(batch) for batch in batches] == [3, 3]

    with_store(tmp_path, scenario)


def test_what_was_interrupted_runs_alone(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, ada: Account) -> None:
        await queued(store, ada, 2)
        for one in await claimed(store):
            assert await store.record(one, apply(one, Interrupted(at=NOW, reason="killed")))
        fresh = await queued(store, ada, 1)

        first = await store.claim(QUEUE, INSTANCE, LEASE, NOW)
        assert first is not None
        assert first.attempt == 2
        assert [one.id for one in await store.claim_alike(first, EIGHT, LEASE, NOW)] == fresh

    with_store(tmp_path, scenario)


def test_a_queue_of_other_keys_is_not_searched_to_its_end(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, ada: Account) -> None:
        first = await queued(store, ada, 1)
        await asyncio.gather(*(queued(store, ada, 1, key=f"other {number}") for number in range(100)))
        await queued(store, ada, 1)

        assert [one.id for one in await claimed(store)] == first

    with_store(tmp_path, scenario)


def test_two_instances_never_get_the_same(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, ada: Account) -> None:
        ids = await queued(store, ada, 40)

        batches = await asyncio.gather(*(claimed(store) for _ in range(8)))

        assert sorted(one.id for batch in batches for one in batch) == sorted(ids)

    with_store(tmp_path, scenario)


def test_with_how_many_it_ran_is_stored(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, ada: Account) -> None:
        await queued(store, ada, 1)
        [one] = await claimed(store)
        together = apply(one, Started(at=NOW, together=8))
        assert await store.record(one, together)
        found = await store.get_prediction(one.id)
        assert found is not None
        assert found.timing == {"batch": 8}
        assert await store.record(together, apply(together, Separated(at=NOW, reason="it rained")))
        found = await store.get_prediction(one.id)
        assert found is not None
        assert found.timing is None

    with_store(tmp_path, scenario)


def test_a_version_keeps_what_it_declared(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, ada: Account) -> None:
        made = await store.create_model(model(ada))
        plain, batching = version(1), version(2)
        batching = replace(batching, config=replace(batching.config, batch=EIGHT))
        for one in (plain, batching):
            await store.add_version(made.id, one)

        assert await store.get_version(batching.id) == batching
        assert await store.get_version(plain.id) == plain

    with_store(tmp_path, scenario)


def test_a_version_of_an_older_release_declares_nothing() -> None:
    row: dict[str, Any] = from_version(version())
    row["config"] = {name: value for name, value in row["config"].items() if name != "batch"}

    assert to_version(row) == version()  # type: ignore[arg-type]
