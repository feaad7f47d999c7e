"""A way to a server on which the first answer is lost: to try what clients do then."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@contextmanager
def flaky(upstream: str) -> Iterator[str]:
    """Its address. The first POST of each body reaches the server and loses its answer; each first GET gets a 503."""
    host = urlsplit(upstream).netloc
    seen: set[tuple[str, bytes]] = set()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            is_first = self.is_first(body)
            status, headers, content = self.pass_on(body)
            if is_first:
                self.close_connection = True
            else:
                self.tell(status, headers, content)

        def do_GET(self) -> None:
            if self.is_first(b""):
                self.tell(503, {"retry-after": "0"}, b"")
            else:
                self.tell(*self.pass_on(None))

        def is_first(self, body: bytes) -> bool:
            with lock:
                before = len(seen)
                seen.add((self.path, body))
                return len(seen) > before

        def pass_on(self, body: bytes | None) -> tuple[int, dict[str, str], bytes]:
            kept = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            connection = http.client.HTTPConnection(host, timeout=60)
            connection.request(self.command, self.path, body, kept)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            return answer.status, {"content-type": answer.headers.get("content-type", "text/plain")}, content

        def tell(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
