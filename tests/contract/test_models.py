"""Models in every store, tried on SQLite in a temporary folder."""

from dataclasses import replace
from pathlib import Path

from cogyard.domain.account import Account
from cogyard.domain.catalog import Model
from cogyard.domain.values import ModelId
from cogyard.store.sqlite import SqliteStore
from tests.contract.test_store import NOW, with_store


def test_two_who_change_a_model_at_once_both_have_their_way(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, account: Account) -> None:
        name = "shared"
        new = Model(id=ModelId(0), account=account.id, owner=account.username, name=name, created_at=NOW)
        read = await store.create_model(new)
        await store.update_model(read, replace(read, description="what it does", is_official=True))
        await store.update_model(read, replace(read, paper_url="https://paper"))
        found = await store.get_model(account.username, name)

        assert found == replace(read, description="what it does", is_official=True, paper_url="https://paper")

    with_store(tmp_path, scenario)
