"""`cogyard stand-in`: runs a program for which api.replicate.com is this machine, and for nobody else (ADR 8)."""

import http.client
import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from cogyard.cli.client import data_folder
from cogyard.cli.namespace import NoNamespace, replace_files
from cogyard.cli.terminal import CliError, Exit, Terminal
from cogyard.tls import STAND_IN_HOST, STAND_IN_HOSTS

PORT = 443
"""Where a program looks that says https:// and no port."""

LOOPBACK = "127.0.0.1"
HOSTS = Path("/etc/hosts")
SWITCH = Path("/etc/nsswitch.conf")

_SECONDS = 5.0
_SWITCH_ON = "Start it with --stand-in (COGYARD_STAND_IN=true), as a user who may listen on port 443."


def hosts_lines() -> str:
    """What a hosts file says so that Replicate's names lead here."""
    return f"{LOOPBACK} {' '.join(STAND_IN_HOSTS)}\n"


def run_program(terminal: Terminal, command: Sequence[str], token: str | None) -> NoReturn:
    """Become the program. Raises `CliError` when the server is no stand-in, or names cannot be replaced here."""
    folder = (data_folder() / "tls").absolute()
    authority, bundle = folder / "ca.pem", folder / "ca-bundle.pem"
    check_server(authority)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "REPLICATE_BASE_URL"},
        "REPLICATE_API_TOKEN": _token(terminal, authority, token),
        **dict.fromkeys(("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"), str(bundle)),
        **dict.fromkeys(("NODE_EXTRA_CA_CERTS", "DENO_CERT"), str(authority)),
        **_past_proxies(),
    }
    if not leads_here(_read(HOSTS)):
        _replace_names()
    try:
        os.execvpe(command[0], list(command), environment)
    except OSError as error:
        raise CliError(f"{command[0]} cannot be run: {error.strerror}.", Exit.usage) from None


def check_server(authority: Path) -> None:
    """Raises `CliError` when no stand-in with this authority answers, with what to do."""
    if not _read(authority):
        raise CliError(
            f"There is no certificate authority in {authority.parent}, or it is not yours to read. Set COGYARD_DATA to "
            f"the data folder of a server on this machine that is a stand-in. {_SWITCH_ON}",
            Exit.server,
        )
    _ask(authority, "")


def is_switched_on(folder: Path) -> bool:
    """Whether the server that keeps its certificate in this folder was last started as a stand-in."""
    return f'"{STAND_IN_HOST}"' in _read(folder / "server.json")


def leads_here(hosts: str) -> bool:
    """Whether a hosts file sends all of Replicate's names to this machine."""
    entries = [line.partition("#")[0].split() for line in hosts.splitlines()]
    here = {name for entry in entries if entry and entry[0] == LOOPBACK for name in entry[1:]}
    return here.issuperset(STAND_IN_HOSTS)


def with_names(hosts: str) -> str:
    """The hosts file with Replicate's names leading here, and nowhere else."""
    kept = [line for line in hosts.splitlines() if not set(STAND_IN_HOSTS) & set(line.partition("#")[0].split()[1:])]
    return hosts_lines() + "".join(f"{line}\n" for line in kept)


def with_files_first(switch: str) -> str:
    """The name service switch with the hosts file before whatever else may know the names."""
    lines = switch.splitlines()
    for number, line in enumerate(lines):
        kind, _, sources = line.partition(":")
        if kind.strip() == "hosts":
            others = [source for source in sources.partition("#")[0].split() if source != "files"]
            lines[number] = " ".join(["hosts: files", *others])
    return "".join(f"{line}\n" for line in lines)


def _replace_names() -> None:
    contents = {HOSTS: with_names(_read(HOSTS))}
    switch = _read(SWITCH)
    if switch:
        contents[SWITCH] = with_files_first(switch)
    try:
        replace_files(contents)
    except NoNamespace as error:
        raise CliError(
            f"This system gives a program no names of its own: {error}. Add this line to {HOSTS}, run the command "
            f"again, and take the line out when you are done:\n{hosts_lines()}",
            Exit.failed,
        ) from None


def _token(terminal: Terminal, authority: Path, given: str | None) -> str:
    """The program's own token where this server knows it; else the one that the command line itself would use."""
    own = os.environ.get("REPLICATE_API_TOKEN")
    for found in [given] if given else _known_tokens(own):
        if found.isascii() and found.isprintable() and _ask(authority, found) == http.client.OK:
            if own and found != own and not given:
                terminal.say("REPLICATE_API_TOKEN is no token of this server; the program gets one that is")
            return found
    raise CliError(
        "The server knows no token that was found. Make one with `cogyard token create`, and set COGYARD_TOKEN to it.",
        Exit.not_allowed,
        "Unauthenticated",
    )


def _known_tokens(own: str | None) -> Iterator[str]:
    kept = _read(data_folder() / "admin.token").strip()
    yield from (found for found in (own, os.environ.get("COGYARD_TOKEN"), kept) if found)


def _ask(authority: Path, token: str) -> int:
    """The status that the stand-in gives to a caller with this token. Raises `CliError` when there is no stand-in."""
    connection = http.client.HTTPSConnection(STAND_IN_HOST, PORT, timeout=_SECONDS)
    try:
        trust = ssl.create_default_context(cafile=str(authority))
        plain = socket.create_connection((LOOPBACK, PORT), _SECONDS)
        connection.sock = trust.wrap_socket(plain, server_hostname=STAND_IN_HOST)
        connection.request("GET", "/v1/account", headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status
    except ssl.SSLError:
        raise CliError(
            f"What answers at {LOOPBACK}:{PORT} is not the server of {data_folder()} as a stand-in. {_SWITCH_ON}",
            Exit.server,
        ) from None
    except (OSError, http.client.HTTPException):
        raise CliError(
            f"No stand-in answers at {LOOPBACK}:{PORT}. Is the server running? {_SWITCH_ON}", Exit.server
        ) from None
    finally:
        connection.close()


def _past_proxies() -> dict[str, str]:
    """Variables that keep a proxy from being asked for the names, where one is set."""
    names = ",".join((*STAND_IN_HOSTS, LOOPBACK, "localhost"))
    set_ones = [os.environ[name] for name in ("no_proxy", "NO_PROXY") if os.environ.get(name)]
    return dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join([*set_ones[:1], names]))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
