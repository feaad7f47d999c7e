"""`cogyard secrets`: what models and deployments find in their environment, set and never shown."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from cogyard.cli.client import Client
from cogyard.cli.terminal import CliError, Exit, Terminal

Speak = Callable[[Callable[[Client, Terminal], Awaitable[Any]]], None]

Holder = Annotated[str, typer.Argument(metavar="OWNER/NAME")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The variable's name, for example HF_TOKEN.")]
OfDeployment = Annotated[bool, typer.Option("--deployment", help="OWNER/NAME is a deployment, not a model.")]


def secret_commands(speak: Speak) -> dict[str, Callable[..., None]]:
    """`cogyard secrets`."""

    def list_all(holder: Holder, deployment: OfDeployment = False) -> None:
        """List the names of the secrets; nobody is shown their values."""
        speak(lambda client, terminal: _list(client, terminal, _path(holder, is_deployment=deployment)))

    def set_one(
        holder: Holder,
        name: Name,
        deployment: OfDeployment = False,
        value_file: Annotated[Path | None, typer.Option(help="A file that holds the value.")] = None,
    ) -> None:
        """Set a secret. Its value is read from --value-file, from stdin, or asked for; a last line end is dropped."""
        value = _read_value(name, value_file)
        path = _path(holder, name, is_deployment=deployment)
        speak(lambda client, terminal: _set(client, terminal, path, value))

    def remove(holder: Holder, name: Name, deployment: OfDeployment = False) -> None:
        """Remove a secret."""
        path = _path(holder, name, is_deployment=deployment)
        speak(lambda client, terminal: _remove(client, terminal, path))

    return {"list": list_all, "set": set_one, "remove": remove}


def _path(holder: str, name: str | None = None, *, is_deployment: bool) -> str:
    if holder.count("/") != 1:
        raise CliError(f"{holder!r}: write OWNER/NAME.", Exit.usage)
    kind = "deployments" if is_deployment else "models"
    return f"/{kind}/{holder}/secrets" + ("" if name is None else f"/{name}")


def _read_value(name: str, file: Path | None) -> str:
    """The value, which must not stand among the arguments: every user of the machine sees those."""
    try:
        if file is not None:
            text = file.read_text(encoding="utf-8")
        elif sys.stdin.isatty():
            text = str(typer.prompt(name, hide_input=True, err=True))
        else:
            text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise CliError("The value is not text in UTF-8.", Exit.usage) from None
    except OSError as error:
        raise CliError(f"{file}: {error.strerror}.", Exit.usage) from None
    return text.removesuffix("\n").removesuffix("\r")


async def _list(client: Client, terminal: Terminal, path: str) -> None:
    found = await client.get_object(path)
    if terminal.as_json:
        terminal.document(found)
        return
    results = found.get("results")
    rows = [row for row in results if isinstance(row, dict)] if isinstance(results, list) else []
    columns = ("name", "updated_at", "updated_by")
    terminal.table(columns, (tuple(row.get(column) for column in columns) for row in rows))


async def _set(client: Client, terminal: Terminal, path: str, value: str) -> None:
    made = await client.send("PUT", path, {"value": value})
    say = f"{made.get('name')} is set; what is created from now on runs with it"
    terminal.document(made) if terminal.as_json else terminal.result(say)


async def _remove(client: Client, terminal: Terminal, path: str) -> None:
    await client.send("DELETE", path)
    name = path.rpartition("/")[2]
    terminal.document({"removed": name}) if terminal.as_json else terminal.result(f"{name} is removed")
