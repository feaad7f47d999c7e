"""What every store must do with accounts, members, tokens and acts, tried on SQLite in a temporary folder."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cogyard.domain.account import Account, AccountKind, Member, Role, Scope, Token
from cogyard.domain.audit import Act
from cogyard.domain.errors import Conflict, Unauthenticated
from cogyard.domain.values import AccountId, TokenId
from cogyard.ports import PageRequest
from cogyard.store.sqlite import SqliteStore
from cogyard.tokens import Tokens
from tests.contract.test_store import NOW, with_store

LATER = NOW + timedelta(hours=1)


def token(account: Account, **changes: Any) -> Token:
    return replace(Token(id=TokenId(0), account=account.id, name="t", prefix="", created_at=NOW), **changes)


async def user(store: SqliteStore, name: str, role: Role = Role.publisher) -> Account:
    return await store.create_account(name, AccountKind.user, name, NOW, role)


async def organization(store: SqliteStore, name: str, **members: Role) -> Account:
    made = await store.create_account(name, AccountKind.organization, name, NOW, Role.publisher)
    for username, role in members.items():
        member = await store.get_account(username) or await user(store, username)
        await store.put_member(made.id, member.id, role, NOW, force=True)
    return made


class SetClock:
    """A clock that is set by hand, also backwards."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> Any:
        return self.time


def test_a_username_is_taken_once_in_every_letter_case_and_for_ever(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, _: Account) -> None:
        ada = await user(store, "Ada")
        with pytest.raises(Conflict):
            await user(store, "aDA")
        assert await store.get_account("ADA") == ada
        assert await store.delete_account(ada.id, LATER) is None
        assert await store.get_account("ada") is None
        with pytest.raises(Conflict):
            await user(store, "ada")

    with_store(tmp_path, scenario)


def test_of_many_who_create_a_name_at_once_one_does(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, _: Account) -> None:
        made = await asyncio.gather(*(user(store, "crowded") for _ in range(20)), return_exceptions=True)
        assert [isinstance(one, Conflict) for one in made].count(False) == 1

    with_store(tmp_path, scenario)


def test_the_last_active_admin_stays(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, acme: Account) -> None:
        for changed in (replace(acme, role=Role.publisher), replace(acme, disabled_at=LATER)):
            with pytest.raises(Conflict):
                await store.update_account(acme, changed)
        with pytest.raises(Conflict):
            await store.delete_account(acme.id, LATER)
        second = await user(store, "second", Role.admin)
        await store.update_account(acme, replace(acme, disabled_at=LATER))
        with pytest.raises(Conflict):
            await store.update_account(second, replace(second, role=Role.runner))
        assert (await store.get_account_by_id(second.id)).is_admin

    with_store(tmp_path, scenario)


def test_the_last_admin_stays_also_when_she_became_one_meanwhile(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, acme: Account) -> None:
        before = await user(store, "late")
        late = await store.update_account(before, replace(before, role=Role.admin))
        await store.update_account(acme, replace(acme, role=Role.publisher))
        with pytest.raises(Conflict):
            await store.update_account(before, replace(before, disabled_at=LATER))
        assert await store.get_account_by_id(late.id) == late

    with_store(tmp_path, scenario)


def test_a_bearer_is_forgotten_in_the_moment_in_which_something_about_her_changes(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, _: Account) -> None:
        lab = await organization(store, "lab", ada=Role.publisher, eve=Role.admin)
        ada = await store.get_account("ada")
        assert ada is not None
        await store.create_token(token(lab, member=ada.id), "held")

        async def scopes() -> frozenset[Scope] | None:
            found = await store.find_bearer("held")
            return None if found is None else found[1].scopes

        assert await scopes() == Role.publisher.scopes
        await store.put_member(lab.id, ada.id, Role.viewer, NOW, force=False)
        assert await scopes() == Role.viewer.scopes
        disabled = await store.update_account(ada, replace(ada, disabled_at=LATER))
        assert await scopes() is None
        await store.update_account(disabled, ada)
        assert await scopes() == Role.viewer.scopes
        assert await store.remove_member(lab.id, ada.id, LATER, force=False)
        await store.put_member(lab.id, ada.id, Role.admin, LATER, force=False)
        assert await scopes() is None  # what was taken away does not come back

    with_store(tmp_path, scenario)


