"""The commands over tokens, users, organizations, and the log of administrative acts."""

from collections.abc import Callable
from typing import Annotated

import typer

from cogyard.cli.groups import Commands, Limit, Speak
from cogyard.domain.account import Role, Scope
from cogyard.domain.values import JsonObject

HELP = {
    "token": "Make, list and disable API tokens.",
    "user": "Look at users; as an admin, make, change and delete them.",
    "org": "Look at organizations and say who belongs to them.",
}

Username = Annotated[str, typer.Argument(metavar="USERNAME")]
Organization = Annotated[str, typer.Argument(metavar="ORG")]
Name = Annotated[str | None, typer.Option(help="A name for people.")]
NewRole = Annotated[Role, typer.Option(help="What it may do at most.")]
OtherRole = Annotated[Role | None, typer.Option(help="What it may do at most.")]
Disable = Annotated[bool | None, typer.Option("--disable/--enable", help="Whether its tokens are refused.")]


def token_commands(speak: Speak) -> Commands:
    """`cogyard token`."""
    from cogyard.cli import tokens

    def list_all(
        account: Annotated[str | None, typer.Option(help="Of this account; yours if not given.")] = None,
    ) -> None:
        """List tokens, without their secrets."""
        speak(lambda client, terminal: tokens.list_tokens(client, terminal, account))

    def create(
        name: Annotated[str, typer.Argument(help="What it is for.")],
        account: Annotated[str | None, typer.Option(help="Who it acts for; you if not given.")] = None,
        scope: Annotated[
            list[Scope] | None, typer.Option(help="What it allows; all but admin if not given. Can be repeated.")
        ] = None,
        model: Annotated[
            list[str] | None,
            typer.Option(metavar="OWNER/NAME", help="Only for this model. Can be repeated."),
        ] = None,
        expires: Annotated[str | None, typer.Option(help="30d, 12h, or an ISO time.")] = None,
    ) -> None:
        """Make a token and show it, once: TOKEN=$(cogyard token create NAME)."""
        scopes = None if scope is None else [one.value for one in scope]
        options = tokens.TokenOptions(account=account, scopes=scopes, models=model, expires=expires)
        speak(lambda client, terminal: tokens.create_token(client, terminal, name, options))

    def disable(token: Annotated[int, typer.Argument(metavar="ID", min=0)]) -> None:
        """Disable a token."""
        speak(lambda client, terminal: tokens.disable_token(client, terminal, token))

    return {"list": list_all, "create": create, "disable": disable}


def user_commands(speak: Speak) -> Commands:
    """`cogyard user`."""
    from cogyard.cli import accounts

    def create(
        username: Username,
        name: Name = None,
        role: NewRole = Role.publisher,
        token: Annotated[bool, typer.Option("--token/--no-token", help="Make her first token.")] = True,
    ) -> None:
        """Make a user and show her first token, once."""
        body = _body(name=name, role=role, username=username)
        speak(lambda client, terminal: accounts.create_user(client, terminal, body, with_token=token))

    return _commands(speak, "users", create)


def organization_commands(speak: Speak) -> Commands:
    """`cogyard org`."""
    from cogyard.cli import accounts

    def create(organization: Organization, name: Name = None, role: NewRole = Role.publisher) -> None:
        """Make an organization."""
        body = _body(name=name, role=role, username=organization)
        speak(lambda client, terminal: accounts.create_organization(client, terminal, body))

    def add(
        organization: Organization,
        user: Username,
        role: Annotated[Role, typer.Option(help="What she may do for it at most.")] = Role.publisher,
    ) -> None:
        """Add a user, or change her role."""
        speak(lambda client, terminal: accounts.put_member(client, terminal, organization, user, role.value))

    def remove(organization: Organization, user: Username) -> None:
        """Take a user out; the tokens that she held for it are disabled."""
        speak(lambda client, terminal: accounts.remove_member(client, terminal, organization, user))

    return {**_commands(speak, "organizations", create), "add": add, "remove": remove}


def _commands(speak: Speak, kind: str, create: Callable[..., None]) -> Commands:
    """What users and organizations have in common."""
    from cogyard.cli import accounts

    def list_all(limit: Limit = 100) -> None:
        """List them, the oldest first."""
        speak(lambda client, terminal: accounts.list_accounts(client, terminal, kind, limit))

    def show(username: Username) -> None:
        """Show one."""
        speak(lambda client, terminal: accounts.show_account(client, terminal, kind, username))

    def update(username: Username, name: Name = None, role: OtherRole = None, disable: Disable = None) -> None:
        """Change a name or role, disable or enable."""
        body = _body(name=name, role=role)
        if disable is not None:
            body["is_disabled"] = disable
        speak(lambda client, terminal: accounts.update_account(client, terminal, kind, username, body))

    def delete(username: Username) -> None:
        """Delete one that owns no models and deployments."""
        speak(lambda client, terminal: accounts.delete_account(client, terminal, kind, username))

    return {"list": list_all, "show": show, "create": create, "update": update, "delete": delete}


def _body(*, name: str | None, role: Role | None, username: str | None = None) -> JsonObject:
    given = {"username": username, "name": name, "role": None if role is None else role.value}
    return {key: value for key, value in given.items() if value is not None}


def audit_commands(speak: Speak) -> Commands:
    """`cogyard audit`."""
    from cogyard.cli import accounts

    def audit(
        account: Annotated[str | None, typer.Option(help="Only what this account did.")] = None,
        action: Annotated[str | None, typer.Option(help="Only this, for example tokens.create.")] = None,
        limit: Limit = 50,
    ) -> None:
        """List administrative acts, the newest first."""
        speak(lambda client, terminal: accounts.list_acts(client, terminal, account, action, limit))

    return {"audit": audit}
