"""`cogyard serve`: the server of one machine, over HTTP and HTTPS, with its starter models."""

import asyncio
import inspect
import io
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, TextIO, cast

import structlog
import typer
import uvicorn
import uvloop
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from cogyard.api.protocol import BoundedHttp
from cogyard.cli.client import connect
from cogyard.cli.push import PushOptions, push_folder
from cogyard.cli.terminal import CliError, Exit, Terminal
from cogyard.clock import SystemClock
from cogyard.domain.errors import CogyardError
from cogyard.ids import new_token
from cogyard.settings import Settings
from cogyard.tls import STAND_IN_HOST, STAND_IN_NAMES, Certificates, ensure_certificates
from cogyard.wiring import Running, start

TLS_OFFSET = 393
"""Where HTTPS is unless told: 5443 beside 5050."""

GRACEFUL_SECONDS = 5
"""Time that open requests get when the server stops; waiting clients ask again elsewhere."""

OPEN_FILES = 65536


def serve_command(terminal: Callable[[], Terminal]) -> Callable[..., None]:
    """The command, with an option for each setting."""

    def serve(**given: Any) -> None:  # noqa: ANN401 - typed by the signature below
        """Run the server on this machine."""
        install = given.pop("install", None)
        chosen = {name: value for name, value in given.items() if value is not None}
        try:
            settings = Settings(**chosen)
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}"
                for fault in error.errors()
            )
            raise CliError(f"The settings are not usable: {faults}", Exit.usage) from None
        _log_to_stderr(settings.log_level)
        _raise_file_limit()
        os.umask(0o077)  # what the server keeps is for its own user, also in a folder that others can look into
        uvloop.run(_serve(settings, terminal(), install))

    options = [_option(name, field) for name, field in Settings.model_fields.items()]
    help_text = "Folder of Cog folders to install, as OWNER/<folder's name>, once the server is up."
    options.append(_parameter("install", Path, help_text))
    serve.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    serve.__annotations__ = {option.name: option.annotation for option in options}
    return serve


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    kind: Any = {"data": Path, "tls_port": int}.get(name, str)
    for plain in (int, float, bool):
        if field.annotation is plain:
            kind = plain
    default = "" if field.default in (None, ...) or field.default_factory else f" [{field.default}]"
    return _parameter(name, kind, f"{field.description}{default}")


def _parameter(name: str, kind: type, help_text: str) -> inspect.Parameter:
    flag = f"--{name.replace('_', '-')}"
    flags = [f"{flag}/--no-{name.replace('_', '-')}"] if kind is bool else [flag]
    annotation: Any = Annotated[kind | None, typer.Option(*flags, help=help_text, show_default=False)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


async def _serve(settings: Settings, terminal: Terminal, install: Path | None) -> None:
    data = settings.data.absolute()
    terminal.say(f"Cogyard keeps its data in {data}")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    plain = _listen(settings.host, settings.port, "COGYARD_PORT")
    port = plain.getsockname()[1]
    secure = _listen_tls(settings, port)
    borrowed = _listen_as_stand_in(settings, secure)
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret = settings.token or _kept_token(data / "admin.token")
        hosts = [settings.host, *(STAND_IN_NAMES if settings.stand_in else ())]
        certificates = (
            await asyncio.to_thread(ensure_certificates, data / "tls", hosts, SystemClock().now())
            if secure or borrowed
            else None
        )
        async with start(settings, secret) as running:
            encrypted = [_server(running, sock, certificates) for sock in (secure, borrowed) if sock is not None]
            servers = [_server(running, plain), *encrypted]
            tasks = [asyncio.create_task(server.serve([sock])) for server, sock in servers]
            address = _Address(settings, port, secure.getsockname()[1] if secure else None, certificates)
            working = asyncio.create_task(_welcome(terminal, running, address, secret, install))
            await asyncio.wait({asyncio.create_task(stop.wait()), *tasks}, return_when=asyncio.FIRST_COMPLETED)
            terminal.say("stopping")
            running.stopping = True
            working.cancel()
            for server, _ in servers:
                server.should_exit = True
            await asyncio.wait(tasks)
    except (CogyardError, OSError) as error:
        raise CliError(str(error), Exit.server, "The server cannot start") from error


def _server(
    running: Running, sock: socket.socket, certificates: Certificates | None = None
) -> tuple[uvicorn.Server, socket.socket]:
    config = uvicorn.Config(
        running.app,
        loop="none",
        http=BoundedHttp,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        backlog=2048,
        ssl_certfile=certificates.certificate_file if certificates else None,
        ssl_keyfile=certificates.key_file if certificates else None,
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
    )
    return _Server(config), sock


class _Server(uvicorn.Server):
    """Leaves signals to us, who run two of them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


# --- addresses ------------------------------------------------------------------------------------------------------


def _listen(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket. Raises `CliError` that says what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(2048)
    except OSError as error:
        sock.close()
        remedy = "Stop what uses it"
        if isinstance(error, PermissionError):
            remedy = f"On Linux allow it with `sudo sysctl net.ipv4.ip_unprivileged_port_start={port}`"
        raise CliError(
            f"Port {port} of {host} cannot be used: {error.strerror or error}. {remedy}, or choose another "
            f"one with {setting}.",
            Exit.server,
            "The server cannot start",
        ) from None
    return sock


def _listen_tls(settings: Settings, port: int) -> socket.socket | None:
    if not settings.tls:
        return None
    if settings.tls_port is not None:
        return _listen(settings.host, settings.tls_port, "COGYARD_TLS_PORT")
    try:
        return _listen(settings.host, port + TLS_OFFSET if port + TLS_OFFSET < 65536 else 0, "COGYARD_TLS_PORT")
    except CliError:
        return _listen(settings.host, 0, "COGYARD_TLS_PORT")


def _listen_as_stand_in(settings: Settings, secure: socket.socket | None) -> socket.socket | None:
    """On loopback only, whatever the other addresses are; None when it is off, or HTTPS is there already."""
    if not settings.stand_in:
        return None
    if secure is not None and secure.getsockname()[:2] in (
        ("127.0.0.1", settings.stand_in_port),
        ("0.0.0.0", settings.stand_in_port),
    ):
        return None
    return _listen("127.0.0.1", settings.stand_in_port, "COGYARD_STAND_IN_PORT")


class _Address:
    """Where the server is, for people on this machine."""

    def __init__(self, settings: Settings, port: int, tls_port: int | None, certificates: Certificates | None) -> None:
        host = settings.host
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        self.plain = f"http://{shown}:{port}"
        self.secure = f"https://{shown}:{tls_port}" if tls_port else None
        self.certificates = certificates
        self.stand_in_port = settings.stand_in_port if settings.stand_in else None


def _kept_token(path: Path) -> str:
    """The admin's token from the file that only its owner reads; made the first time."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        secret = new_token()
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret + "\n")
        return secret


