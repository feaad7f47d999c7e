"""`cogyard user`, `org` and `audit`: who may use the server, and what was done to it."""

from collections.abc import Awaitable
from typing import TypeVar
from urllib.parse import quote, urlencode

from cogyard.cli.client import Client
from cogyard.cli.terminal import CliError, Exit, Terminal
from cogyard.cli.tokens import ONCE
from cogyard.domain.account import Role, Scope, in_order
from cogyard.domain.values import JsonObject

T = TypeVar("T")

_WORDS = {"users": "user", "organizations": "org"}
"""What a path's accounts are called on the command line."""

FIRST_TOKEN = "first"


async def list_accounts(client: Client, terminal: Terminal, kind: str, limit: int) -> None:
    """Users or organizations, the oldest first."""
    rows = await client.pages(f"/{kind}", limit)
    if terminal.as_json:
        terminal.document(list(rows))
        return
    columns = (_WORDS[kind], "name", "role", "state", "since")
    terminal.table(columns, ((row["username"], *_told(row), row.get("created_at")) for row in rows))


def _told(account: JsonObject) -> tuple[object, ...]:
    return account.get("name"), account.get("role"), "disabled" if account.get("disabled_at") else "active"


async def show_account(client: Client, terminal: Terminal, kind: str, username: str) -> None:
    """One user or organization; of an organization, its members."""
    found = await _found(client.get_object(_path(kind, username)), kind, username)
    if terminal.as_json:
        terminal.document(found)
        return
    terminal.result("  ".join(str(word) for word in (found["username"], *_told(found))))
    members = found.get("members")
    rows = [row for row in members if isinstance(row, dict)] if isinstance(members, list) else []
    terminal.table(("member", "role", "since"), ((row["username"], row["role"], row["since"]) for row in rows))


async def create_user(client: Client, terminal: Terminal, body: JsonObject, *, with_token: bool) -> None:
    """Make a user, and a first token with all that she may do; its secret is shown this once, alone on stdout."""
    made = await client.post("/users", body)
    username, role = str(made["username"]), Role(str(made["role"]))
    if not with_token:
        terminal.document(made) if terminal.as_json else terminal.result(f"user {username} is made, without a token")
        return
    scopes: list[str] = [scope.value for scope in in_order(role.scopes | {Scope.admin})]
    try:
        token = await client.post("/tokens", {"name": FIRST_TOKEN, "account": username, "scopes": [*scopes]})
    except CliError as error:
        again = f"cogyard token create {FIRST_TOKEN} --account {username}"
        raise CliError(
            f"The user {username} is made, but not her token: {error.detail} Make one with: {again}",
            error.code,
            error.title,
            error.more,
        ) from None
    if terminal.as_json:
        terminal.document({"user": made, "token": token})
        return
    terminal.result(str(token["token"]))
    terminal.say(f"This is the first token of {username}. {ONCE}")


async def create_organization(client: Client, terminal: Terminal, body: JsonObject) -> None:
    """Make an organization, without members yet."""
    made = await client.post("/organizations", body)
    name = made.get("username")
    terminal.document(made) if terminal.as_json else terminal.result(f"org {name} is made")
    terminal.say(f"Add its first member with: cogyard org add {name} USERNAME --role admin")


async def update_account(client: Client, terminal: Terminal, kind: str, username: str, changes: JsonObject) -> None:
    """Change a user or organization."""
    if not changes:
        raise CliError("Nothing to change: give --name, --role, --disable or --enable.", Exit.usage)
    changed = await _found(client.send("PATCH", _path(kind, username), changes), kind, username)
    if terminal.as_json:
        terminal.document(changed)
        return
    name, role, state = _told(changed)
    terminal.result(f"{_WORDS[kind]} {changed.get('username')} ({name}) is {role}, {state}")


async def delete_account(client: Client, terminal: Terminal, kind: str, username: str) -> None:
    """Delete one that owns nothing any more."""
    try:
        await _found(client.send("DELETE", _path(kind, username)), kind, username)
    except CliError as error:
        if "owns" not in error.detail:
            raise
        owned = error.detail.partition(":")[0]
        disable = f"cogyard {_WORDS[kind]} update {username} --disable"
        detail = f"{owned}: delete that first, or let nobody act for it any more: {disable}"
        raise CliError(detail, error.code, error.title, error.more) from None
    terminal.document({"deleted": username}) if terminal.as_json else terminal.result(
        f"{_WORDS[kind]} {username} is deleted; the name stays taken"
    )


async def put_member(client: Client, terminal: Terminal, organization: str, user: str, role: str) -> None:
    """Add a user to an organization, or change her role there."""
    path = f"{_path('organizations', organization)}/members/{quote(user, safe='')}"
    member = await _found(client.send("PUT", path, {"role": role}), "organizations", organization)
    say = f"{member.get('username')} is {member.get('role')} of {organization}"
    terminal.document(member) if terminal.as_json else terminal.result(say)


async def remove_member(client: Client, terminal: Terminal, organization: str, user: str) -> None:
    """Take a user out of an organization."""
    path = f"{_path('organizations', organization)}/members/{quote(user, safe='')}"
    try:
        await client.send("DELETE", path)
    except CliError as error:
        if error.code is not Exit.not_found:
            raise
        detail = f"There is no member {user} of {organization}; `cogyard org show {organization}` lists them."
        raise CliError(detail, error.code, error.title, error.more) from None
    say = f"{user} is out of {organization}; the tokens that she held for it are disabled"
    terminal.document({"removed": user}) if terminal.as_json else terminal.result(say)


async def list_acts(client: Client, terminal: Terminal, account: str | None, action: str | None, limit: int) -> None:
    """Administrative acts, newest first."""
    query = {name: value for name, value in (("account", account), ("action", action)) if value is not None}
    acts = client.pages("/audit" + (f"?{urlencode(query)}" if query else ""), limit)
    rows = await _found(acts, "users", account or "")
    if terminal.as_json:
        terminal.document(list(rows))
        return
    terminal.table(("at", "who", "token", "from", "action", "target", "status"), (_act(row) for row in rows))


def _act(row: JsonObject) -> tuple[object, ...]:
    token, member = row.get("token"), row.get("member")
    who = f"{row['account']} ({member})" if member else row["account"]
    named = token.get("name") if isinstance(token, dict) else None
    return row["at"], who, named, row.get("address"), row["action"], row["target"], row.get("status")


def _path(kind: str, username: str) -> str:
    return f"/{kind}/{quote(username, safe='')}"


async def _found(answer: Awaitable[T], kind: str, username: str) -> T:
    """The answer; a 404 says what to look at."""
    try:
        return await answer
    except CliError as error:
        if error.code is not Exit.not_found:
            raise
        word = _WORDS[kind]
        detail = f"There is no {word} {username} that you can see; `cogyard {word} list` shows them."
        raise CliError(detail, Exit.not_found, error.title, error.more) from None
