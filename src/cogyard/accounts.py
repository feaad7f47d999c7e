"""Use cases of accounts and tokens: who is calling, the first admin, tokens."""

from collections.abc import Callable, Sequence

from cogyard.domain.catalog import Account, AccountKind, Token
from cogyard.domain.errors import InvalidResource, NotFound, Unauthenticated
from cogyard.domain.values import TokenId
from cogyard.ports import AccountStore, Clock

MAX_TOKEN_NAME = 100

BOOTSTRAP = "bootstrap"
"""Name of the token that the server was started with."""


class Accounts:
    """Accounts and their tokens."""

    def __init__(self, store: AccountStore, clock: Clock, new_token: Callable[[], str]) -> None:
        self._store = store
        self._clock = clock
        self._new_token = new_token

    async def bootstrap(self, username: str, secret: str) -> Account:
        """The first admin, made when missing, with `secret` as its bootstrap token in place of an earlier one."""
        admin = await self._store.get_account(username)
        now = self._clock.now()
        if admin is None:
            admin = await self._store.create_account(username, AccountKind.user, username, now, is_admin=True)
        current = await self._store.create_token(admin.id, BOOTSTRAP, secret, now)
        for token in await self._store.list_tokens(admin.id):
            if token.name == BOOTSTRAP and token.id != current.id and token.disabled_at is None:
                await self._store.disable_token(admin.id, token.id, now)
        return admin

    async def authenticate(self, authorization: str | None) -> Account:
        """Who bears the token of an `Authorization` header, in either form (`api-contract.md` §1.1).

        Raises `Unauthenticated` with the contract's sentence.
        """
        if not authorization:
            raise Unauthenticated("You did not pass an authentication token")
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() not in ("bearer", "token") or not secret.strip():
            raise Unauthenticated("You did not pass an authentication token")
        found = await self._store.find_token(secret.strip())
        if found is None:
            raise Unauthenticated("You did not pass a valid authentication token")
        return found[1]

    async def create_token(self, caller: Account, name: str) -> tuple[Token, str]:
        """A new token and its secret, which is told only now. Raises `InvalidResource`."""
        if not name.strip() or len(name) > MAX_TOKEN_NAME:
            raise InvalidResource("name", f"must have 1 to {MAX_TOKEN_NAME} characters")
        secret = self._new_token()
        return await self._store.create_token(caller.id, name.strip(), secret, self._clock.now()), secret

    async def list_tokens(self, caller: Account) -> Sequence[Token]:
        """The caller's tokens, newest first."""
        return await self._store.list_tokens(caller.id)

    async def disable_token(self, caller: Account, token: TokenId) -> Token:
        """Disable one of the caller's tokens. Raises `NotFound`."""
        disabled = await self._store.disable_token(caller.id, token, self._clock.now())
        if disabled is None:
            raise NotFound
        return disabled
