"""The log of administrative acts: who did what, when, with which token, and what came of it."""

from dataclasses import dataclass, field
from datetime import datetime

from cogyard.domain.values import AccountId, JsonObject, TokenId


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act. It is written down before it is done; `status` is that of its answer, None while there is none."""

    at: datetime
    account: AccountId
    #: username of `account`; empty before it is stored
    username: str = ""
    token: TokenId
    token_name: str
    #: who held the token, of an organization's token
    member: str | None = None
    member_id: AccountId | None = None
    #: where the request came from
    address: str | None
    #: the name of the operation, such as `tokens.create`
    action: str
    #: the path that was called
    target: str
    status: int | None = None
    details: JsonObject = field(default_factory=dict)
    number: int = 0
