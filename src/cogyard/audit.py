"""Use cases of the log of administrative acts: each is written down before it is done, then what came of it."""

from typing import Protocol

from cogyard.domain.account import Caller
from cogyard.domain.audit import Act
from cogyard.domain.values import JsonObject
from cogyard.ports import AccountStore, AuditStore, Clock, Page, PageRequest
from cogyard.viewing import account_in_view

PAGE_SIZE = 100

LONGEST_TARGET = 500
"""Characters of a path that are kept."""


class Registry(AuditStore, AccountStore, Protocol):
    """What these use cases need of the store."""


class Audit:
    """The log of the yard; each call says who asks."""

    def __init__(self, store: Registry, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def begin(self, caller: Caller, action: str, target: str, address: str | None) -> int:
        """Write down what the caller is about to do; returns the number of the entry."""
        return await self._store.begin_act(
            Act(
                at=self._clock.now(),
                account=caller.id,
                token=caller.token,
                token_name=caller.token_name,
                member_id=caller.member,
                address=address,
                action=action,
                target=target[:LONGEST_TARGET],
            )
        )

    async def end(self, number: int, status: int, details: JsonObject) -> None:
        """Write down what came of it: the status of the answer, and what was there before and after."""
        await self._store.end_act(number, status, details)

    async def list(self, caller: Caller, account: str | None, action: str | None, page: PageRequest) -> Page[Act]:
        """Acts, newest first: an admin sees everybody's, others those of their own account. Raises `NotFound`."""
        return await self._store.list_acts(await account_in_view(self._store, caller, account), action, page)