def test_an_organization_keeps_an_admin_unless_forced(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, _: Account) -> None:
        lab = await organization(store, "lab", ada=Role.admin, bob=Role.runner)
        members = {one.username: one for one in await store.list_members(lab.id)}
        ada = members["ada"].account
        with pytest.raises(Conflict):
            await store.remove_member(lab.id, ada, LATER, force=False)
        with pytest.raises(Conflict):
            await store.put_member(lab.id, ada, Role.publisher, LATER, force=False)
        assert await store.list_members(lab.id) == list(members.values())
        assert await store.remove_member(lab.id, ada, LATER, force=True)
        assert not await store.remove_member(lab.id, ada, LATER, force=True)
        assert [(one.username, one.role) for one in await store.list_members(lab.id)] == [("bob", Role.runner)]

    with_store(tmp_path, scenario)


def test_a_secret_is_one_accounts(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, acme: Account) -> None:
        ada = await user(store, "ada")
        made = await store.create_token(token(ada, scopes=frozenset({Scope.read})), "r8_secret")
        with pytest.raises(Conflict):
            await store.create_token(token(acme, name="mine"), "r8_secret")
        assert await store.get_token(made.id) == made
        assert await store.list_tokens(acme.id) == []

    with_store(tmp_path, scenario)


def test_what_expired_once_stays_refused_when_the_clock_is_set_back(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, acme: Account) -> None:
        clock = SetClock()
        tokens = Tokens(store, clock, lambda: "unused")
        await store.create_token(token(acme, expires_at=LATER), "r8_brief")
        assert (await tokens.authenticate(["Bearer r8_brief"])).id == acme.id
        clock.time = LATER
        for time in (LATER, NOW):
            clock.time = time
            with pytest.raises(Unauthenticated):
                await tokens.authenticate(["Bearer r8_brief"])

    with_store(tmp_path, scenario)


def test_a_deleted_account_leaves_no_member_and_no_valid_token(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, _: Account) -> Member | None:
        lab = await organization(store, "lab", ada=Role.admin)
        ada = await store.get_account("ada")
        assert ada is not None
        await store.create_token(token(ada), "own")
        await store.create_token(token(lab, member=ada.id), "held")
        await store.delete_account(ada.id, LATER)
        assert [await store.find_bearer(one) for one in ("own", "held")] == [None, None]
        assert {one.disabled_at for one in await store.list_tokens(lab.id)} == {LATER}
        return await store.get_member(lab.id, ada.id)

    assert with_store(tmp_path, scenario) is None


def test_an_act_is_finished_once_and_listed_newest_first(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore, acme: Account) -> None:
        ada = await user(store, "ada")

        async def begin(account: AccountId, action: str) -> int:
            return await store.begin_act(
                Act(at=NOW, account=account, token=TokenId(7), token_name="t", address=None, action=action, target="/x")
            )

        numbers = [await begin(acme.id, "a"), await begin(ada.id, "a"), await begin(ada.id, "b")]
        await store.end_act(numbers[1], 200, {"before": 1})
        await store.end_act(numbers[1], 500, {"before": 2})

        async def listed(account: AccountId | None, action: str | None) -> list[tuple[int, int | None]]:
            found = await store.list_acts(account, action, PageRequest(limit=10))
            return [(act.number, act.status) for act in found.items]

        first, second, third = numbers
        assert await listed(None, None) == [(third, None), (second, 200), (first, None)]
        assert await listed(ada.id, None) == [(third, None), (second, 200)]
        assert await listed(None, "a") == [(second, 200), (first, None)]
        assert await listed(acme.id, "b") == []

    with_store(tmp_path, scenario)
