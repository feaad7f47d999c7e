"""`cogyard models` and `predictions`: look at what is there, and end some of it."""

import asyncio
import json

from cogyard.cli.client import Client
from cogyard.cli.terminal import CliError, Exit, Terminal
from cogyard.domain.values import Json, JsonObject

FOLLOW_PAUSE = 0.5


async def list_models(client: Client, terminal: Terminal, limit: int) -> None:
    """Public models, the newest version first."""
    rows = await client.pages("/models", limit)
    if terminal.as_json:
        terminal.document(list(rows))
        return
    terminal.table(
        ("model", "version", "runs", "description"),
        ((f"{row['owner']}/{row['name']}", _short(row), row.get("run_count"), row.get("description")) for row in rows),
    )


async def show_model(client: Client, terminal: Terminal, name: str) -> None:
    """One model, with its inputs."""
    model = await client.get_object(f"/models/{name}")
    if terminal.as_json:
        terminal.document(model)
        return
    terminal.result(f"{name}  {model.get('description') or ''}")
    terminal.result(f"version {_short(model)}, {model.get('run_count')} runs, {model.get('visibility')}")
    await show_schema(client, terminal, name)


async def show_schema(client: Client, terminal: Terminal, name: str) -> None:
    """The inputs of a model's latest version."""
    model = await client.get_object(f"/models/{name}")
    latest = model.get("latest_version")
    if not isinstance(latest, dict):
        raise CliError(f"{name} has no version yet.", Exit.not_found)
    schema = latest.get("openapi_schema")
    if terminal.as_json:
        terminal.document(schema)
        return
    model_input = _path(schema, "components", "schemas", "Input")
    properties, required = model_input.get("properties"), model_input.get("required")
    entries = properties if isinstance(properties, dict) else {}
    needed = required if isinstance(required, list) else []
    terminal.table(
        ("input", "type", "default", "description"),
        (
            (key + ("*" if key in needed else ""), _kind(entry), _shown(entry, "default"), _shown(entry, "description"))
            for key, entry in entries.items()
        ),
    )


async def list_versions(client: Client, terminal: Terminal, name: str, limit: int) -> None:
    """A model's versions, newest first."""
    rows = await client.pages(f"/models/{name}/versions?curator=true", limit)
    if terminal.as_json:
        terminal.document(list(rows))
        return
    terminal.table(
        ("version", "created", "cog"), ((row["id"], row.get("created_at"), row.get("cog_version")) for row in rows)
    )


async def list_examples(client: Client, terminal: Terminal, name: str, limit: int) -> None:
    """A model's examples, the default one first."""
    await _predictions(terminal, await client.pages(f"/models/{name}/examples", limit))


async def list_predictions(client: Client, terminal: Terminal, limit: int, noun: str = "predictions") -> None:
    """One's own predictions or trainings, newest first."""
    await _predictions(terminal, await client.pages(f"/{noun}", limit))


async def _predictions(terminal: Terminal, rows: list[JsonObject]) -> None:
    if terminal.as_json:
        terminal.document(list(rows))
        return
    terminal.table(
        ("id", "status", "model", "created", "seconds"),
        ((row["id"], row.get("status"), row.get("model"), row.get("created_at"), _seconds(row)) for row in rows),
    )


async def show_prediction(client: Client, terminal: Terminal, prediction: str) -> None:
    """One prediction."""
    terminal.document(await client.get_object(f"/predictions/{prediction}"))


async def cancel_prediction(client: Client, terminal: Terminal, prediction: str) -> None:
    """Cancel one."""
    canceled = await client.post(f"/predictions/{prediction}/cancel", None)
    terminal.document(canceled) if terminal.as_json else terminal.result(f"{prediction} {canceled.get('status')}")


async def show_logs(client: Client, terminal: Terminal, prediction: str, *, follow: bool) -> None:
    """What a prediction's model printed, so far or to its end."""
    shown = 0
    while True:
        found = await client.get_object(f"/predictions/{prediction}")
        logs = str(found.get("logs") or "")
        terminal.result(logs[shown:], end="")
        shown = len(logs)
        if not follow or found.get("status") not in ("starting", "processing"):
            return
        await asyncio.sleep(FOLLOW_PAUSE)


def _short(model: JsonObject) -> str:
    latest = model.get("latest_version")
    return str(latest.get("id", ""))[:12] if isinstance(latest, dict) else ""


def _seconds(prediction: JsonObject) -> str:
    metrics = prediction.get("metrics")
    time = metrics.get("predict_time") if isinstance(metrics, dict) else None
    return f"{time:.2f}" if isinstance(time, int | float) else ""


def _path(value: Json, *keys: str) -> JsonObject:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _kind(entry: Json) -> str:
    if not isinstance(entry, dict):
        return ""
    if "allOf" in entry:
        return "choice"
    kind = str(entry.get("type", "any"))
    return {"uri": "file", "password": "secret"}.get(str(entry.get("format")), kind)


def _shown(entry: Json, key: str) -> str:
    value = entry.get(key) if isinstance(entry, dict) else None
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
