"""What the programs of the Python clients share: who called what, and how the findings are told."""

import asyncio
import functools
import inspect
import json
import os
import sys
import threading
import time
import traceback
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WAY = sys.argv[1]
"""`sync` or `async`."""

IS_ASYNC = WAY == "async"
MODELS = json.loads(os.environ["MODELS"])
"""Name → owner/name:version of the models that the tests pushed."""

ME = os.environ["WHO"]
"""A name that no other program of this run has."""


class Calls:
    """Which public methods the program itself called; what a client calls inside itself does not count."""

    def __init__(self, package):
        self.package = os.sep + package + os.sep
        self.public = set()
        self.now = set()

    def watch(self, owner, prefix):
        """Count the calls of a class's or module's public functions."""
        for name, found in list(vars(owner).items()):
            inner = found.__func__ if isinstance(found, staticmethod) else found
            if name.startswith("_") or not inspect.isfunction(inner) or not inner.__module__.startswith("replicate"):
                continue
            self.public.add(f"{prefix}.{name}")
            counted = self.counted(inner, f"{prefix}.{name}")
            setattr(owner, name, staticmethod(counted) if isinstance(found, staticmethod) else counted)

    def counted(self, function, name):
        @functools.wraps(function)
        def wrapper(*arguments, **more):
            if self.package not in sys._getframe(1).f_code.co_filename:
                self.now.add(name)
            return function(*arguments, **more)

        return wrapper


class Program:
    """Pieces of work, each of which shows one capability and gives the evidence."""

    def __init__(self, client, version, calls):
        self.client, self.version, self.calls = client, version, calls
        self.pieces = []

    def shows(self, capability, note=""):
        def keep(work):
            self.pieces.append((capability, note, work))
            return work

        return keep

    async def run(self):
        told = []
        for capability, note, work in self.pieces:
            self.calls.now = set()
            begun = time.monotonic()
            try:
                evidence, error = await work(), None
            except Exception:
                evidence, error = None, traceback.format_exc()
            found = {"capability": capability, "methods": sorted(self.calls.now), "note": note}
            seconds = round(time.monotonic() - begun, 2)
            told.append({**found, "evidence": evidence, "error": error, "seconds": seconds})
        public = sorted(self.calls.public)
        print(json.dumps({"client": self.client, "version": self.version, "public": public, "capabilities": told}))

    def start(self):
        asyncio.run(self.run())


async def now(found):
    """What an awaitable gives, or a value as it is."""
    return await found if inspect.isawaitable(found) else found


async def each(found):
    """The items of an iterator of either kind."""
    while inspect.iscoroutine(found):
        found = await found
    if IS_ASYNC and hasattr(found, "__aiter__"):
        return [one async for one in found]
    return list(await now(found))


async def refusal(work):
    """The error that a piece of work ends with."""
    try:
        await work()
    except Exception as error:
        return error
    raise AssertionError("there was no error")


async def until(condition, seconds=60):
    """Ask again and again until the answer is true."""
    end = time.monotonic() + seconds
    while not (found := await now(condition())):
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    return found


@contextmanager
def receiver():
    """A webhook receiver on a free port: its address, and the (headers, body) that came."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append((dict(self.headers.items()), self.rfile.read(int(self.headers["content-length"])).decode()))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", got
    finally:
        server.shutdown()
        server.server_close()


def statuses(got):
    """The distinct statuses that webhooks told, in order."""
    told = [json.loads(body)["status"] for _, body in got]
    return [status for number, status in enumerate(told) if status not in told[:number]]


def title(svg):
    """What one of the test models' drawings shows."""
    text = svg.decode() if isinstance(svg, bytes) else svg
    return text.partition("<title>")[2].partition("</title>")[0]
