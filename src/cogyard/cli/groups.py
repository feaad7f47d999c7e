"""The commands over deployments, trainings, collections and webhooks, and those that curate models."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from cogyard.cli.client import Client
from cogyard.cli.names import Id
from cogyard.cli.terminal import Terminal
from cogyard.domain.values import JsonObject

Speak = Callable[[Callable[[Client, Terminal], Awaitable[Any]]], None]
Commands = dict[str, Callable[..., None]]

Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many rows.")]
Model = Annotated[str, typer.Argument(metavar="OWNER/NAME")]
Reference = Annotated[str, typer.Argument(metavar="OWNER/NAME[:VERSION]")]
Slug = Annotated[str, typer.Argument(metavar="SLUG")]
Hardware = Annotated[str | None, typer.Option(help="A SKU.")]
Least = Annotated[int | None, typer.Option("--min-instances", min=0, help="Kept warm.")]
Most = Annotated[int | None, typer.Option("--max-instances", min=0, help="Most at once; both 0 disable it.")]
Priority = Annotated[
    int | None,
    typer.Option(min=-100, max=100, help="Among those that wait for hardware, who has more of it comes first."),
]
Force = Annotated[bool, typer.Option("--force", help="Even when it breaks callers of an official model.")]

HELP = {
    "deployments": "Endpoints of your own over a version: create, change, roll back.",
    "trainings": "Look at trainings and cancel them.",
    "collections": "Look at collections of models, and curate them.",
    "files": "Upload files for inputs, look at them, link to them.",
    "webhooks": "Look at webhook deliveries and send them again.",
}


def model_commands(speak: Speak) -> Commands:
    """What joins `cogyard models`."""
    from cogyard.cli import curation

    def search(question: Annotated[str, typer.Argument(help="What it should do.")], limit: Limit = 20) -> None:
        """Find models by what they do."""
        speak(lambda client, terminal: curation.search(client, terminal, question, limit))

    def official(
        name: Model,
        on: Annotated[bool, typer.Option("--on/--off", help="Official, or an ordinary model again.")] = True,
        price: Annotated[str | None, typer.Option(help="unit=amount, for example image_count=0.01.")] = None,
    ) -> None:
        """Make a model official: called by name, kept warm, with a schema that does not break its callers."""
        speak(lambda client, terminal: curation.set_official(client, terminal, name, is_official=on, price=price))

    def promote(reference: Reference, force: Force = False) -> None:
        """Make an older or newer version the latest."""
        speak(lambda client, terminal: curation.promote(client, terminal, reference, force=force))

    def update(
        name: Model,
        description: Annotated[str | None, typer.Option(help="A sentence.")] = None,
        readme: Annotated[Path | None, typer.Option(help="A Markdown file.", exists=True)] = None,
        github_url: Annotated[str | None, typer.Option(help="Where its source is.")] = None,
        paper_url: Annotated[str | None, typer.Option(help="Its paper.")] = None,
        license_url: Annotated[str | None, typer.Option(help="Its licence.")] = None,
        weights_url: Annotated[str | None, typer.Option(help="Its weights.")] = None,
    ) -> None:
        """Change what is told of a model."""
        given = {
            "description": description,
            "readme": None if readme is None else readme.read_text(encoding="utf-8"),
            "github_url": github_url,
            "paper_url": paper_url,
            "license_url": license_url,
            "weights_url": weights_url,
        }
        changes: JsonObject = {key: value for key, value in given.items() if value is not None}
        speak(lambda client, terminal: curation.update_model(client, terminal, name, changes))

    def delete(reference: Reference) -> None:
        """Delete a private model without versions, or one version of a private model."""
        speak(lambda client, terminal: curation.delete_model(client, terminal, reference))

    return {
        "search": search,
        "official": official,
        "promote": promote,
        **_alias_commands(speak),
        "update": update,
        "delete": delete,
    }


def _alias_commands(speak: Speak) -> Commands:
    from cogyard.cli import curation

    def alias(
        name: Model,
        identifier: Annotated[str, typer.Argument(metavar="FOREIGN_ID", help="The id that it has elsewhere.")],
        version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="One of ours; the latest.")] = None,
        remove: Annotated[bool, typer.Option("--remove", help="Let the id stand for nothing again.")] = False,
    ) -> None:
        """Let a version be called by an id that Replicate gave it."""
        if remove:
            speak(lambda client, terminal: curation.remove_alias(client, terminal, name, identifier))
        else:
            speak(lambda client, terminal: curation.set_alias(client, terminal, name, identifier, version))

    def aliases(name: Model) -> None:
        """List the ids from elsewhere by which versions of a model can be called."""
        speak(lambda client, terminal: curation.list_aliases(client, terminal, name))

    return {"alias": alias, "aliases": aliases}


def deployment_commands(speak: Speak) -> Commands:
    """`cogyard deployments`."""
    from cogyard.cli import endpoints

    def list_all(limit: Limit = 100) -> None:
        """List your deployments."""
        speak(lambda client, terminal: endpoints.list_deployments(client, terminal, limit))

    def show(name: Model) -> None:
        """Show a deployment."""
        speak(lambda client, terminal: endpoints.show_deployment(client, terminal, name))

    def create(
        name: Annotated[str, typer.Argument(help="Its name.")],
        reference: Reference,
        hardware: Annotated[str, typer.Option(help="A SKU.")] = "cpu",
        min_instances: Annotated[int, typer.Option(min=0, help="Kept warm.")] = 0,
        max_instances: Annotated[int, typer.Option(min=0, help="Most at once.")] = 1,
        priority: Priority = None,
    ) -> None:
        """Deploy a version."""
        options: JsonObject = {
            "hardware": hardware,
            "min_instances": min_instances,
            "max_instances": max_instances,
            **({} if priority is None else {"priority": priority}),
        }
        speak(lambda client, terminal: endpoints.create_deployment(client, terminal, name, reference, options))

    def update(
        name: Model,
        version: Annotated[str | None, typer.Option(help="A version's id.")] = None,
        hardware: Hardware = None,
        min_instances: Least = None,
        max_instances: Most = None,
        priority: Priority = None,
    ) -> None:
        """Release a deployment with changes."""
        changes: JsonObject = {
            "version": version,
            "hardware": hardware,
            "min_instances": min_instances,
            "max_instances": max_instances,
            "priority": priority,
        }
        speak(lambda client, terminal: endpoints.update_deployment(client, terminal, name, changes))

    def delete(name: Model) -> None:
        """Delete a deployment that is offline."""
        speak(lambda client, terminal: endpoints.delete_deployment(client, terminal, name))

    return {
        "list": list_all,
        "show": show,
        "create": create,
        "update": update,
        **_release_commands(speak),
        "delete": delete,
    }


def _release_commands(speak: Speak) -> Commands:
    from cogyard.cli import endpoints

    def releases(name: Model, limit: Limit = 100) -> None:
        """List a deployment's releases."""
        speak(lambda client, terminal: endpoints.list_releases(client, terminal, name, limit))

    def rollback(name: Model, number: Annotated[int, typer.Argument(metavar="RELEASE", min=1)]) -> None:
        """Release it as an earlier release had it."""
        speak(lambda client, terminal: endpoints.roll_back(client, terminal, name, number))

    return {"releases": releases, "rollback": rollback}


