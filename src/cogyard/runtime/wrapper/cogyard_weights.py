"""The weights of a trained version at a URL of this machine, for a model that fetches them itself.

Cog hands over "a local path or URL", and we a path; some models know URLs only.
"""

import secrets
import shutil
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def wants_url(error: ValueError) -> bool:
    """Whether this came of a path that was taken for a URL."""
    return "No scheme supplied" in str(error) or "unknown url type" in str(error)


def serve(path: str) -> str:
    """A URL of the file for as long as this process lives; who does not know it cannot guess it."""
    file = Path(path)
    place = f"/{secrets.token_urlsafe(16)}/{urllib.parse.quote(file.name)}"

    class Handler(BaseHTTPRequestHandler):
        """Gives this one file."""

        def do_HEAD(self) -> None:
            """Its size."""
            self._answer()

        def do_GET(self) -> None:
            """Its content."""
            if self._answer():
                with file.open("rb") as content:
                    shutil.copyfileobj(content, self.wfile)

        def _answer(self) -> bool:
            if self.path != place:
                self.send_error(404)
                return False
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(file.stat().st_size))
            self.end_headers()
            return True

        def log_message(self, *_message: object) -> None:
            """Nothing: it would stand in the model's own log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True, name="cogyard weights").start()
    return f"http://127.0.0.1:{server.server_port}{place}"
