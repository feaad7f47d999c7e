"""`cogyard deployments`, `train`, `trainings` and `webhooks`."""

import asyncio
import signal
from dataclasses import dataclass

from cogyard.cli.client import Client
from cogyard.cli.inputs import parse_inputs
from cogyard.cli.run import find_version
from cogyard.cli.terminal import CliError, Exit, Terminal
from cogyard.domain.values import JsonObject

POLL = 0.5

NO_DESTINATION = "training destination does not exist"
"""What the server says of a destination that is not there."""


async def list_deployments(client: Client, terminal: Terminal, limit: int) -> None:
    """One's own deployments."""
    rows = await client.pages("/deployments", limit)
    if terminal.as_json:
        terminal.document(list(rows))
        return
    terminal.table(("deployment", "release", "model", "version", "instances"), (_row(row) for row in rows))


def _row(deployment: JsonObject) -> tuple[object, ...]:
    release = _object(deployment, "current_release")
    limits = _object(release, "configuration")
    return (
        f"{deployment.get('owner')}/{deployment.get('name')}",
        release.get("number"),
        release.get("model"),
        str(release.get("version"))[:12],
        f"{limits.get('min_instances')} to {limits.get('max_instances')}",
    )


def _object(value: JsonObject, name: str) -> JsonObject:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


async def show_deployment(client: Client, terminal: Terminal, name: str) -> None:
    """One deployment."""
    terminal.document(await client.get_object(f"/deployments/{name}"))


async def create_deployment(client: Client, terminal: Terminal, name: str, reference: str, options: JsonObject) -> None:
    """Deploy `owner/name` (its latest version) or `owner/name:version`."""
    model, _, version = reference.partition(":")
    if not version:
        latest = _object(await client.get_object(f"/models/{model}"), "latest_version")
        version = str(latest.get("id", ""))
    body: JsonObject = {"name": name, "model": model, "version": version, **options}
    made = await client.post("/deployments", body)
    _tell(terminal, made)


async def update_deployment(client: Client, terminal: Terminal, name: str, changes: JsonObject) -> None:
    """Release it with changes."""
    given: JsonObject = {key: value for key, value in changes.items() if value is not None}
    if not given:
        options = "--version, --hardware, --min-instances, --max-instances or --priority"
        raise CliError(f"Nothing to change: give {options}.", Exit.usage)
    _tell(terminal, await client.send("PATCH", f"/deployments/{name}", given))


async def roll_back(client: Client, terminal: Terminal, name: str, number: int) -> None:
    """Release it as an earlier release had it."""
    _tell(terminal, await client.post(f"/deployments/{name}/rollback", {"number": number}))


async def list_releases(client: Client, terminal: Terminal, name: str, limit: int) -> None:
    """A deployment's releases, newest first."""
    rows = await client.pages(f"/deployments/{name}/releases", limit)
    if terminal.as_json:
        terminal.document(list(rows))
        return
    terminal.table(
        ("release", "model", "version", "created", "by", "note"),
        (
            (
                row.get("number"),
                row.get("model"),
                str(row.get("version"))[:12],
                row.get("created_at"),
                _object(row, "created_by").get("username"),
                row.get("note"),
            )
            for row in rows
        ),
    )


async def delete_deployment(client: Client, terminal: Terminal, name: str) -> None:
    """Delete one that is offline."""
    await client.send("DELETE", f"/deployments/{name}")
    terminal.document({"deleted": name}) if terminal.as_json else terminal.result(f"{name} is deleted")


