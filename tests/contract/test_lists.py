"""Lists of predictions in every store, tried on SQLite in a temporary folder."""

from pathlib import Path

from cogyard.domain.account import Account, AccountKind, Role
from cogyard.domain.events import CancelRequested
from cogyard.ports import PageRequest, PredictionFilter
from cogyard.store.sqlite import SqliteStore
from tests.contract.test_store import NOW, prediction, with_store


def test_what_a_deployment_has_to_do_is_found_whoever_asked_for_it(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        admin = await store.create_account("admin", AccountKind.user, "admin", NOW, Role.admin)
        mine, theirs, over, _ = [
            await store.create_prediction(prediction(who, deployment=where))
            for who, where in ((account, "acme/d"), (admin, "acme/d"), (admin, "acme/d"), (account, None))
        ]
        await store.wish_end(over.id, CancelRequested(at=NOW))

        wanted = PredictionFilter(account=None, kind=None, deployment="acme/d", is_unfinished=True)
        found = await store.list_predictions(wanted, PageRequest(limit=10))

        assert {one.id for one in found.items} == {mine.id, theirs.id}

    with_store(tmp_path, scenario)
