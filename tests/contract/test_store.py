"""What every store must do, tried on SQLite in a temporary folder."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from cogyard.clock import SystemClock
from cogyard.domain.account import Account, AccountKind, Role
from cogyard.domain.catalog import Alias, BuildConfig, Model, Version
from cogyard.domain.errors import Conflict, StorageFull, Unauthenticated
from cogyard.domain.events import CancelRequested, Event, Interrupted, Log, Output, Started, Succeeded
from cogyard.domain.file import Content, File, FileKind
from cogyard.domain.instance import Instance, InstanceState
from cogyard.domain.prediction import Prediction, Status, apply
from cogyard.domain.queue import version_queue
from cogyard.domain.values import FileId, InstanceId, ModelId, PredictionId, QueueId, VersionId
from cogyard.ids import new_prediction_id
from cogyard.ports import PageRequest, PredictionFilter
from cogyard.store import open_store
from cogyard.store.columns import metadata
from cogyard.store.migrate import migrate
from cogyard.store.sqlite import DataFolderInUse, SqliteStore

NOW = datetime(2026, 1, 1, 12, 0, 0, 123_456, tzinfo=UTC)
LEASE = timedelta(seconds=15)
INSTANCE = InstanceId("i" * 26)
VERSION = VersionId("a" * 64)
QUEUE = version_queue(VERSION)


def with_store(folder: Path, scenario: Callable[[SqliteStore, Account], Awaitable[Any]]) -> Any:
    """Run a scenario on a store in `folder`."""

    async def run() -> Any:
        store = await open_store(folder / "cogyard.db", SystemClock())
        try:
            account = await store.get_account("acme") or await store.create_account(
                "acme", AccountKind.user, "acme", NOW, Role.admin
            )
            return await scenario(store, account)
        finally:
            await store.close()

    return asyncio.run(run())


def prediction(account: Account, **changes: Any) -> Prediction:
    made = Prediction(
        id=new_prediction_id(datetime.now(UTC)),
        account=account.id,
        model="acme/model",
        version=VERSION,
        queue=version_queue(VERSION),
        input={"text": "hi", "n": 3},
        created_at=NOW,
    )
    return replace(made, **changes)


def version(number: int = 1) -> Version:
    return Version(
        id=VersionId(f"{number:064x}"),
        created_at=NOW,
        cog_version="0.23.1",
        openapi_schema={"components": {}},
        config=BuildConfig(predict="predict.py:Predictor", environment={"A": "b"}),
        source_digest="s",
        environment_digest="e",
    )


def model(account: Account, name: str = "model") -> Model:
    return Model(id=ModelId(0), account=account.id, owner="acme", name=name, created_at=NOW)


def test_a_prediction_comes_back_as_it_was(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        wanted = prediction(account, webhook="https://a/b", webhook_events_filter=("start", "completed"))
        created = await store.create_prediction(wanted)
        assert created.sequence > 0
        assert await store.get_prediction(wanted.id) == created
        assert await store.get_prediction(PredictionId("nothing")) is None

    with_store(tmp_path, scenario)


def test_the_oldest_waiting_is_claimed_once(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        created = [await store.create_prediction(prediction(account)) for _ in range(3)]
        await store.create_prediction(prediction(account, queue=QueueId("b" * 64)))
        assert [(entry.queue, entry.queued) for entry in await store.demand()] == [(QUEUE, 3), ("b" * 64, 1)]
        claims = await asyncio.gather(*(store.claim(QUEUE, INSTANCE, LEASE, NOW) for _ in range(5)))
        assert [claim.id for claim in claims if claim] == [one.id for one in created]
        assert claims[0] is not None
        assert (claims[0].epoch, claims[0].claimed_by) == (1, INSTANCE)
        assert len(await store.claimed(instance=INSTANCE)) == 3

    with_store(tmp_path, scenario)


def test_accounts_take_turns_in_a_queue(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, ada: Account) -> None:
        bea = await store.create_account("bea", AccountKind.user, "Bea", NOW, Role.runner)
        many = [await store.create_prediction(prediction(ada)) for _ in range(5)]
        few = [await store.create_prediction(prediction(bea)) for _ in range(2)]
        claims = [await store.claim(QUEUE, INSTANCE, LEASE, NOW) for _ in range(8)]
        order = [many[0], few[0], many[1], few[1], *many[2:]]
        assert [claim.id for claim in claims if claim] == [one.id for one in order]

    with_store(tmp_path, scenario)


def test_an_account_disabled_since_it_asked_makes_no_prediction(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        user = await store.create_account("ida", AccountKind.user, "Ida", NOW, Role.runner)
        await store.update_account(user, replace(user, disabled_at=NOW))
        with pytest.raises(Unauthenticated):
            await store.create_prediction(prediction(user))
        assert (await store.create_prediction(prediction(account))).account == account.id

    with_store(tmp_path, scenario)


def test_progress_is_appended_and_the_end_folded(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        await store.create_prediction(prediction(account, is_stream=True))
        stored = await store.claim(QUEUE, INSTANCE, LEASE, NOW)
        assert stored is not None
        for event in (
            Started(at=NOW),
            Output(items=("a", "b.png"), files={"/1": FileId("f")}),
            Log(text="one\n"),
            Output(items=("c",)),
            Log(text="two\n"),
        ):
            after = apply(stored, event)
            assert await store.record(stored, after)
            stored = after
            assert replace(await _get(store, stored), sequence=stored.sequence) == stored
        done = apply(stored, Succeeded(at=NOW))
        assert await store.record(stored, done)
        found = await _get(store, done)
        assert (found.output, found.logs, found.output_files) == (["a", "b.png", "c"], "one\ntwo\n", {"/1": "f"})

    with_store(tmp_path, scenario)


async def _get(store: SqliteStore, wanted: Prediction) -> Prediction:
    found = await store.get_prediction(wanted.id)
    assert found is not None
    return found


def test_a_late_answer_is_refused(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        await store.create_prediction(prediction(account))
        first = await store.claim(QUEUE, INSTANCE, LEASE, NOW)
        assert first is not None
        assert await store.record(first, apply(first, Interrupted(at=NOW, reason="gone")))
        second = await store.claim(QUEUE, InstanceId("j" * 26), LEASE, NOW)
        assert second is not None
        assert (second.epoch, second.attempt) == (2, 2)
        assert not await store.record(first, apply(first, Succeeded(at=NOW)))
        assert await store.record(second, apply(second, Succeeded(at=NOW)))
        assert not await store.record(second, apply(second, Interrupted(at=NOW, reason="late")))
        assert (await _get(store, second)).status is Status.succeeded

    with_store(tmp_path, scenario)


def test_leases_run_out_unless_extended(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        for _ in range(2):
            await store.create_prediction(prediction(account))
        held = await store.claim(QUEUE, INSTANCE, LEASE, NOW)
        lost = await store.claim(QUEUE, INSTANCE, LEASE, NOW)
        assert held is not None
        assert lost is not None
        after = NOW + LEASE + timedelta(seconds=1)
        assert len(await store.claimed(expired_at=after)) == 2
        await store.extend(INSTANCE, [held.id], LEASE, NOW + timedelta(seconds=10))
        assert [one.id for one in await store.claimed(expired_at=after)] == [lost.id]

    with_store(tmp_path, scenario)


def test_logs_of_failed_setups_gather_on_what_waits(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        stored = await store.create_prediction(prediction(account))
        for _ in range(2):
            after = apply(apply(stored, Log(text="setup\n")), Interrupted(at=NOW, reason="gone"))
            assert await store.record(stored, after)
            stored = await _get(store, stored)
        assert stored.logs.count("setup\n") == 2
        assert stored.attempt == 3

    with_store(tmp_path, scenario)


def test_names_are_taken_in_any_letter_case(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        await store.create_model(model(account, "Name"))
        with pytest.raises(Conflict):
            await store.create_model(model(account, "nAME"))
        with pytest.raises(Conflict):
            await store.create_account("ACME", AccountKind.user, "x", NOW, Role.publisher)
        found = await store.get_model("Acme", "NAME")
        assert found is not None
        assert found.name == "Name"

    with_store(tmp_path, scenario)


def test_versions_belong_to_models_and_the_last_pushed_is_the_latest(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        one, other = await store.create_model(model(account)), await store.create_model(model(account, "other"))
        assert await store.add_version(one.id, version(1))
        assert await store.add_version(one.id, version(2))
        assert await store.add_version(other.id, version(1))
        assert not await store.add_version(one.id, version(1))
        found = await store.get_model("acme", "model")
        assert found is not None
        assert found.latest_version == version(1).id
        assert await store.get_version(version(2).id) == version(2)
        assert await store.get_model_version(other.id, version(2).id) is None
        assert [entry.name for entry in await store.models_of_version(version(1).id)] == ["model", "other"]
        listed = await store.list_versions(one.id, PageRequest(limit=10))
        assert [entry.id for entry in listed.items] == [version(2).id, version(1).id]

    with_store(tmp_path, scenario)


def test_an_alias_stands_for_a_version_of_its_model(tmp_path: Path) -> None:
    foreign = VersionId("f" * 64)

    async def scenario(store: SqliteStore, account: Account) -> None:
        one, other = await store.create_model(model(account)), await store.create_model(model(account, "other"))
        for made in (version(1), version(2)):
            await store.add_version(one.id, made)
        await store.add_version(other.id, version(1))
        assert await store.get_model_version(one.id, foreign) is None

        await store.put_alias(one.id, Alias(id=foreign, version=version(1).id, created_at=NOW))
        await store.put_alias(other.id, Alias(id=foreign, version=version(1).id, created_at=NOW))
        assert await store.get_model_version(one.id, foreign) == version(1)
        assert await store.get_version(foreign) is None
        assert [entry.name for entry in await store.models_of_version(foreign)] == ["model", "other"]
        assert (await store.version_users(one, version(1).id)).aliases

        await store.put_alias(one.id, Alias(id=foreign, version=version(2).id, created_at=NOW))
        assert await store.get_model_version(one.id, foreign) == version(2)
        assert [entry.name for entry in await store.models_of_version(foreign)] == ["model", "other"]
        assert await store.list_aliases(one.id) == [Alias(id=foreign, version=version(2).id, created_at=NOW)]
        assert await store.remove_version(one, version(2).id, NOW)
        assert await store.get_model_version(one.id, foreign) is None

        assert await store.remove_alias(other.id, foreign)
        assert not await store.remove_alias(other.id, foreign)
        assert list(await store.models_of_version(foreign)) == []

    with_store(tmp_path, scenario)


def test_an_examples_files_do_not_expire(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        made = await store.create_model(model(account))
        kept, other = [await store.create_prediction(prediction(account)) for _ in range(2)]
        for number, owner in enumerate((kept, other)):
            await store.create_file(
                File(
                    id=FileId(f"f{number}"),
                    account=account.id,
                    kind=FileKind.output,
                    name="x",
                    content_type="text/plain",
                    content=Content(size=1, sha256="0" * 64, md5="0" * 32),
                    created_at=NOW,
                    expires_at=NOW,
                    prediction=owner.id,
                )
            )
        await store.add_example(made.id, kept.id)
        await store.add_example(made.id, kept.id)
        late = NOW + timedelta(days=1)
        assert [file.id for file in await store.expired_files(late, 10)] == ["f1"]
        assert [one.id for one in await store.list_examples(made.id)] == [kept.id]
        found = await store.get_model("acme", "model")
        assert found is not None
        assert found.default_example == kept.id

    with_store(tmp_path, scenario)


def test_instances_are_found_again(tmp_path: Path) -> None:
    running = Instance(id=INSTANCE, queue=QUEUE, state=InstanceState.idle, created_at=NOW, pid=7, pid_started=1.5)

    async def first(store: SqliteStore, _account: Account) -> None:
        await store.save_instance(replace(running, state=InstanceState.setting_up))
        await store.save_instance(running)

    async def second(store: SqliteStore, _account: Account) -> None:
        assert await store.unfinished_instances() == [running]
        await store.save_instance(replace(running, state=InstanceState.stopped))
        assert await store.unfinished_instances() == []
        assert (await store.get_instance(running.id)) is not None

    with_store(tmp_path, first)
    with_store(tmp_path, second)


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, _account: Account) -> None:
        assert await store.get_secret("links", lambda: "one") == "one"
        assert await store.get_secret("links", lambda: "two") == "one"

    with_store(tmp_path, scenario)


def test_a_command_that_fails_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        same = prediction(account)
        outcomes = await asyncio.gather(
            *(store.create_prediction(one) for one in (same, same, prediction(account))), return_exceptions=True
        )
        assert [isinstance(outcome, Prediction) for outcome in outcomes] == [True, False, True]

    with_store(tmp_path, scenario)


def test_a_disk_that_is_full_for_a_reader_is_told_as_one(tmp_path: Path) -> None:
    def sort_on_a_full_disk(_connection: Connection) -> None:
        raise OperationalError("select", {}, sqlite3.OperationalError("database or disk is full"))

    async def scenario(store: SqliteStore, _account: Account) -> None:
        with pytest.raises(StorageFull):
            await store._read(sort_on_a_full_disk)

    with_store(tmp_path, scenario)


def test_a_full_disk_is_told_and_survived(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        pages = await store._writer.submit(lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar())
        await store._writer.submit(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}"))
        with pytest.raises(StorageFull, match="no space left"):
            await store.create_prediction(prediction(account, input={"text": "x" * 500_000}))
        await store._writer.submit(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 100000"))
        assert (await store.create_prediction(prediction(account))).sequence > 0

    with_store(tmp_path, scenario)


def test_pages_run_both_ways(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        created = [(await store.create_prediction(prediction(account))).id for _ in range(7)][::-1]
        wanted = PredictionFilter(account=account.id)
        first = await store.list_predictions(wanted, PageRequest(limit=3))
        second = await store.list_predictions(wanted, PageRequest(limit=3, cursor=first.next))
        third = await store.list_predictions(wanted, PageRequest(limit=3, cursor=second.next))
        back = await store.list_predictions(wanted, PageRequest(limit=3, cursor=second.previous, reverse=True))
        assert [one.id for page in (first, second, third) for one in page.items] == created
        assert (first.previous, third.next) == (None, None)
        assert (list(back.items), back.previous) == (list(first.items), None)

    with_store(tmp_path, scenario)


def test_two_servers_cannot_open_one_folder(tmp_path: Path) -> None:
    async def scenario(_store: SqliteStore, _account: Account) -> None:
        with pytest.raises(DataFolderInUse, match=f"process {os.getpid()}"):
            await open_store(tmp_path / "cogyard.db", SystemClock())

    with_store(tmp_path, scenario)


def is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    """The tables of the full-text index are SQLite's own."""
    return kind != "table" or not str(name).startswith("model_search")