def _tell(terminal: Terminal, deployment: JsonObject) -> None:
    release = _object(deployment, "current_release")
    name = f"{deployment.get('owner')}/{deployment.get('name')}"
    terminal.document(deployment) if terminal.as_json else terminal.result(f"{name} release {release.get('number')}")


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What to train, where the result goes, and with what."""

    reference: str
    destination: str
    inputs: list[str]
    wait: bool


async def train(client: Client, terminal: Terminal, options: TrainOptions) -> None:
    """Train a version; shows its log and ends with the new version. Raises `CliError` when it does not succeed."""
    name, version = await find_version(client, options.reference)
    schema = _training_schema(name, _object(version, "openapi_schema"))
    model_input = await parse_inputs(client, options.inputs, schema)
    body: JsonObject = {"destination": options.destination, "input": model_input}
    path = f"/models/{name}/versions/{version['id']}/trainings"
    try:
        training = await client.post(path, body)
    except CliError as error:
        if NO_DESTINATION not in error.detail or "/" not in options.destination:
            raise
        await _make_destination(client, terminal, options.destination)
        training = await client.post(path, body)
    if options.wait:
        training = await _wait(client, terminal, training)
    if terminal.as_json:
        terminal.document(training)
    elif options.wait:
        terminal.result(str(_object(training, "output").get("version")))
    else:
        terminal.result(str(training["id"]))


async def _make_destination(client: Client, terminal: Terminal, destination: str) -> None:
    """The model that gets the result, as `cogyard push` makes the one that it pushes to."""
    owner, _, name = destination.partition("/")
    await client.post("/models", {"owner": owner, "name": name, "visibility": "private", "hardware": "cpu"})
    terminal.say(f"made the private model {destination}")


def _training_schema(name: str, schema: JsonObject) -> JsonObject:
    """The schema with the training's input in the place of the prediction's. Raises `CliError` where there is none."""
    components = _object(schema, "components")
    schemas = _object(components, "schemas")
    if "TrainingInput" not in schemas:
        raise CliError(f"{name} cannot be trained: its cog.yaml names no train function.", Exit.usage)
    swapped: JsonObject = {**schemas, "Input": schemas["TrainingInput"]}
    return {**schema, "components": {**components, "schemas": swapped}}


async def _wait(client: Client, terminal: Terminal, training: JsonObject) -> JsonObject:
    """Show the log until the end; an interrupt cancels the training, as it does a prediction."""
    following = asyncio.create_task(_follow(client, terminal, training))
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, following.cancel)
    try:
        return await following
    except asyncio.CancelledError:
        await client.post(f"/trainings/{training['id']}/cancel", None)
        raise CliError(f"The training {training['id']} was canceled.", Exit.interrupted, "Interrupted") from None


async def _follow(client: Client, terminal: Terminal, training: JsonObject) -> JsonObject:
    shown = 0
    while True:
        found = await client.get_object(f"/trainings/{training['id']}")
        has_ended = found.get("status") not in ("starting", "processing")
        logs = str(found.get("logs") or "")
        whole = len(logs) if has_ended else logs.rfind("\n") + 1  # the rest of a line is still to come
        for line in logs[shown:whole].splitlines():
            terminal.say(line)
        shown = whole
        if has_ended:
            break
        await asyncio.sleep(POLL)
    if found.get("status") != "succeeded":
        detail = f"The training {found['id']} {found.get('status')}: {found.get('error') or 'it was ended'}"
        raise CliError(detail, Exit.failed, "Training failed", {"training": found["id"]})
    return found


async def list_deliveries(client: Client, terminal: Terminal, prediction: str | None, limit: int) -> None:
    """Webhook deliveries, newest first."""
    path = "/webhooks/deliveries" + (f"?prediction={prediction}" if prediction else "")
    rows = await client.pages(path, limit)
    if terminal.as_json:
        terminal.document(list(rows))
        return
    columns = ("id", "prediction", "event", "state", "attempts", "status_code", "error")
    terminal.table(columns, (tuple(row.get(name) for name in columns) for row in rows))


async def resend_delivery(client: Client, terminal: Terminal, delivery: str) -> None:
    """Send a webhook again."""
    again = await client.send("POST", f"/webhooks/deliveries/{delivery}/resend")
    terminal.document(again) if terminal.as_json else terminal.result(f"{delivery} is being sent again")


async def show_secret(client: Client, terminal: Terminal) -> None:
    """The key that signs one's webhooks."""
    key = await client.get_object("/webhooks/default/secret")
    terminal.document(key) if terminal.as_json else terminal.result(str(key.get("key")))
