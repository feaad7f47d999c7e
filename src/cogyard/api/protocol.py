"""HTTP/1.1 at the edge: uvicorn's protocol, with bounds on what comes before a body and problems as JSON.

uvicorn's parser takes a head of any size and waits for its end for ever; a server that strangers can reach must not.
"""

import asyncio
import re
from typing import Any, NoReturn, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from cogyard.api.errors import problem

LARGEST_HEAD = 2**16
"""Bytes of a request's line and headers together; eight times what common servers take."""

HEAD_SECONDS = 30.0
"""Time from the first byte of a request, or from connecting, until its headers are there."""

LINGER_SECONDS = 1.0
LONGEST_LINGER = 30.0
"""Silence after a refusal until the connection is closed, and the most that the rest of a request is read and dropped:
a connection that is closed while something still comes may lose the refusal on its way."""


class BoundedHttp(HttpToolsProtocol):
    """Answers 431 to a head that is too large, 400 to one that is wrong, and ends one that does not end."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*arguments, **named)
        self._is_in_head = True
        #: bytes that came for a head that is not complete, those of the piece in which it began aside
        self._pending_bytes = 0
        #: bytes of what was parsed of the head
        self._head_bytes = 0
        self._has_begun = False
        self._refusal: tuple[int, str] | None = None
        self._is_refused = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._last_moment: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless the request was refused already."""
        if self._is_refused:
            self._linger()
            return
        if self._is_in_head:
            self._arm()
            self._has_begun = True
            self._pending_bytes += len(data)
            data = _without_upgrade(data)
        super().data_received(data)
        if self._is_in_head and self._pending_bytes > LARGEST_HEAD and not self._is_refused:
            self._refuse(*_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._pending_bytes = self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """A piece of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole header."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there. RFC 9112 §3.2: a request of HTTP/1.1 names its host, once."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            self._stop(400, "The request must have one Host header.")
        self._is_in_head = False
        self._disarm()
        super().on_headers_complete()
        self.cycle.transport = cast("asyncio.Transport", _Patient(self))

    def on_message_complete(self) -> None:
        """The request is there; what comes next is another head."""
        self._is_in_head, self._has_begun, self._pending_bytes = True, False, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser did not take, in the API's form."""
        self._refuse(*(self._refusal or (400, msg)))

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > LARGEST_HEAD:
            self._stop(*_TOO_LARGE)

    def _stop(self, status: int, detail: str) -> NoReturn:
        """Make the parser stop, which then asks for `send_400_response`."""
        self._refusal = (status, detail)
        raise ValueError(detail)

    def close_when_sent(self) -> None:
        """Close after an answer; one that came before the end of the body waits for the client to stop sending."""
        if not self.cycle.more_body or self.expect_100_continue:
            self.transport.close()
        else:
            self._is_refused = True
            self._linger()

    def _refuse(self, status: int, detail: str) -> None:
        """Answer where no other answer is under way, and close soon."""
        self._is_refused = True
        self._disarm()
        if self.transport.is_closing():
            return
        asked = self.cycle is not None and not self.cycle.response_complete
        if not self.pipeline and not (asked and self.cycle.response_started):
            if asked:
                self.cycle.disconnected = True  # its handler waits for a body that is never whole
                self.cycle.message_event.set()
            body = bytes(problem(status, detail).body)
            head = b"content-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            self.transport.write(STATUS_LINE[status] + head % len(body) + body)
        self._linger()

    def _linger(self) -> None:
        """Close after a while of silence."""
        now = self.loop.time()
        self._last_moment = self._last_moment or now + LONGEST_LINGER
        if self._closing is not None:
            self._closing.cancel()
        self._closing = self.loop.call_at(min(now + LINGER_SECONDS, self._last_moment), self.transport.close)

    def _arm(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._on_silence)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _on_silence(self) -> None:
        self._head_timer = None
        if not self._has_begun:
            self.transport.close()
        elif self._is_in_head:
            self._refuse(408, f"The request did not arrive within {HEAD_SECONDS:.0f} seconds.")


class _Patient:
    """The transport as an answer in the making knows it: its end is not the end of what the client sends."""

    def __init__(self, protocol: BoundedHttp) -> None:
        self._protocol = protocol

    def write(self, data: bytes) -> None:
        """Send."""
        self._protocol.transport.write(data)

    def is_closing(self) -> bool:
        """Whether there is nobody to send to."""
        return self._protocol.transport.is_closing()

    def close(self) -> None:
        """Close once the client has the answer."""
        self._protocol.close_when_sent()


def _without_upgrade(data: bytes) -> bytes:
    """The piece of a head without the wish for another protocol, which is ours to ignore (RFC 9110 §7.8).

    The parser would skip the body of such a request; clients that would like HTTP/2 (Java's own) send them all so.
    """
    end = data.find(b"\r\n\r\n")
    head = data if end < 0 else data[:end]
    return _UPGRADE.sub(rb"\1X-\2", head) + data[len(head) :]


_UPGRADE = re.compile(rb"(\r\n)(Upgrade:)", re.IGNORECASE)
_TOO_LARGE = (431, f"The request's line and headers are larger than {LARGEST_HEAD} bytes.")
