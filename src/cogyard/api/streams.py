"""Server-sent events of a prediction's output (`api-contract.md` §10.4)."""

import re
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from cogyard.api.route import resource
from cogyard.api.wire import Wire, to_bytes
from cogyard.api.yard import Yard
from cogyard.domain.errors import NotFound
from cogyard.domain.prediction import Prediction, Status
from cogyard.domain.values import Json

HEADERS = {
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
    "access-control-allow-origin": "*",
}

_LINE_END = re.compile(r"\r\n|\n|\r")
_EVENT_ID = re.compile(r"\d{1,18}:(\d{1,18})")
_FILES_TOKEN = re.compile(r"[a-z]{4}-[a-z2-7]{52}")


GONE = b": hi\n\n: 408: 408 Request Timeout\n\n"
"""What a stream says whose data was removed: a comment, as for one that nobody writes to any more."""


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource; those of streams of files stand with the files."""

    async def follow(request: Request) -> Response:
        return await open_stream(yard, request, request.path_params["token"])

    return [resource("/streams/{token}", GET=follow)]


def is_stream_of_files(name: str) -> bool:
    """Whether the last part of a path `/files/…` names a stream and no file."""
    return _FILES_TOKEN.fullmatch(name) is not None


async def open_stream(yard: Yard, request: Request, token: str) -> Response:
    """The stream that a token opens, which is all the right that it takes. Raises `NotFound`."""
    prediction = yard.links.open_stream(token)
    if prediction is None:
        raise NotFound
    if request.method == "HEAD":  # there is nothing to wait for
        return Response(media_type="text/event-stream", headers=HEADERS)
    seen = _EVENT_ID.fullmatch(request.headers.get("last-event-id", ""))
    changes = yard.predictions.follow(prediction)
    first = await anext(changes)
    if first is not None and first.data_removed:
        return Response(GONE, media_type="text/event-stream", headers=HEADERS)
    events = _events(yard.wire(request), first, changes, int(seen[1]) + 1 if seen else 0)
    return StreamingResponse(events, media_type="text/event-stream", headers=HEADERS)


async def _events(
    wire: Wire, first: Prediction | None, changes: AsyncIterator[Prediction | None], position: int
) -> AsyncIterator[bytes]:
    """Output items from `position` on, then how it ended. Ids count items; the end has the next numbers."""
    yield b": hi\n\n"
    current = first
    while True:
        if current is None:
            yield b": still here\n\n"
        else:
            items = _items(wire, current)
            if position < len(items):
                yield b"".join(
                    _event("output", _text(item), current, number)
                    for number, item in enumerate(items[position:], position)
                )
                position = len(items)
            if current.status.is_terminal:
                ends = enumerate(_end(current), len(items))
                yield b"".join(_event(*end, current, number) for number, end in ends if number >= position)
                return
        current = await anext(changes)


def _items(wire: Wire, prediction: Prediction) -> list[Json]:
    """What has come so far. A single file comes as a stream of one."""
    output = wire.output(prediction)
    if isinstance(output, list):
        return output
    return [] if output is None else [output]


def _text(item: Json) -> str:
    return item if isinstance(item, str) else to_bytes(item).decode()


def _end(prediction: Prediction) -> list[tuple[str, str]]:
    """The names and data of the events that follow the last item."""
    match prediction.status:
        case Status.succeeded:
            return [("done", "{}")]
        case Status.failed:
            return [("error", to_bytes({"detail": prediction.error}).decode()), ("done", '{"reason":"error"}')]
        case _:
            return [("done", '{"reason":"canceled"}')]


def _event(name: str, data: str, prediction: Prediction, number: int) -> bytes:
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split(data))
    return f"event: {name}\nid: {int(prediction.created_at.timestamp())}:{number}\n{lines}\n".encode()
