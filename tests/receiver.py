"""A webhook receiver that tests look into."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    path: str
    headers: dict[str, str]
    raw: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw)
        return found


@dataclass
class Receiver:
    url: str
    got: list[Received] = field(default_factory=list)

    def on(self, path: str) -> list[Received]:
        return [one for one in self.got if one.path == path]


Answer = Callable[[str, int], tuple[int, dict[str, str]]]
"""Path and how many came to it before → status and headers."""


@contextmanager
def receiver(answer: Answer = lambda path, before: (200, {})) -> Iterator[Receiver]:
    """A server on a free port of this machine."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", "0")))
            with lock:
                before = len(told.on(self.path))
                told.got.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, raw))
            status, headers = answer(self.path, before)
            self.send_response(status)
            for name, value in {"content-length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told = Receiver(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
