"""`cogyard usage` and `cogyard budgets`: what was used, and how much may be."""

from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlencode

import typer

from cogyard.cli.client import Client
from cogyard.cli.groups import Commands, Speak
from cogyard.cli.terminal import Terminal
from cogyard.domain.budget import BudgetKind, Period
from cogyard.domain.values import JsonObject

Account = Annotated[str | None, typer.Option(help="Of this account; an admin sees everybody's if not given.")]


def usage_command(speak: Speak) -> Callable[..., None]:
    """`cogyard usage`."""

    def usage(
        by: Annotated[
            str, typer.Option(help="Some of account, model, deployment, token, day, hardware, kind; with commas.")
        ] = "model",
        first: Annotated[str | None, typer.Option("--from", help="The first day; that of this month.")] = None,
        end: Annotated[str | None, typer.Option("--to", help="The day after the last one.")] = None,
        account: Account = None,
        as_csv: Annotated[bool, typer.Option("--csv", help="As CSV, with a header.")] = False,
    ) -> None:
        """Sum what was used, and what it costs."""
        given = {"by": by, "from": first, "to": end, "account": account}
        query = {name: value for name, value in given.items() if value is not None}
        speak(lambda client, terminal: show_usage(client, terminal, query, as_csv=as_csv))

    return usage


def budget_commands(speak: Speak) -> Commands:
    """`cogyard budgets`."""

    def list_all(account: Account = None) -> None:
        """List budgets and how they stand."""
        speak(lambda client, terminal: list_budgets(client, terminal, account))

    def put(
        limit: Annotated[str, typer.Argument(help="In the yard's currency, or in seconds.")],
        kind: Annotated[BudgetKind, typer.Option(help="What it counts.")] = BudgetKind.money,
        period: Annotated[Period, typer.Option(help="After what it starts anew.")] = Period.month,
        account: Annotated[str | None, typer.Option(help="Of this account; yours if not given.")] = None,
        token: Annotated[int | None, typer.Option(metavar="ID", min=1, help="Of this token alone.")] = None,
    ) -> None:
        """Set a budget; only admins of the yard set those of whole accounts."""
        body: JsonObject = {"kind": kind.value, "period": period.value, "limit": limit}
        body |= {name: value for name, value in (("account", account), ("token", token)) if value is not None}
        speak(lambda client, terminal: set_budget(client, terminal, body))

    def remove(budget: Annotated[int, typer.Argument(metavar="ID")]) -> None:
        """Remove a budget."""
        speak(lambda client, terminal: remove_budget(client, terminal, budget))

    return {"list": list_all, "set": put, "remove": remove}


async def show_usage(client: Client, terminal: Terminal, query: dict[str, str], *, as_csv: bool) -> None:
    """Sums, and the sum of them."""
    if as_csv and not terminal.as_json:
        terminal.result(await client.get_text(f"/usage?{urlencode({**query, 'format': 'csv'})}"), end="")
        return
    report = await client.get_object(f"/usage?{urlencode(query)}")
    if terminal.as_json:
        terminal.document(report)
        return
    found, total = report.get("results"), report.get("total")
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    keys = [key for key in rows[0] if key not in _AMOUNTS] if rows else ["total"]
    lines = [(*(row.get(key) for key in keys), *_amounts(row)) for row in rows]
    if isinstance(total, dict):
        lines.append(("total", *("" for _ in keys[1:]), *_amounts(total)))
    terminal.table((*keys, *_AMOUNTS[:-1], f"cost in {report.get('currency')}"), lines)


_AMOUNTS = ("predictions", "seconds", "uptime_seconds", "units", "cost")


def _amounts(row: JsonObject) -> tuple[object, ...]:
    units = row.get("units")
    told = " ".join(f"{unit}={count}" for unit, count in units.items()) if isinstance(units, dict) else ""
    return tuple(told if name == "units" else row.get(name) for name in _AMOUNTS)


async def list_budgets(client: Client, terminal: Terminal, account: str | None) -> None:
    """Budgets of an account, or those that the caller may see."""
    path = "/budgets" + (f"?{urlencode({'account': account})}" if account else "")
    found = (await client.get_object(path)).get("results")
    if terminal.as_json:
        terminal.document(found)
        return
    columns = ("id", "account", "token", "kind", "period", "limit", "spent", "held", "left", "ends_at")
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    terminal.table(columns, (tuple(row.get(name) for name in columns) for row in rows))


async def set_budget(client: Client, terminal: Terminal, body: JsonObject) -> None:
    """Set one; shows its number and what is left of it."""
    made = await client.send("PUT", "/budgets", body)
    if terminal.as_json:
        terminal.document(made)
        return
    unit = made.get("currency") or "seconds"
    terminal.result(f"budget {made.get('id')}: {made.get('left')} {unit} left until {made.get('ends_at')}")


async def remove_budget(client: Client, terminal: Terminal, budget: int) -> None:
    """Remove one."""
    await client.send("DELETE", f"/budgets/{budget}")
    terminal.document({"removed": budget}) if terminal.as_json else terminal.result(f"budget {budget} is removed")
