"""Statements of accounts, members of organizations, and the server's own secrets."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, RowMapping, Table, delete, func, insert, literal_column, select, union, update

from cogyard.domain.account import Account, AccountKind, Member, Role
from cogyard.domain.errors import Conflict
from cogyard.domain.file import FileKind
from cogyard.domain.values import AccountId
from cogyard.ports import Holdings, Page, PageRequest
from cogyard.store.account_tables import IS_OUT, accounts, members, tokens
from cogyard.store.paging import cut
from cogyard.store.rows import Values, to_account
from cogyard.store.tables import deployments, files, models, predictions, secrets

NO_ADMIN = "The yard would be left without an admin; make somebody else an admin first."

_MOST_NAMED = 5

_P = predictions.c
# two indexes of few rows, however much has ended
_BUSY = union(
    select(_P.account).where(_P.status == literal_column("'starting'"), _P.claimed_by.is_(None)),
    select(_P.account).where(_P.claimed_by.is_not(None)),
)


def create(connection: Connection, values: Values) -> Account:
    """A new account. Raises `Conflict` when the username is taken."""
    key = str(values["username"]).lower()
    if connection.execute(select(accounts.c.id).where(accounts.c.key == key)).one_or_none() is not None:
        raise Conflict(f"The username {values['username']} is taken.", "username")
    row = connection.execute(insert(accounts).returning(*accounts.columns), {**values, "key": key}).mappings().one()
    return to_account(row)


def get(connection: Connection, username: str) -> Account | None:
    """By name, in any letter case."""
    wanted = select(accounts).where(accounts.c.key == username.lower(), accounts.c.deleted_at.is_(None))
    row = connection.execute(wanted).mappings().one_or_none()
    return None if row is None else to_account(row)


def get_by_id(connection: Connection, account: AccountId) -> Account:
    """By number."""
    return to_account(connection.execute(select(accounts).where(accounts.c.id == account)).mappings().one())


def usernames(connection: Connection, wanted: Collection[AccountId]) -> Mapping[AccountId, str]:
    """By number."""
    found = connection.execute(select(accounts.c.id, accounts.c.username).where(accounts.c.id.in_(wanted)))
    return {AccountId(row.id): row.username for row in found}


def busy_without_right(connection: Connection) -> Sequence[Account]:
    """Those that are disabled or deleted, and have predictions that have not ended."""
    found = connection.execute(select(accounts).where(IS_OUT, accounts.c.id.in_(_BUSY)))
    return [to_account(row) for row in found.mappings()]


def page(connection: Connection, kind: AccountKind, request: PageRequest, member: AccountId | None) -> Page[Account]:
    """The oldest first."""
    wanted = select(accounts).where(accounts.c.kind == kind.value, accounts.c.deleted_at.is_(None))
    if member is not None:
        mine = select(members.c.organization).where(members.c.account == member)
        wanted = wanted.where(accounts.c.id.in_(mine))
    rows, neighbours = cut(connection, wanted, (accounts.c.id,), request)
    return Page([to_account(row) for row in rows], *neighbours)


def change(connection: Connection, before: Account, after: Account) -> Account:
    """Store what is otherwise. Raises `Conflict`."""
    names = ("name", "role", "disabled_at", "deleted_at")
    told, wanted = asdict(before), asdict(after)
    changes = {name: wanted[name] for name in names if told[name] != wanted[name]}
    if changes:
        if "role" in changes:
            changes["role"] = after.role.value
        current = get_by_id(connection, after.id)  # who may have become an admin since `before`
        connection.execute(update(accounts).where(accounts.c.id == after.id).values(**changes))
        if current.is_admin and current.is_active:
            _check_admins(connection)
    return get_by_id(connection, after.id)


def remove(connection: Connection, account: AccountId, at: datetime) -> Holdings | None:
    """Delete it, unless something stands against it. Raises `Conflict`."""
    held = Holdings(
        models=_names(connection, models, account),
        deployments=_names(connection, deployments, account),
    )
    if held.models or held.deployments:
        return held
    connection.execute(update(accounts).where(accounts.c.id == account).values(deleted_at=at))
    _check_admins(connection)
    connection.execute(delete(members).where((members.c.account == account) | (members.c.organization == account)))
    theirs = (tokens.c.account == account) | (tokens.c.member == account)
    connection.execute(update(tokens).where(theirs, tokens.c.disabled_at.is_(None)).values(disabled_at=at))
    uploads = (files.c.account == account) & (files.c.kind == FileKind.upload.value)
    connection.execute(update(files).where(uploads).values(expires_at=at))
    return None


def _names(connection: Connection, table: Table, account: AccountId) -> list[str]:
    columns = table.c
    mine = select(columns.owner, columns.name).where(columns.account == account).order_by(columns.id)
    return [f"{row.owner}/{row.name}" for row in connection.execute(mine.limit(_MOST_NAMED))]


def _check_admins(connection: Connection) -> None:
    active = accounts.c.disabled_at.is_(None) & accounts.c.deleted_at.is_(None)
    admins = select(func.count()).where(accounts.c.role == Role.admin.value, accounts.c.kind == "user", active)
    if connection.execute(admins).scalar_one() == 0:
        raise Conflict(NO_ADMIN)


# --- members --------------------------------------------------------------------------------------------------------

_MEMBERS = select(members, accounts.c.username).join(accounts, accounts.c.id == members.c.account)


def list_members(connection: Connection, organization: AccountId) -> Sequence[Member]:
    """By name."""
    wanted = _MEMBERS.where(members.c.organization == organization).order_by(accounts.c.key)
    return [_to_member(row) for row in connection.execute(wanted).mappings()]


def get_member(connection: Connection, organization: AccountId, account: AccountId) -> Member | None:
    """One of them."""
    wanted = _MEMBERS.where(members.c.organization == organization, members.c.account == account)
    row = connection.execute(wanted).mappings().one_or_none()
    return None if row is None else _to_member(row)


def _to_member(row: RowMapping) -> Member:
    return Member(**{**row, "role": Role(row["role"])})


def put_member(
    connection: Connection, organization: AccountId, account: AccountId, role: Role, at: datetime, *, force: bool
) -> None:
    """Add one, or change her role. Raises `Conflict`."""
    mine = (members.c.organization == organization) & (members.c.account == account)
    before = get_member(connection, organization, account)
    if before is None:
        values: Values = {"organization": organization, "account": account, "role": role.value, "since": at}
        connection.execute(insert(members), values)
    else:
        connection.execute(update(members).where(mine).values(role=role.value))
        if before.role is Role.admin and not force:
            _check_member_admins(connection, organization)


def remove_member(
    connection: Connection, organization: AccountId, account: AccountId, at: datetime, *, force: bool
) -> bool:
    """Remove one and disable the tokens that she held. Raises `Conflict`."""
    before = get_member(connection, organization, account)
    if before is None:
        return False
    mine = (members.c.organization == organization) & (members.c.account == account)
    connection.execute(delete(members).where(mine))
    if before.role is Role.admin and not force:
        _check_member_admins(connection, organization)
    held = (tokens.c.account == organization) & (tokens.c.member == account) & tokens.c.disabled_at.is_(None)
    connection.execute(update(tokens).where(held).values(disabled_at=at))
    return True


def _check_member_admins(connection: Connection, organization: AccountId) -> None:
    """An organization whose members can not be changed by any of them would be a dead end."""
    mine = members.c.organization == organization
    left = connection.execute(select(func.count()).where(mine, members.c.role == Role.admin.value)).scalar_one()
    if left == 0:
        raise Conflict("The organization would be left without an admin; make another member an admin first.")


# --- the server's own secrets ---------------------------------------------------------------------------------------
def get_secret(connection: Connection, name: str, make: Callable[[], str]) -> str:
    """The secret, made the first time."""
    found = connection.execute(select(secrets.c.value).where(secrets.c.name == name)).scalar_one_or_none()
    if found is not None:
        return str(found)
    value = make()
    connection.execute(insert(secrets), {"name": name, "value": value})
    return value
