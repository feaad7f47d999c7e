"""`cogyard token`: make, list and disable tokens."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from cogyard.cli.client import Client
from cogyard.cli.terminal import CliError, Exit, Terminal
from cogyard.clock import SystemClock
from cogyard.domain.times import parse_utc
from cogyard.domain.values import Json, JsonObject

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_SPAN = re.compile(r"([0-9]{1,9})([mhdw])")

ONCE = "This is the only time that it is shown."


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenOptions:
    """What a token shall be for; what is empty is left to the server."""

    account: str | None = None
    scopes: list[str] | None = None
    models: list[str] | None = None
    expires: str | None = None


async def list_tokens(client: Client, terminal: Terminal, account: str | None) -> None:
    """Tokens of one's own account or of another one, newest first; never the secrets."""
    found = await client.get_object("/tokens" + (f"?{urlencode({'account': account})}" if account else ""))
    if terminal.as_json:
        terminal.document(found)
        return
    results = found.get("results")
    rows = [row for row in results if isinstance(row, dict)] if isinstance(results, list) else []
    now = SystemClock().now()
    terminal.table(
        ("id", "name", "token", "for", "scopes", "models", "expires", "last used", "state"),
        (_row(row, now) for row in rows),
    )


def _row(row: JsonObject, now: datetime) -> tuple[object, ...]:
    holder = f" ({row['member']})" if row.get("member") else ""
    return (
        row["id"],
        row["name"],
        f"{row['prefix']}…",
        f"{row['account']}{holder}",
        _words(row.get("scopes")),
        _words(row.get("models")) or "any",
        row.get("expires_at"),
        row.get("last_used_at"),
        _state(row, now),
    )


def _words(value: Json) -> str:
    return " ".join(str(word) for word in value) if isinstance(value, list) else ""


def _state(row: JsonObject, now: datetime) -> str:
    if row.get("disabled_at"):
        return "disabled"
    end = row.get("expires_at")
    return "expired" if isinstance(end, str) and datetime.fromisoformat(end) <= now else "valid"


async def create_token(client: Client, terminal: Terminal, name: str, options: TokenOptions) -> None:
    """Make a token; its secret is shown this once, alone on stdout."""
    body: JsonObject = {"name": name}
    if options.account is not None:
        body["account"] = options.account
    if options.scopes:
        body["scopes"] = [*options.scopes]
    if options.models:
        body["models"] = [*options.models]
    if options.expires is not None:
        body["expires_at"] = parse_expiry(options.expires, SystemClock().now)
    try:
        made = await client.post("/tokens", body)
    except CliError as error:
        if error.code is not Exit.not_found:
            raise
        raise CliError(
            f"There is no account {options.account} that you act for; `cogyard org list` shows your organizations.",
            Exit.not_found,
            error.title,
            error.more,
        ) from None
    if terminal.as_json:
        terminal.document(made)
        return
    terminal.result(str(made["token"]))
    terminal.say(ONCE)


def parse_expiry(given: str, now: Callable[[], datetime]) -> str:
    """The time that `30d`, `12h` or an ISO time means. Raises `CliError`."""
    try:
        span = _SPAN.fullmatch(given.strip())
        time = parse_utc(given.strip()) if span is None else now() + int(span[1]) * _UNITS[span[2]]
    except (ValueError, OverflowError):
        raise CliError(
            f"--expires {given!r}: write 30d, 12h, or a time like 2027-01-31T12:00:00Z.", Exit.usage, "Invalid input"
        ) from None
    return time.isoformat().replace("+00:00", "Z")


async def disable_token(client: Client, terminal: Terminal, token: int) -> None:
    """Disable a token."""
    try:
        disabled = await client.post(f"/tokens/{token}/disable", None)
    except CliError as error:
        if error.code is not Exit.not_found:
            raise
        raise CliError(
            f"There is no token {token} that you may disable; `cogyard token list` shows yours, with their ids.",
            Exit.not_found,
            error.title,
            error.more,
        ) from None
    terminal.document(disabled) if terminal.as_json else terminal.result(f"token {token} is disabled")
