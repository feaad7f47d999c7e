"""The commands that show what runs and what waits: ps, top, queue, machine, logs, instances; and models' settings."""

from typing import Annotated

import typer

from cogyard.cli.groups import Commands, Limit, Model, Speak
from cogyard.cli.names import Id, parse_id

HELP = {"instances": "Look at instances, over or not, and stop them."}


def overview_commands(speak: Speak) -> Commands:
    """What stands at the top: `cogyard ps` and its like."""
    from cogyard.cli import overview, top

    def ps() -> None:
        """List the instances that run."""
        speak(lambda client, terminal: overview.list_instances(client, terminal, limit=None))

    def show_top(
        once: Annotated[bool, typer.Option("--once", help="Show it once and leave.")] = False,
    ) -> None:
        """Watch instances, queues and the machine; Ctrl-C ends it."""
        speak(lambda client, terminal: top.watch(client, terminal, once=once))

    def queue() -> None:
        """List what waits, and why."""
        speak(overview.show_queue)

    def machine() -> None:
        """Show what the machine has, how much of it is in use, and its kinds of hardware."""
        speak(overview.show_machine)

    def logs(
        name: Annotated[str, typer.Argument(metavar="ID", help="Of an instance or of a prediction.", parser=parse_id)],
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the prediction's end.")] = False,
    ) -> None:
        """Show what an instance's setup printed, or a prediction's model."""
        speak(lambda client, terminal: overview.show_logs(client, terminal, name, follow=follow))

    return {"ps": ps, "top": show_top, "queue": queue, "machine": machine, "logs": logs}


def instance_commands(speak: Speak) -> Commands:
    """`cogyard instances`."""
    from cogyard.cli import overview

    def list_all(
        every: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False, limit: Limit = 100
    ) -> None:
        """List instances, the newest first."""
        speak(lambda client, terminal: overview.list_instances(client, terminal, limit=limit, every=every))

    def show(instance: Id) -> None:
        """Show an instance with the steps of its life."""
        speak(lambda client, terminal: overview.show_instance(client, terminal, instance))

    def stop(instance: Id) -> None:
        """Stop an instance once what it runs has ended."""
        speak(lambda client, terminal: overview.stop_instance(client, terminal, instance))

    return {"list": list_all, "show": show, "stop": stop}


def settings_commands(speak: Speak) -> Commands:
    """What joins `cogyard models`."""
    from cogyard.cli import overview

    def settings(
        name: Model,
        idle_timeout: Annotated[
            str | None, typer.Option(metavar="SECONDS", help="How long an idle instance is kept, or default.")
        ] = None,
        max_instances: Annotated[
            str | None, typer.Option(metavar="NUMBER", help="Most instances at once, or default.")
        ] = None,
        hardware: Annotated[str | None, typer.Option(help="A SKU.")] = None,
    ) -> None:
        """Show how a model's instances are kept, or change it."""
        given = {"idle_timeout": idle_timeout, "max_instances": max_instances, "hardware": hardware}
        changes = {setting: value for setting, value in given.items() if value is not None}
        speak(lambda client, terminal: overview.settings(client, terminal, name, changes))

    return {"settings": settings}
