"""Server-sent events of a prediction's output (`api-contract.md` §10.4)."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

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
_EVENT_ID = re.compile(r"\d+:(\d+)")


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource; the token in the path is the right to read."""
    return [Route("/streams/{token}", _Streams(yard).open, methods=["GET"])]


@dataclass(frozen=True, slots=True)
class _Streams:
    yard: Yard

    async def open(self, request: Request) -> Response:
        prediction = self.yard.links.open_stream(request.path_params["token"])
        if prediction is None:
            raise NotFound
        seen = _EVENT_ID.fullmatch(request.headers.get("last-event-id", ""))
        changes = self.yard.predictions.follow(prediction)
        first = await anext(changes)
        events = _events(self.yard.wire(request), first, changes, int(seen[1]) + 1 if seen else 0)
        return StreamingResponse(events, media_type="text/event-stream", headers=HEADERS)


async def _events(
    wire: Wire, first: Prediction | None, changes: AsyncIterator[Prediction | None], position: int
) -> AsyncIterator[bytes]:
    """Output items from `position` on, then how it ended. Ids count items; the end has the next number."""
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
                yield _end(current, position)
                return
        current = await anext(changes)


def _items(wire: Wire, prediction: Prediction) -> list[Json]:
    output = wire.output(prediction)
    return output if isinstance(output, list) else []


def _text(item: Json) -> str:
    return item if isinstance(item, str) else to_bytes(item).decode()


def _end(prediction: Prediction, position: int) -> bytes:
    match prediction.status:
        case Status.succeeded:
            return _event("done", "{}", prediction, position)
        case Status.failed:
            detail = to_bytes({"detail": prediction.error}).decode()
            failed = _event("error", detail, prediction, position)
            return failed + _event("done", '{"reason":"error"}', prediction, position + 1)
        case _:
            return _event("done", '{"reason":"canceled"}', prediction, position)


def _event(name: str, data: str, prediction: Prediction, number: int) -> bytes:
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split(data))
    return f"event: {name}\nid: {int(prediction.created_at.timestamp())}:{number}\n{lines}\n".encode()
