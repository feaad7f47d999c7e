"""Whose turn it is in a queue: accounts take turns, so that nobody waits behind all that somebody else has queued."""

from collections.abc import Collection
from itertools import count

from cogyard.domain.values import AccountId, QueueId


class Turns:
    """Remembers who was served when, of the queues in which somebody waits. After a restart everybody is new."""

    def __init__(self) -> None:
        self._number = count(1)
        self._served: dict[QueueId, dict[AccountId, int]] = {}

    def next(self, queue: QueueId, waiting: Collection[AccountId]) -> AccountId:
        """Who of those that wait (at least one) was served longest ago; of those who never were, the first.

        It counts as served from now on.
        """
        before = self._served.get(queue, {})
        chosen = min(waiting, key=lambda account: before.get(account, 0))
        # who no longer waits has no turn to lose; it keeps the table as small as the queue
        kept = {account: before[account] for account in waiting if account in before}
        self._served[queue] = {**kept, chosen: next(self._number)}
        return chosen

    def order(self, queue: QueueId, waiting: Collection[AccountId]) -> list[AccountId]:
        """All of those that wait, the one that was served longest ago first; nobody counts as served by it."""
        before = self._served.get(queue, {})
        return sorted(waiting, key=lambda account: before.get(account, 0))

    def served(self, queue: QueueId, accounts: Collection[AccountId]) -> None:
        """These were served out of their turn, with somebody else."""
        self._served.setdefault(queue, {}).update({account: next(self._number) for account in accounts})

    def forget(self, queue: QueueId) -> None:
        """Nobody waits in it any more."""
        self._served.pop(queue, None)