def test_the_migrations_make_exactly_the_schema_of_the_tables(tmp_path: Path) -> None:
    migrate(tmp_path / "new.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'new.db'}", poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_ours})
        assert compare_metadata(context, metadata) == []


def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    program = """
import asyncio, sys
from pathlib import Path
from tests.contract.test_store import NOW, prediction, SystemClock, open_store
from cogyard.domain.account import AccountKind, Role
async def main():
    store = await open_store(Path(sys.argv[1]) / "cogyard.db", SystemClock())
    account = await store.get_account("acme") or await store.create_account("acme", AccountKind.user, "a", NOW, Role.admin)
    async def create():
        while True:
            print((await store.create_prediction(prediction(account))).id, flush=True)
    await asyncio.gather(*(create() for _ in range(8)))
asyncio.run(main())
"""
    acknowledged: list[str] = []
    for kill in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        ) as child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(50 + 37 * kill)]
            child.send_signal(signal.SIGKILL)
            lines += child.stdout.readlines()
        acknowledged += [line.decode().strip() for line in lines if line.endswith(b"\n")]

    async def scenario(store: SqliteStore, _account: Account) -> None:
        for one in acknowledged:
            assert await store.get_prediction(PredictionId(one)) is not None

    assert len(acknowledged) > 1000
    with_store(tmp_path, scenario)


