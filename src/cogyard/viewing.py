"""Whose things a caller looks at, for use cases that show an admin of the yard everybody's."""

from cogyard.domain.account import Caller
from cogyard.domain.errors import NotFound
from cogyard.domain.values import AccountId
from cogyard.ports import AccountStore


async def account_in_view(store: AccountStore, caller: Caller, username: str | None) -> AccountId | None:
    """The account of that name; without one the caller's own, and for an admin of the yard everybody's (None).

    Raises `NotFound` for an account that is not the caller's, unless she is an admin of the yard.
    """
    if username is None:
        return None if caller.is_admin else caller.id
    if username.lower() == caller.username.lower():
        return caller.id
    found = await store.get_account(username) if caller.is_admin else None
    if found is None:
        raise NotFound
    return found.id
