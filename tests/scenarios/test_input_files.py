"""Files that callers name by URL, good and bad."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest

from tests.yard import Yard, wait_until


class _Shop(BaseHTTPRequestHandler):
    """Serves what the path says."""

    closing = threading.Event()

    def do_GET(self) -> None:
        name = self.path.partition("?")[0]
        if name == "/hangs":
            self.closing.wait(60)
        elif name == "/moved":
            self.send_response(302)
            self.send_header("Location", "/note.txt")
            self.end_headers()
        elif name == "/metadata":
            self.send_response(302)
            self.send_header("Location", "http://169.254.169.254/latest")
            self.end_headers()
        elif name == "/huge":
            self.send_response(200)
            self.send_header("Content-Length", str(5 * 2**30))
            self.end_headers()
        elif name == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while not self.closing.is_set():
                    self.wfile.write(b"x" * 65536)
            except OSError:
                pass
        elif name == "/note.txt":
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Shop)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    _Shop.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def small_yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    limits = {"max_input_bytes": "1000000", "input_timeout": "2"}
    started = Yard(tmp_path_factory.mktemp("small"), limits).start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def reader(small_yard: Yard) -> str:
    from tests.yard import FOLDERS

    return small_yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")


@pytest.mark.parametrize("path", ["/note.txt", "/moved", "/note.txt?key=secret"])
def test_a_url_is_fetched_under_its_own_name(small_yard: Yard, reader: str, shop: str, path: str) -> None:
    done = small_yard.run(reader, {"mode": "read", "file": shop + path})

    assert done["output"]["file"] == ["note.txt", "hello"]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("{shop}/nothing", "answered 404"),
        ("{shop}/hangs", "did not arrive within 2 seconds"),
        ("{shop}/huge", "is larger than 1000000 bytes"),
        ("{shop}/endless", "is larger than 1000000 bytes"),
        ("{shop}/metadata", "may not be fetched"),
        ("http://127.0.0.1:9/x", "no connection"),
        ("http://169.254.169.254/latest/meta-data", "may not be fetched"),
        ("http://[fd00:ec2::254]/", "may not be fetched"),
        ("http://no-such-host.invalid/x", "there is no host"),
        ("ftp://example.com/x", "give an http, https or data URL"),
        ("file:///etc/passwd", "give an http, https or data URL"),
        ("data:text/plain;base64,not*base64", "is not base64"),
        ("data:nothing", "has no comma"),
    ],
)
def test_a_url_that_cannot_be_fetched_fails_with_a_sentence(
    small_yard: Yard, reader: str, shop: str, url: str, sentence: str
) -> None:
    done = small_yard.run(reader, {"mode": "read", "file": url.format(shop=shop)})

    assert done["status"] == "failed"
    assert sentence in done["error"]
    assert "secret" not in done["error"]


def test_others_go_on_while_one_waits_for_its_file(small_yard: Yard, reader: str, shop: str) -> None:
    hanging = small_yard.create(reader, {"mode": "read", "file": f"{shop}/hangs"}).json()["id"]
    done = small_yard.run(reader, {"text": "me first or second"})

    assert done["status"] == "succeeded"
    assert small_yard.end_of(hanging)["status"] == "failed"


def test_a_prediction_that_waits_for_its_file_cancels(own_yard: Yard, shop: str) -> None:
    from tests.yard import FOLDERS

    yard = own_yard.start()
    reference = yard.push(FOLDERS / "canary", "acme/canary", "--no-examples")
    yard.run(reference, {})
    hanging = yard.create(reference, {"mode": "read", "file": f"{shop}/hangs"}).json()["id"]
    wait_until(lambda: yard.get(hanging)["status"] in ("starting", "processing"), 5)

    with yard.http as http:
        http.post(f"/predictions/{hanging}/cancel")

    assert yard.end_of(hanging, 5)["status"] == "canceled"


def test_a_models_own_server_is_out_of_reach_for_inputs_and_webhooks(yard: Yard, canary: str) -> None:
    """It takes orders from anybody on this machine, to shut down among others."""
    leader = psutil.Process(yard.run(canary, {"mode": "pids"})["output"]["group"])
    [port] = {one.laddr.port for one in leader.net_connections("tcp4") if one.status == psutil.CONN_LISTEN}

    fetched = yard.run(canary, {"mode": "read", "file": f"http://127.0.0.1:{port}/health-check"})
    with yard.http as http:
        hook = {"webhook": f"http://127.0.0.1:{port}/shutdown", "webhook_events_filter": ["start"]}
        told = http.post("/predictions", json={"version": canary, "input": {}, **hook}).json()["id"]
        yard.end_of(told)
        wait_until(lambda: http.get("/webhooks/deliveries", params={"prediction": told}).json()["results"][0]["error"])

    assert "this port belongs to the server itself" in fetched["error"]
    assert leader.is_running()
