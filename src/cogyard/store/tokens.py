"""Statements of tokens: a secret is found by its first characters and recognised by its hash."""

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from cogyard.domain.account import Caller, Token, caller_of
from cogyard.domain.errors import Conflict
from cogyard.domain.values import AccountId, TokenId
from cogyard.store import accounts
from cogyard.store.account_tables import tokens
from cogyard.store.columns import Time
from cogyard.store.rows import Values, from_token, to_token

PREFIX_CHARACTERS = 8
"""How much of a token is kept readable: `r8_` and five more, 25 bits of 185."""

_C = tokens.c
_USED_AT = bindparam("used_at", type_=Time)
_NOTE_USE = (
    update(tokens)
    .where(_C.id == bindparam("token_is"), _C.last_used_at.is_(None) | (_C.last_used_at < _USED_AT))
    .values(last_used_at=_USED_AT)
)
_BY_PREFIX = select(tokens).where(_C.prefix == bindparam("prefix_is"))


def prefix_of(secret: str) -> str:
    """What is kept of a secret in the clear; of a short one, made up by a person, less than a quarter."""
    return secret[: min(PREFIX_CHARACTERS, len(secret) // 4)]


def hash_of(secret: str) -> str:
    """What a secret is recognised by."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create(connection: Connection, token: Token, secret: str) -> Token:
    """Record a token, or enable and change the one with the same secret. Raises `Conflict`."""
    values: Values = {**from_token(token), "prefix": prefix_of(secret), "hash": hash_of(secret)}
    found = connection.execute(select(tokens).where(_C.hash == values["hash"])).mappings().one_or_none()
    if found is None:
        return to_token(connection.execute(insert(tokens).returning(*tokens.columns), values).mappings().one())
    if found["account"] != token.account:
        raise Conflict("This secret is a token of another account already; choose another one.")
    del values["created_at"], values["last_used_at"]
    step = update(tokens).where(_C.id == found["id"]).values(**values).returning(*tokens.columns)
    return to_token(connection.execute(step).mappings().one())


def find_bearer(connection: Connection, secret: str) -> tuple[Token, Caller] | None:
    """Who bears the secret, as things are now."""
    wanted = hash_of(secret)
    rows = connection.execute(_BY_PREFIX, {"prefix_is": prefix_of(secret)}).mappings()
    row = next((one for one in rows if hmac.compare_digest(str(one["hash"]), wanted)), None)
    if row is None or row["disabled_at"] is not None:
        return None
    token = to_token(row)
    account = accounts.get_by_id(connection, token.account)
    if not account.is_active:
        return None
    if token.member is None:
        return token, caller_of(token, account, None)
    member, holder = accounts.get_member(connection, token.account, token.member), token.member
    if member is None or not accounts.get_by_id(connection, holder).is_active:
        return None
    return token, caller_of(token, account, member)


def of_account(connection: Connection, account: AccountId, member: AccountId | None) -> Sequence[Token]:
    """Newest first."""
    wanted = select(tokens).where(_C.account == account).order_by(_C.id.desc())
    if member is not None:
        wanted = wanted.where(_C.member == member)
    return [to_token(row) for row in connection.execute(wanted).mappings()]


def get(connection: Connection, token: TokenId) -> Token | None:
    """One."""
    row = connection.execute(select(tokens).where(_C.id == token)).mappings().one_or_none()
    return None if row is None else to_token(row)


def names(connection: Connection, wanted: Collection[TokenId]) -> Mapping[TokenId, str]:
    """By number."""
    found = connection.execute(select(_C.id, _C.name).where(_C.id.in_(wanted)))
    return {TokenId(row.id): row.name for row in found}


def disable(connection: Connection, token: TokenId, at: datetime) -> Token | None:
    """Disable one; the time of an earlier disabling stays."""
    connection.execute(update(tokens).where(_C.id == token, _C.disabled_at.is_(None)).values(disabled_at=at))
    return get(connection, token)


def note_uses(connection: Connection, uses: Mapping[TokenId, datetime]) -> None:
    """Remember when tokens were last used; a clock that was set back moves nothing back."""
    connection.execute(_NOTE_USE, [{"token_is": token, "used_at": at} for token, at in uses.items()])
