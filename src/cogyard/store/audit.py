"""Statements of the log of administrative acts."""

from sqlalchemy import Connection, insert, select, update

from cogyard.domain.audit import Act
from cogyard.domain.values import AccountId, JsonObject
from cogyard.ports import Page, PageRequest
from cogyard.store.account_tables import accounts, audit
from cogyard.store.paging import cut
from cogyard.store.rows import Values

_OWN = ("at", "account", "token", "token_name", "address", "action", "target", "status")


def begin(connection: Connection, act: Act) -> int:
    """Write down what is about to be done."""
    values: Values = {name: getattr(act, name) for name in _OWN}
    values["member"] = act.member_id
    number: int = connection.execute(insert(audit).returning(audit.c.number), values).scalar_one()
    return number


def end(connection: Connection, number: int, status: int, details: JsonObject) -> None:
    """Write down what came of it; what is there stays."""
    step = update(audit).where(audit.c.number == number, audit.c.status.is_(None))
    connection.execute(step.values(status=status, details=details or None))


def page(connection: Connection, account: AccountId | None, action: str | None, request: PageRequest) -> Page[Act]:
    """Newest first."""
    holders = accounts.alias("holders")
    wanted = (
        select(audit, accounts.c.username, holders.c.username.label("member_name"))
        .join(accounts, accounts.c.id == audit.c.account)
        .outerjoin(holders, holders.c.id == audit.c.member)
    )
    if account is not None:
        wanted = wanted.where(audit.c.account == account)
    if action is not None:
        wanted = wanted.where(audit.c.action == action)
    rows, neighbours = cut(connection, wanted, (audit.c.number,), request)
    acts = [
        Act(
            **{name: row[name] for name in _OWN},
            number=row["number"],
            username=row["username"],
            member=row["member_name"],
            member_id=row["member"],
            details=row["details"] or {},
        )
        for row in rows
    ]
    return Page(acts, *neighbours)