steps = st.lists(
    st.sampled_from(["create", "claim", "output", "succeed", "interrupt", "cancel", "late"]), min_size=5, max_size=40
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_the_store_agrees_with_the_state_machine_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, moves: list[str]
) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        known: dict[PredictionId, Prediction] = {}
        held: list[Prediction] = []
        stale: list[Prediction] = []
        for move in moves:
            if move == "create":
                made = await store.create_prediction(prediction(account, is_stream=True))
                known[made.id] = made
            elif move == "claim":
                taken = await store.claim(QUEUE, INSTANCE, LEASE, NOW)
                waiting = [one for one in known.values() if not one.status.is_terminal and one.claimed_by is None]
                assert (taken is None) == (not waiting)
                if taken is not None:
                    assert taken.id == min(waiting, key=lambda one: one.sequence).id
                    known[taken.id] = taken
                    held.append(taken)
            elif move in ("output", "succeed", "interrupt") and held:
                before = held.pop()
                event: Event = {
                    "output": Output(items=("x",)),
                    "succeed": Succeeded(at=NOW),
                    "interrupt": Interrupted(at=NOW, reason="gone"),
                }[move]  # type: ignore[assignment]
                after = apply(before, event)
                assert await store.record(before, after)
                known[after.id] = after
                (held if move == "output" else stale).append(after if move == "output" else before)
            elif move == "cancel" and known:
                target = next(iter(known.values()))
                canceled = await store.wish_end(target.id, CancelRequested(at=NOW))
                expected = apply(target, CancelRequested(at=NOW))
                assert canceled is not None
                assert canceled.status is expected.status
                known[target.id] = expected
                held = [expected if one.id == target.id else one for one in held]
            elif move == "late" and stale:
                assert not await store.record(stale[-1], apply(stale[-1], Succeeded(at=NOW)))
        for one in known.values():
            found = await _get(store, one)
            assert (found.status, found.output, found.attempt) == (one.status, one.output, one.attempt)

    with_store(tmp_path_factory.mktemp("store"), scenario)


def test_a_version_of_two_models_is_each_ones_own_from_when_it_came(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        first, second = [await store.create_model(model(account, name)) for name in ("first", "second")]
        shared = version(7)
        later = replace(shared, created_at=NOW + timedelta(hours=1))
        await store.add_version(first.id, shared)
        await store.add_version(second.id, later)
        shown = [await store.get_model_version(one.id, shared.id) for one in (first, second)]
        listed = (await store.list_versions(second.id, PageRequest(limit=9))).items

        assert shown == [shared, later]
        assert list(listed) == [later]

    with_store(tmp_path, scenario)
