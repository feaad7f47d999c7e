"""Statements of accounts, tokens and the server's own secrets."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from cogyard.domain.catalog import Account, AccountKind, Token
from cogyard.domain.errors import Conflict
from cogyard.domain.values import AccountId, TokenId
from cogyard.store.rows import Values, to_account, to_token
from cogyard.store.tables import accounts, secrets, tokens

PREFIX_CHARACTERS = 8
"""How much of a token is kept readable, to recognise it by: `r8_` and five more."""


def create_account(connection: Connection, values: Values) -> Account:
    """A new account. Raises `Conflict` when the username is taken."""
    key = str(values["username"]).lower()
    if get_account(connection, key) is not None:
        raise Conflict(f"The username {values['username']} is taken.")
    row = connection.execute(insert(accounts).returning(*accounts.columns), {**values, "key": key}).mappings().one()
    return to_account(row)


def get_account(connection: Connection, username: str) -> Account | None:
    """By name, in any letter case."""
    row = connection.execute(select(accounts).where(accounts.c.key == username.lower())).mappings().one_or_none()
    return None if row is None else to_account(row)


def get_account_by_id(connection: Connection, account: AccountId) -> Account:
    """By number."""
    return to_account(connection.execute(select(accounts).where(accounts.c.id == account)).mappings().one())


def account_values(username: str, kind: AccountKind, name: str, at: datetime, *, is_admin: bool) -> Values:
    """The columns of a new account."""
    return {"username": username, "kind": kind.value, "name": name, "created_at": at, "is_admin": is_admin}


def create_token(connection: Connection, values: Values) -> Token:
    """Record a token, or enable and rename the one with the same secret."""
    found = connection.execute(select(tokens).where(tokens.c.hash == values["hash"])).mappings().one_or_none()
    if found is None:
        return to_token(connection.execute(insert(tokens).returning(*tokens.columns), values).mappings().one())
    changes = {"disabled_at": None, "account": values["account"], "name": values["name"]}
    step = update(tokens).where(tokens.c.id == found["id"]).values(**changes).returning(*tokens.columns)
    return to_token(connection.execute(step).mappings().one())


def find_token(connection: Connection, token_hash: str) -> tuple[Token, Account] | None:
    """Who bears the secret with this hash; None when unknown or disabled."""
    wanted = select(tokens).where(tokens.c.hash == token_hash, tokens.c.disabled_at.is_(None))
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        return None
    owner = connection.execute(select(accounts).where(accounts.c.id == row["account"])).mappings().one()
    return to_token(row), to_account(owner)


def list_tokens(connection: Connection, account: AccountId) -> Sequence[Token]:
    """Newest first."""
    wanted = select(tokens).where(tokens.c.account == account).order_by(tokens.c.id.desc())
    return [to_token(row) for row in connection.execute(wanted).mappings()]


def disable_token(connection: Connection, account: AccountId, token: TokenId, at: datetime) -> Token | None:
    """Disable one; the time of an earlier disabling stays."""
    wanted = select(tokens).where(tokens.c.id == token, tokens.c.account == account)
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None or row["disabled_at"] is not None:
        return None if row is None else to_token(row)
    step = update(tokens).where(tokens.c.id == token).values(disabled_at=at).returning(*tokens.columns)
    return to_token(connection.execute(step).mappings().one())


def note_use(connection: Connection, token: TokenId, at: datetime) -> None:
    """Remember when a token was last used."""
    connection.execute(update(tokens).where(tokens.c.id == token).values(last_used_at=at))


def get_secret(connection: Connection, name: str, make: Callable[[], str]) -> str:
    """The secret, made the first time."""
    found = connection.execute(select(secrets.c.value).where(secrets.c.name == name)).scalar_one_or_none()
    if found is not None:
        return str(found)
    value = make()
    connection.execute(insert(secrets), {"name": name, "value": value})
    return value
