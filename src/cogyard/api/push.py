"""`POST /models/{owner}/{name}/versions`: a packed folder in, a streamed build log and a version out (an extension).

The answer is a line of JSON for each thing that happens: `log`, now and then `ping`, at the end one `version` or
`error`. A client that goes away cancels the build.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path

import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from cogyard.api.errors import fault, render
from cogyard.api.request import body_chunks
from cogyard.api.wire import Wire, to_bytes
from cogyard.api.yard import Yard
from cogyard.domain.account import Caller
from cogyard.domain.batching import parse_batch
from cogyard.domain.errors import CogyardError, InvalidRequest, StorageFull, TooLarge
from cogyard.models import Pushed
from cogyard.ports import BuildLine, Packed

PING_INTERVAL = 5.0
"""Seconds of silence after which a line is sent, so that nobody between takes the connection for dead."""

_NO_SPACE = 28

Pushing = Callable[[Callable[[BuildLine], Awaitable[None]]], Coroutine[None, None, Pushed]]
"""What builds and adds the version; it takes what is told of the build."""


async def push(yard: Yard, request: Request, caller: Caller, model: tuple[str, str]) -> Response:
    """Receive the folder, then answer with the build's stream. Raises for what is wrong before the build begins."""
    await yard.models.may_push(caller, *model)
    declared = request.query_params.get("batch")
    batch = None if declared is None else parse_batch(declared)
    archive = await _receive(yard, request)
    force = request.query_params.get("force") == "true"
    check = partial(yard.tokens.check_same, request.headers.getlist("authorization"), caller)
    pushing = partial(yard.models.push, caller, *model, Packed(archive, batch), force=force, check=check)
    lines = _build(yard.wire(request), pushing, archive)
    return StreamingResponse(lines, media_type="application/x-ndjson")


async def _receive(yard: Yard, request: Request) -> Path:
    limit = yard.max_push_bytes
    path: Path | None = None
    size = 0
    try:
        with tempfile.NamedTemporaryFile(dir=yard.spool, suffix=".tar.gz", delete=False) as file:
            path = Path(file.name)
            async for chunk in body_chunks(request):
                size += len(chunk)
                if size > limit:
                    raise TooLarge(f"The packed folder is larger than {limit} bytes.", limit)
                await asyncio.to_thread(file.write, chunk)
        if size == 0:
            raise InvalidRequest("The request has no body; send the folder as a tar file packed with gzip.")
    except OSError as error:
        _discard(path)
        if error.errno == _NO_SPACE:
            raise StorageFull("There is no space left on the server's disk for this folder.") from error
        raise
    except BaseException:
        _discard(path)
        raise
    return path


def _discard(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)


async def _build(wire: Wire, pushing: Pushing, archive: Path) -> AsyncIterator[bytes]:
    lines: asyncio.Queue[BuildLine | None] = asyncio.Queue()
    building = asyncio.create_task(pushing(lines.put))

    def ended(_building: "asyncio.Task[Pushed]") -> None:
        lines.put_nowait(None)
        _discard(archive)

    building.add_done_callback(ended)
    try:
        while (line := await _next(lines)) is not None:
            yield line
        yield _result(wire, building)
    finally:
        building.cancel()


async def _next(lines: asyncio.Queue[BuildLine | None]) -> bytes | None:
    """The next line of the answer; None when the build has ended."""
    try:
        async with asyncio.timeout(PING_INTERVAL):
            line = await lines.get()
    except TimeoutError:
        return b'{"event":"ping"}\n'
    if line is None:
        return None
    return to_bytes({"event": "log", "step": line.step, "text": line.text}) + b"\n"


def _result(wire: Wire, building: "asyncio.Task[Pushed]") -> bytes:
    try:
        pushed = building.result()
    except CogyardError as error:
        return _error(render(error))
    except Exception as error:  # noqa: BLE001 - the answer's head is sent, so a fault of ours is told in its body
        structlog.get_logger().error("push.failed", exc_info=error)
        return _error(fault())
    return (
        to_bytes(
            {
                "event": "version",
                "created": pushed.created,
                "model": pushed.model.full_name,
                "version": wire.version(pushed.version),
                "has_default_example": pushed.model.default_example is not None,
                "examples": [{"input": example.get("input")} for example in pushed.examples],
            }
        )
        + b"\n"
    )


def _error(response: Response) -> bytes:
    """The line that tells what an answer of its own would tell."""
    return b'{"event":"error",' + bytes(response.body).strip()[1:] + b"\n"
