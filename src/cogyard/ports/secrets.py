"""What the house needs for secrets: a store of sealed values, and what seals them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from cogyard.domain.secret import Holder, Secret
from cogyard.domain.values import AccountId, QueueId


class Vault(Protocol):
    """Seals values with a key that is not in the store."""

    def seal(self, value: str, context: bytes) -> bytes:
        """The value for this place only. Raises `KeyUnusable`."""
        ...

    def open(self, sealed: bytes, context: bytes) -> str:
        """The value that was sealed for this place.

        Raises `KeyUnusable`, with a sentence that says what to do, when the key is gone or another one, or the sealed
        value is that of another place.
        """
        ...


class SealedStore(Protocol):
    """The secrets of models and deployments, sealed."""

    async def list_secrets(self, holder: Holder) -> Sequence[Secret]:
        """By name."""
        ...

    async def put_secret(self, holder: Holder, name: str, sealed: bytes, by: AccountId, at: datetime) -> Secret:
        """Set one. What is created from then on runs in new instances.

        Raises `InvalidResource` when the holder has too many, or too much in them.
        """
        ...

    async def remove_secret(self, holder: Holder, name: str) -> bool:
        """Forget one, with the same consequence; False when there was none."""
        ...

    async def secrets_of_queue(self, queue: QueueId) -> Mapping[str, tuple[Holder, bytes]]:
        """What instances of the queue get, sealed, by name: the model's, and over them the deployment's.

        The secrets of somebody else's model do not reach a deployment.
        """
        ...
