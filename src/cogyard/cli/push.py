"""`cogyard push`: a folder becomes a version."""

import asyncio
import tempfile
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlencode

import orjson

from cogyard.cli.client import Client, read_answer
from cogyard.cli.terminal import CliError, Exit, Terminal
from cogyard.cogfolder.pack import pack
from cogyard.domain.errors import CogyardError
from cogyard.domain.values import Json, JsonObject

PIECE_BYTES = 2**18
LINES_ON_FAILURE = 40
POLL = 0.3


@dataclass(frozen=True, slots=True)
class PushOptions:
    """How to push."""

    verbose: bool = False
    examples: bool = True
    force: bool = False
    #: `INPUT:MAX`, or what the folder declares
    batch: str | None = None


async def push_folder(client: Client, terminal: Terminal, folder: Path, name: str, options: PushOptions) -> JsonObject:
    """Push a folder as `owner/name` and run its examples; the last event of the build. Raises `CliError`."""
    if not folder.is_dir():
        raise CliError(f"{folder} is not a folder.", Exit.usage, "Invalid input")
    with tempfile.TemporaryFile() as archive:
        try:
            packed = await asyncio.to_thread(pack, folder, archive)
        except (OSError, CogyardError) as error:
            raise CliError(f"{folder} cannot be packed: {error}", Exit.usage) from None
        size = archive.tell()
        terminal.say(f"{name}: uploading {packed.file_count} files, {_human(size)}")
        made = await _upload(client, terminal, archive, size, name, options)
    version = made.get("version")
    short = str(version.get("id", ""))[:12] if isinstance(version, dict) else ""
    news = "is ready" if made.get("created") else "is ready (it was there already)"
    terminal.say(f"{name}: version {short} {news}")
    if options.examples and (made.get("created") or not made.get("has_default_example")):
        await _run_examples(client, terminal, folder, made)
    return made


async def _upload(
    client: Client, terminal: Terminal, archive: IO[bytes], size: int, name: str, options: PushOptions
) -> JsonObject:
    lines: deque[str] = deque(maxlen=LINES_ON_FAILURE)
    headers = {"Content-Type": "application/gzip", "Content-Length": str(size)}
    asked = {"force": "true" if options.force else None, "batch": options.batch}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    url = f"{client.url}/v1/models/{name}/versions" + (f"?{query}" if query else "")
    with terminal.progress() as progress:
        bar = progress.add_task("uploading", total=size)

        async def pieces() -> AsyncIterator[bytes]:
            archive.seek(0)
            while piece := archive.read(PIECE_BYTES):
                yield piece
                progress.advance(bar, len(piece))

        async with client.session.post(url, data=pieces(), headers=headers) as response:
            if response.status != 200:
                await read_answer(response)
            progress.remove_task(bar)
            async for raw in response.content:
                event: JsonObject = orjson.loads(raw)
                match event.get("event"):
                    case "log":
                        lines.append(str(event.get("text", "")))
                        _show(terminal, name, event, options)
                    case "version":
                        return event
                    case "error":
                        raise _failure(terminal, event, lines, options)
    raise CliError("The server went away before the build had ended; push again.", Exit.server)


def _show(terminal: Terminal, name: str, event: JsonObject, options: PushOptions) -> None:
    """Steps always, what the tools print only when asked for."""
    text = str(event.get("text", ""))
    is_step = event.get("step") in ("source", "schema", "version") or text.startswith(
        ("$ ", "building ", "installing ", "using ")
    )
    if options.verbose or is_step:
        terminal.say(f"{name}: {text}")


def _failure(terminal: Terminal, event: JsonObject, lines: deque[str], options: PushOptions) -> CliError:
    if not options.verbose and not terminal.as_json and lines:
        terminal.say("the last lines of the build:")
        for line in lines:
            terminal.say(f"  {line}")
    detail = str(event.get("detail", "The build failed."))
    return CliError(detail, Exit.failed, str(event.get("title", "Build failed")), {"status": event.get("status")})


async def _run_examples(client: Client, terminal: Terminal, folder: Path, made: JsonObject) -> None:
    """Run each example as a real prediction, and keep it with the model. Raises `CliError` when one fails."""
    examples, name, version = made.get("examples"), str(made.get("model")), made.get("version")
    if not isinstance(examples, list) or not isinstance(version, dict):
        return
    for number, example in enumerate(examples, 1):
        given = example.get("input") if isinstance(example, dict) else None
        terminal.say(f"{name}: running example {number} of {len(examples)}")
        model_input = await _with_files(client, folder, given)
        body: JsonObject = {"version": version.get("id"), "input": model_input}
        prediction = await client.post("/predictions", {**body, "version": f"{name}:{version.get('id')}"})
        while prediction.get("status") in ("starting", "processing"):
            await asyncio.sleep(POLL)
            prediction = await client.get_object(f"/predictions/{prediction['id']}")
        if prediction.get("status") != "succeeded":
            raise CliError(
                f"version {str(version.get('id'))[:12]} of {name} is there, but its example {number} "
                f"{prediction.get('status')}: {prediction.get('error')}\n{_tail(prediction.get('logs'))}",
                Exit.failed,
                "Example failed",
            )
        await client.post(f"/models/{name}/examples", {"prediction": prediction["id"]})


async def _with_files(client: Client, folder: Path, value: Json) -> Json:
    """The input with `@path` texts uploaded and replaced by their URLs."""
    if isinstance(value, str) and value.startswith("@"):
        return await client.upload(folder / value[1:])
    if isinstance(value, list):
        return [await _with_files(client, folder, item) for item in value]
    if isinstance(value, dict):
        return {key: await _with_files(client, folder, item) for key, item in value.items()}
    return value


def _tail(logs: Json) -> str:
    return "\n".join(str(logs or "").splitlines()[-10:])


def _human(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
