"""The commands, as one literal table."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from cogyard import __version__
from cogyard.cli.client import Client, connect
from cogyard.cli.groups import HELP, Force
from cogyard.cli.instances import HELP as INSTANCES
from cogyard.cli.names import Id
from cogyard.cli.people import HELP as PEOPLE
from cogyard.cli.terminal import CliError, Exit, Terminal, wants_color

Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many rows.")]
ModelName = Annotated[str, typer.Argument(metavar="OWNER/NAME")]


class _State:
    """What the global options said."""

    def __init__(self) -> None:
        self.url: str | None = None
        self.token: str | None = None
        self.terminal = Terminal(color=wants_color())

    def options(
        self,
        url: Annotated[
            str | None, typer.Option(help="The server's address [COGYARD_URL, http://127.0.0.1:5050].")
        ] = None,
        token: Annotated[str | None, typer.Option(help="An API token [COGYARD_TOKEN, REPLICATE_API_TOKEN].")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but the result.")] = False,
        no_color: Annotated[bool, typer.Option("--no-color", help="No colours [NO_COLOR].")] = False,
        version: Annotated[bool, typer.Option("--version", help="Show the version and leave.")] = False,
    ) -> None:
        """Replicate's API on your own machines."""
        self.url, self.token = url, token
        self.terminal = Terminal(
            as_json=as_json or self.terminal.as_json, quiet=quiet, color=wants_color() and not no_color
        )
        if version:
            self.terminal.result(f"cogyard {__version__}")
            raise typer.Exit

    def speak(self, talk: Callable[[Client, Terminal], Awaitable[Any]]) -> None:
        """Connect, and talk to the server."""

        async def converse() -> None:
            async with connect(self.url, self.token) as client:
                await talk(client, self.terminal)

        asyncio.run(converse())