# --- what it says ---------------------------------------------------------------------------------------------------


async def _welcome(terminal: Terminal, running: Running, address: _Address, secret: str, install: Path | None) -> None:
    terminal.say(f"listening on {address.plain}" + (f" and {address.secure}" if address.secure else ""))
    installed = await _install(terminal, running, address, secret, install) if install else []
    terminal.result(_instructions(address, secret, installed), end="")


async def _install(terminal: Terminal, running: Running, address: _Address, secret: str, folder: Path) -> list[str]:
    """Push every Cog folder below `folder`; one that fails is told and does not stop the others."""
    references: list[str] = []
    async with connect(address.plain, secret) as client:
        for place in sorted(entry.parent for entry in folder.glob("*/cog.yaml")):
            name = f"{running.admin}/{place.name}"
            try:
                made = await push_folder(client, terminal, place, name, PushOptions())
            except CliError as error:
                terminal.say(f"{name}: not installed: {error.detail}")
                continue
            version = made.get("version")
            if isinstance(version, dict):
                references.append(f"{name}:{version.get('id')}")
    return references


def _instructions(address: _Address, secret: str, installed: list[str]) -> str:
    base = address.secure or address.plain
    lines = ["", f"Cogyard is ready at {base}", ""]
    if address.secure:
        lines.append(f"  (the same over plain HTTP: {address.plain})")
    lines += ["", "# every client", f"export REPLICATE_API_TOKEN={quote(secret)}"]
    if address.certificates is not None and address.secure:
        lines += [
            f"export SSL_CERT_FILE={quote(str(address.certificates.bundle_file))}   # Python, Go",
            f"export CURL_CA_BUNDLE={quote(str(address.certificates.bundle_file))}   # curl",
            f"export NODE_EXTRA_CA_CERTS={quote(str(address.certificates.ca_file))}   # Node.js",
        ]
    lines += [
        "",
        "# Python client 1.x (pip install replicate)",
        f"export REPLICATE_BASE_URL={base}",
        "# Python client 2.0 beta (pip install --pre replicate): the same, or",
        f"export REPLICATE_BASE_URL={base}/v1",
        "# JavaScript client (npm install replicate)",
        f'new Replicate({{ auth: process.env.REPLICATE_API_TOKEN, baseUrl: "{base}/v1" }})',
        "# Go client",
        f'replicate.NewClient(replicate.WithTokenFromEnv(), replicate.WithBaseURL("{base}/v1"))',
        "# curl",
        f'curl -H "Authorization: Bearer $REPLICATE_API_TOKEN" {base}/v1/account',
        "",
    ]
    if address.stand_in_port is not None:
        port = "" if address.stand_in_port == 443 else f":{address.stand_in_port}"
        lines += [f"# programs that say https://{STAND_IN_HOST}{port}, as they are", "cogyard stand-in -- PROGRAM", ""]
    if installed:
        lines += ["# models", *(f"  {reference}" for reference in installed), ""]
    return "\n".join(lines) + "\n"


class _Unfailing(io.TextIOBase):
    """A stream whose loss is no reason to stop: its disk may be full, and whoever read it may be gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As much as can be."""
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """If it can be."""
        with suppress(OSError):
            self._stream.flush()


def _log_to_stderr(level: str) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Unfailing(sys.stderr))),
        cache_logger_on_first_use=True,
    )


def _raise_file_limit() -> None:
    """As many open files as the system allows, up to what thousands of waiting clients need."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
