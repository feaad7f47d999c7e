"""`cogyard run`: a prediction, watched to its end."""

import asyncio
import json
import re
import signal
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cogyard.cli.client import Client
from cogyard.cli.inputs import parse_inputs, read_input_json
from cogyard.cli.terminal import CliError, Exit, Terminal
from cogyard.domain.values import Json, JsonObject

FIRST_POLL = 0.1
SLOWEST_POLL = 1.0
TOLD_EVERY = 5.0
"""Seconds between two words on a prediction that keeps one waiting."""

_PERCENT = re.compile(r"(\d{1,3})%\|")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to run and how."""

    reference: str
    inputs: list[str] = field(default_factory=list)
    input_json: str | None = None
    wait: bool = True
    stream: bool = True
    output_directory: Path = Path()
    timeout: float | None = None


async def run_model(client: Client, terminal: Terminal, options: RunOptions) -> None:
    """Create a prediction, show how it goes, and its output. Raises `CliError` when it does not succeed."""
    full_name, version = await find_version(client, options.reference)
    schema = version.get("openapi_schema")
    model_input = read_input_json(options.input_json) if options.input_json else {}
    model_input |= await parse_inputs(client, options.inputs, schema if isinstance(schema, dict) else {})
    body: JsonObject = {"version": f"{full_name}:{version['id']}", "input": model_input}
    prediction = await client.post("/predictions", body)
    if not options.wait:
        terminal.document(prediction) if terminal.as_json else terminal.result(str(prediction["id"]))
        return
    watching = asyncio.create_task(_watch(client, terminal, prediction, schema, options))
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, watching.cancel)
    try:
        async with asyncio.timeout(options.timeout):
            await watching
    except TimeoutError:
        raise CliError(
            f"The prediction {prediction['id']} did not end within {options.timeout:g} seconds; it goes on.",
            Exit.timed_out,
        ) from None
    except asyncio.CancelledError:
        await client.post(f"/predictions/{prediction['id']}/cancel", None)
        raise CliError(f"The prediction {prediction['id']} was canceled.", Exit.interrupted, "Interrupted") from None


async def find_version(client: Client, reference: str) -> tuple[str, JsonObject]:
    """The `owner/name` in a reference, and its version: the latest, where it names none. Raises `CliError`."""
    full_name, _, wanted = reference.partition(":")
    if full_name.count("/") != 1:
        raise CliError(f"{reference!r} names no model; write owner/name or owner/name:version.", Exit.usage)
    if wanted:
        return full_name, await client.get_object(f"/models/{full_name}/versions/{wanted}")
    model = await client.get_object(f"/models/{full_name}")
    latest = model.get("latest_version")
    if not isinstance(latest, dict):
        raise CliError(
            f"{full_name} has no version yet; push one with: cogyard push FOLDER {full_name}", Exit.not_found
        )
    return full_name, latest


async def _watch(client: Client, terminal: Terminal, prediction: JsonObject, schema: Json, options: RunOptions) -> None:
    urls = prediction.get("urls")
    stream = urls.get("stream") if isinstance(urls, dict) else None
    streamed = isinstance(stream, str) and _is_text_stream(schema) and options.stream and not terminal.as_json
    if streamed:
        await _print_stream(client, terminal, str(stream))
    done = await _poll(client, terminal, prediction)
    if terminal.as_json and done.get("status") == "succeeded":
        terminal.document(done)
        return
    if done.get("status") != "succeeded":
        raise _failure(terminal, done)
    if not streamed:
        await _show(client, terminal, done.get("output"), schema, options.output_directory)


def _is_text_stream(schema: Json) -> bool:
    text = json.dumps(schema)
    return '"x-cog-array-display": "concatenate"' in text


async def _print_stream(client: Client, terminal: Terminal, url: str) -> None:
    """Print output as it comes; the connection is taken up again where it broke."""
    import aiohttp

    last = ""
    for _ in range(5):
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
        try:
            async with client.session.get(url, headers=headers) as response:
                name, data = "", []
                async for raw in response.content:
                    line = raw.decode().rstrip("\n")
                    if line.startswith("event: "):
                        name = line[7:]
                    elif line.startswith("id: "):
                        last = line[4:]
                    elif line.startswith("data:"):
                        data.append(line[6:])
                    elif not line and name == "output":
                        terminal.result("\n".join(data), end="")
                        name, data = "", []
                    elif not line and name == "done":
                        terminal.result("")
                        return
                    elif not line:
                        name, data = "", []
        except aiohttp.ClientPayloadError:
            await asyncio.sleep(0.2)


async def _poll(client: Client, terminal: Terminal, prediction: JsonObject) -> JsonObject:
    """Wait for the end, with a word now and then on what it waits for."""
    loop = asyncio.get_running_loop()
    began = told = loop.time()
    pause, said = FIRST_POLL, ""
    while prediction.get("status") in ("starting", "processing"):
        await asyncio.sleep(pause)
        pause = min(pause * 1.3, SLOWEST_POLL)
        prediction = await client.get_object(f"/predictions/{prediction['id']}")
        now = loop.time()
        news = _news(prediction)
        if news != said or now - told > TOLD_EVERY:
            if now - began > 1.0:
                terminal.say(f"{news} ({now - began:.0f} s)")
            told, said = now, news
    return prediction


def _news(prediction: JsonObject) -> str:
    percent = _PERCENT.findall(str(prediction.get("logs") or ""))
    if prediction.get("status") == "starting":
        return "starting the model"
    return f"running, {percent[-1]}%" if percent else "running"


def _failure(terminal: Terminal, prediction: JsonObject) -> CliError:
    logs = [line for line in str(prediction.get("logs") or "").splitlines() if line.strip()]
    if not terminal.as_json:
        for line in logs[-15:]:
            terminal.say(f"  {line}")
    error = prediction.get("error") or f"it was {prediction.get('status')}"
    return CliError(f"The prediction {prediction['id']} failed: {error}", Exit.failed, "Prediction failed", prediction)


async def _show(client: Client, terminal: Terminal, output: Json, schema: Json, folder: Path) -> None:
    """Text as it is, files saved and named, everything else as JSON."""
    if isinstance(output, list) and _is_text_stream(schema):
        terminal.result("".join(str(item) for item in output))
        return
    saved = await _save(client, output, folder)
    if saved is not output:
        output = saved
    if isinstance(output, list) and output and all(isinstance(item, str) for item in output):
        terminal.result("\n".join(str(item) for item in output))
    elif isinstance(output, str):
        terminal.result(output)
    else:
        terminal.document(output)


async def _save(client: Client, value: Json, folder: Path) -> Json:
    """The output with every file URL of the server saved, and its path in the URL's place."""
    if isinstance(value, str) and value.startswith(f"{client.url}/delivery/"):
        return str(await _download(client, value, folder))
    if isinstance(value, list):
        return [await _save(client, item, folder) for item in value]
    if isinstance(value, dict):
        return {key: await _save(client, item, folder) for key, item in value.items()}
    return value


async def _download(client: Client, url: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    name = _UNSAFE.sub("_", unquote(urlsplit(url).path.rpartition("/")[2])) or "output"
    path, number = folder / name, 1
    while path.exists():
        path, number = folder / f"{Path(name).stem}-{number}{Path(name).suffix}", number + 1
    async with client.session.get(url) as response:
        if response.status != 200:
            raise CliError(f"The output {name} cannot be fetched: {response.status}.", Exit.server)
        with path.open("xb") as file:
            async for piece in response.content.iter_chunked(2**18):
                file.write(piece)
    return path
