"""A real server in a process of its own, for tests to talk to."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.reference import check_answer

ROOT = Path(__file__).parent.parent
FOLDERS = Path(__file__).parent / "folders"
TOKEN = "r8_" + "t" * 37
UV_CACHE = ROOT / ".tools" / "cache" / "uv"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(condition: Callable[[], Any], seconds: float = 30.0, what: str = "it") -> Any:
    """Ask again and again until the answer is true."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.01)
    return found


def heed_interrupts() -> None:
    """For a child that is to be interrupted: a shell's background jobs ignore SIGINT, and so do their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class Yard:
    """A server and how to reach it."""

    data: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def https(self) -> str:
        return f"https://127.0.0.1:{self.tls_port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("COGYARD_", "REPLICATE_"))}
        return {
            **kept,
            "COGYARD_DATA": str(self.data),
            "COGYARD_HOST": "127.0.0.1",
            "COGYARD_PORT": str(self.port),
            "COGYARD_TLS_PORT": str(self.tls_port),
            "COGYARD_TOKEN": TOKEN,
            "UV_CACHE_DIR": str(UV_CACHE),
            "NO_COLOR": "1",
            "COLUMNS": "100",
            **{f"COGYARD_{name.upper()}": value for name, value in self.settings.items()},
        }

    @property
    def http(self) -> httpx.Client:
        return httpx.Client(
            base_url=f"{self.url}/v1",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=90,
            trust_env=False,
            event_hooks={"response": [check_answer]},
        )

    def start(self) -> "Yard":
        self.data.mkdir(parents=True, exist_ok=True)
        while not self._try_to_start():
            self.port, self.tls_port = free_port(), free_port()
        return self

    def _try_to_start(self) -> bool:
        """False when somebody else took the port, which was free when it was chosen."""
        log = self.data / "server.log"
        already = log.stat().st_size if log.exists() else 0
        with log.open("ab") as file:
            command = [sys.executable, "-m", "cogyard", "serve"]
            self.process = subprocess.Popen(command, env=self.environment, stdout=file, stderr=file)
        wait_until(lambda: self.has_ended() or self.is_ready(), 60, f"the start of the server; its log: {log}")
        said = log.read_bytes()[already:].decode()
        assert not self.has_ended() or "Address already in use" in said, said
        return not self.has_ended()

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)

    def cogyard(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run the command line against this server."""
        command = [sys.executable, "-m", "cogyard", *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=300, check=False, **more
        )

    def push(self, folder: Path, name: str, *options: str) -> str:
        """Push a folder; the reference `owner/name:version`."""
        done = self.cogyard("push", str(folder), name, *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def create(self, reference: str, model_input: dict[str, Any], **headers: str) -> httpx.Response:
        with self.http as http:
            return http.post("/predictions", json={"version": reference, "input": model_input}, headers=headers)

    def run(self, reference: str, model_input: dict[str, Any]) -> dict[str, Any]:
        """Create a prediction and wait for its end."""
        response = self.create(reference, model_input, Prefer="wait")
        assert response.status_code in (201, 202), response.text
        return self.end_of(response.json()["id"])

    def get(self, prediction: str) -> dict[str, Any]:
        with self.http as http:
            found: dict[str, Any] = http.get(f"/predictions/{prediction}").json()
        return found

    def end_of(self, prediction: str, seconds: float = 60) -> dict[str, Any]:
        def ended() -> dict[str, Any] | None:
            found = self.get(prediction)
            return None if found["status"] in ("starting", "processing") else found

        found: dict[str, Any] = wait_until(ended, seconds, f"the end of {prediction}")
        return found

    def until_status(self, prediction: str, status: str, seconds: float = 60) -> None:
        wait_until(lambda: self.get(prediction)["status"] == status, seconds, f"{prediction} being {status}")

    def log(self) -> str:
        return (self.data / "server.log").read_text()

    def log_events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