def _build(state: _State) -> typer.Typer:
    app = typer.Typer(name="cogyard", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback(invoke_without_command=True)(state.options)
    from cogyard.cli import groups as more
    from cogyard.cli import instances, people, resources, secrets, spending
    from cogyard.cli.verify import verify_commands

    for command in (_push(state), _run(state), more.train_command(state.speak), _doctor(state)):
        app.command()(command)
    single = {**people.audit_commands(state.speak), **instances.overview_commands(state.speak)}
    for name, command in single.items():
        app.command(name)(command)
    app.command()(spending.usage_command(state.speak))
    # the options behind the program's name are its own
    app.command("stand-in", context_settings={"allow_interspersed_args": False})(_stand_in(state))

    groups: dict[str, dict[str, Callable[..., None]]] = {
        "models": {
            **_model_commands(state, resources),
            **more.model_commands(state.speak),
            **instances.settings_commands(state.speak),
        },
        "instances": instances.instance_commands(state.speak),
        "predictions": _prediction_commands(state, resources),
        "trainings": _training_commands(state, resources),
        "deployments": more.deployment_commands(state.speak),
        "collections": more.collection_commands(state.speak),
        "files": more.file_commands(state.speak),
        "webhooks": more.webhook_commands(state.speak),
        "secrets": secrets.secret_commands(state.speak),
        "token": people.token_commands(state.speak),
        "budgets": spending.budget_commands(state.speak),
        "user": people.user_commands(state.speak),
        "org": people.organization_commands(state.speak),
        "verify": verify_commands(lambda: (state.terminal, state.url, state.token)),
    }
    for name, commands in groups.items():
        group = typer.Typer(name=name, no_args_is_help=True, help=_GROUP_HELP[name])
        for command_name, command in commands.items():
            group.command(command_name)(command)
        app.add_typer(group)
    if "serve" in sys.argv:
        from cogyard.cli.serve import serve_command

        app.command("serve")(serve_command(lambda: state.terminal))
    else:
        app.command("serve", help="Run the server on this machine.")(lambda: None)
    return app


_GROUP_HELP = {
    "models": "Look at models and their versions.",
    "predictions": "Look at predictions, follow and cancel them.",
    **HELP,
    "secrets": "Secrets of models and deployments: set, name and remove them.",
    **INSTANCES,
    **PEOPLE,
    "budgets": "Look at what accounts and tokens may use up in a day or a month, and set it.",
    "verify": "Try whether a server keeps the API's reference.",
}


def _push(state: _State) -> Callable[..., None]:
    def push(
        folder: Annotated[Path, typer.Argument(help="A folder with a cog.yaml.")],
        name: ModelName,
        verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show all that the build prints.")] = False,
        examples: Annotated[bool, typer.Option("--examples/--no-examples", help="Run cogyard.yaml's examples.")] = True,
        force: Force = False,
        batch: Annotated[
            str | None, typer.Option(metavar="INPUT:MAX", help="Let so many predictions with lists run as one.")
        ] = None,
    ) -> None:
        """Make a version of a Cog folder."""
        from cogyard.cli.push import PushOptions, push_folder

        async def talk(client: Client, terminal: Terminal) -> None:
            made = await push_folder(client, terminal, folder, name, PushOptions(verbose, examples, force, batch))
            version = made.get("version")
            identifier = version.get("id") if isinstance(version, dict) else None
            if terminal.as_json:
                terminal.document({"model": made.get("model"), "created": made.get("created"), "version": version})
            else:
                terminal.result(f"{made.get('model')}:{identifier}")

        state.speak(talk)

    return push


def _run(state: _State) -> Callable[..., None]:
    def run(  # noqa: PLR0913 - one parameter for each option
        reference: Annotated[str, typer.Argument(metavar="OWNER/NAME[:VERSION]")],
        inputs: Annotated[list[str] | None, typer.Option("-i", "--input", help="key=value, or key=@file.")] = None,
        input_json: Annotated[str | None, typer.Option(help="The whole input: a JSON file, or - for stdin.")] = None,
        wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end.")] = True,
        stream: Annotated[bool, typer.Option("--stream/--no-stream", help="Print text as it comes.")] = True,
        output_directory: Annotated[Path, typer.Option("-o", help="Where output files go.")] = Path(),
        timeout: Annotated[float | None, typer.Option(help="Wait at most so many seconds.")] = None,
        positional: Annotated[list[str] | None, typer.Argument(metavar="[key=value]...")] = None,
    ) -> None:
        """Run a model and show its output."""
        from cogyard.cli.run import RunOptions, run_model

        pairs = [*(inputs or []), *(positional or [])]
        options = RunOptions(reference, pairs, input_json, wait, stream, output_directory, timeout)
        state.speak(lambda client, terminal: run_model(client, terminal, options))

    return run


def _doctor(state: _State) -> Callable[..., None]:
    def doctor() -> None:
        """Check this machine and the server."""
        from cogyard.cli.doctor import examine

        asyncio.run(examine(state.terminal, state.url, state.token))

    return doctor


def _stand_in(state: _State) -> Callable[..., None]:
    def stand_in(
        command: Annotated[
            list[str] | None, typer.Argument(metavar="PROGRAM [ARGUMENTS]...", show_default=False)
        ] = None,
        print_hosts: Annotated[
            bool, typer.Option("--print-hosts", help="Show what a hosts file needs, and run nothing.")
        ] = False,
    ) -> None:
        """Run a program for which this server is api.replicate.com."""
        from cogyard.cli import stand_in as standing

        if print_hosts:
            state.terminal.result(standing.hosts_lines(), end="")
        elif not command:
            raise CliError("Say which program to run: cogyard stand-in -- PROGRAM", Exit.usage)
        else:
            standing.run_program(state.terminal, command, state.token)

    return stand_in


def _model_commands(state: _State, resources: Any) -> dict[str, Callable[..., None]]:  # noqa: ANN401 - a module
    def list_models(limit: Limit = 100) -> None:
        """List public models."""
        state.speak(lambda client, terminal: resources.list_models(client, terminal, limit))

    def show(name: ModelName) -> None:
        """Show a model."""
        state.speak(lambda client, terminal: resources.show_model(client, terminal, name))

    def schema(name: ModelName) -> None:
        """Show the inputs of a model."""
        state.speak(lambda client, terminal: resources.show_schema(client, terminal, name))

    def versions(name: ModelName, limit: Limit = 100) -> None:
        """List the versions of a model."""
        state.speak(lambda client, terminal: resources.list_versions(client, terminal, name, limit))

    def examples(name: ModelName, limit: Limit = 100) -> None:
        """List the examples of a model."""
        state.speak(lambda client, terminal: resources.list_examples(client, terminal, name, limit))

    return {"list": list_models, "show": show, "schema": schema, "versions": versions, "examples": examples}


def _prediction_commands(state: _State, resources: Any) -> dict[str, Callable[..., None]]:  # noqa: ANN401 - a module
    def list_predictions(limit: Limit = 20) -> None:
        """List your predictions, the newest first."""
        state.speak(lambda client, terminal: resources.list_predictions(client, terminal, limit))

    def show(prediction: Id) -> None:
        """Show a prediction."""
        state.speak(lambda client, terminal: resources.show_prediction(client, terminal, prediction))

    def cancel(prediction: Id) -> None:
        """Cancel a prediction."""
        state.speak(lambda client, terminal: resources.cancel_prediction(client, terminal, prediction))

    def logs(
        prediction: Id,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until its end.")] = False,
    ) -> None:
        """Show what a prediction's model printed."""
        state.speak(lambda client, terminal: resources.show_logs(client, terminal, prediction, follow=follow))

    return {"list": list_predictions, "show": show, "cancel": cancel, "logs": logs}


def _training_commands(state: _State, resources: Any) -> dict[str, Callable[..., None]]:  # noqa: ANN401 - a module
    def list_trainings(limit: Limit = 20) -> None:
        """List your trainings, the newest first."""
        state.speak(lambda client, terminal: resources.list_predictions(client, terminal, limit, "trainings"))

    of_predictions = _prediction_commands(state, resources)
    return {"list": list_trainings, **{name: of_predictions[name] for name in ("show", "cancel", "logs")}}


def _own_arguments(arguments: list[str]) -> list[str]:
    """Those that are not of a program that we are to run."""
    start = arguments.index("stand-in") + 1 if "stand-in" in arguments else len(arguments)
    ends = (number for number in range(start, len(arguments)) if not arguments[number].startswith("-"))
    own = arguments[: next(ends, len(arguments))]
    return own[: own.index("--")] if "--" in own else own


def run() -> None:
    """Run the command line."""
    state = _State()
    if "--json" in _own_arguments(sys.argv):
        # the flag is also understood behind the command, where people write it
        state.terminal = Terminal(as_json=True, color=False)
        sys.argv.remove("--json")
    try:
        _build(state)(prog_name="cogyard")
    except CliError as error:
        state.terminal.fail(error)
    except KeyboardInterrupt:
        sys.exit(130)