def collection_commands(speak: Speak) -> Commands:
    """`cogyard collections`."""
    from cogyard.cli import curation

    def list_all() -> None:
        """List collections."""
        speak(curation.list_collections)

    def show(slug: Slug) -> None:
        """Show a collection and its models."""
        speak(lambda client, terminal: curation.show_collection(client, terminal, slug))

    def create(
        slug: Slug,
        name: Annotated[str, typer.Argument(help="Its name, for people.")],
        description: Annotated[str, typer.Option(help="A sentence.")] = "",
    ) -> None:
        """Make a collection."""
        speak(lambda client, terminal: curation.create_collection(client, terminal, slug, name, description))

    def add(slug: Slug, name: Model) -> None:
        """Add a model."""
        speak(lambda client, terminal: curation.change_collection(client, terminal, slug, name, method="PUT"))

    def remove(slug: Slug, name: Model) -> None:
        """Take a model out."""
        speak(lambda client, terminal: curation.change_collection(client, terminal, slug, name, method="DELETE"))

    def delete(slug: Slug) -> None:
        """Delete a collection; its models stay."""
        speak(lambda client, terminal: curation.change_collection(client, terminal, slug, None, method="DELETE"))

    return {"list": list_all, "show": show, "create": create, "add": add, "remove": remove, "delete": delete}


def file_commands(speak: Speak) -> Commands:
    """`cogyard files`."""
    from cogyard.cli import files

    def list_all(limit: Limit = 100) -> None:
        """List your uploads, the newest first."""
        speak(lambda client, terminal: files.list_files(client, terminal, limit))

    def upload(path: Annotated[Path, typer.Argument(metavar="FILE")]) -> None:
        """Upload a file and show the URL that inputs name it by."""
        speak(lambda client, terminal: files.upload(client, terminal, path))

    def link(
        file: Id,
        seconds: Annotated[int, typer.Option(min=1, max=files.LONGEST_LINK, help="How long it works.")] = 3600,
    ) -> None:
        """Make a download URL that needs no token."""
        speak(lambda client, terminal: files.link(client, terminal, file, seconds))

    def delete(file: Id) -> None:
        """Delete an upload."""
        speak(lambda client, terminal: files.delete(client, terminal, file))

    return {"list": list_all, "upload": upload, "link": link, "delete": delete}


def webhook_commands(speak: Speak) -> Commands:
    """`cogyard webhooks`."""
    from cogyard.cli import endpoints

    def list_all(
        prediction: Annotated[str | None, typer.Option(help="Only those of this prediction.")] = None,
        limit: Limit = 20,
    ) -> None:
        """List webhook deliveries, the newest first."""
        speak(lambda client, terminal: endpoints.list_deliveries(client, terminal, prediction, limit))

    def resend(delivery: Id) -> None:
        """Send a webhook again."""
        speak(lambda client, terminal: endpoints.resend_delivery(client, terminal, delivery))

    def secret() -> None:
        """Show the key that signs your webhooks."""
        speak(endpoints.show_secret)

    return {"list": list_all, "resend": resend, "secret": secret}


def train_command(speak: Speak) -> Callable[..., None]:
    """`cogyard train`."""

    def train(
        reference: Reference,
        destination: Annotated[str, typer.Option(help="OWNER/NAME that gets the new version; made if it is missing.")],
        inputs: Annotated[list[str] | None, typer.Option("-i", "--input", help="key=value, or key=@file.")] = None,
        wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end.")] = True,
    ) -> None:
        """Train a version on your data; the result is a new version of your model."""
        from cogyard.cli.endpoints import TrainOptions
        from cogyard.cli.endpoints import train as run_training

        options = TrainOptions(reference, destination, inputs or [], wait)
        speak(lambda client, terminal: run_training(client, terminal, options))

    return train
