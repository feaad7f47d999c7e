"""`cogyard doctor`: checks of this machine and of the server, each with what to do."""

import asyncio
import os
import platform
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from typing import Literal

from cogyard.cli.client import connect, data_folder, find_url
from cogyard.cli.terminal import CliError, Exit, Terminal

ENOUGH_BYTES = 5 * 2**30
"""Free space below which environments of larger models will not fit."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding."""

    name: str
    state: Literal["ok", "warn", "fail"]
    detail: str


async def examine(terminal: Terminal, url: str | None, token: str | None) -> None:
    """Run every check and show the findings. Raises `CliError` when one is `fail`."""
    checks = [*await asyncio.to_thread(_machine), *await _server(url, token)]
    if terminal.as_json:
        terminal.document([{"name": check.name, "state": check.state, "detail": check.detail} for check in checks])
    else:
        terminal.table(("check", "state", "finding"), ((check.name, check.state, check.detail) for check in checks))
    if any(check.state == "fail" for check in checks):
        if terminal.as_json:
            raise SystemExit(int(Exit.failed))
        raise CliError("Something above needs mending.", Exit.failed)


def _machine() -> list[Check]:
    return [Check("python", "ok", platform.python_version()), *_uv(), *_data(), _gpu()]


def _uv() -> list[Check]:
    from cogyard.domain.errors import BuildFailed
    from cogyard.runtime.environment import find_uv

    try:
        uv = find_uv()
        version = subprocess.run([uv, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        listed = subprocess.run(
            [uv, "python", "list", "--only-installed"], capture_output=True, text=True, check=True
        ).stdout
    except (BuildFailed, OSError, subprocess.SubprocessError) as error:
        return [Check("uv", "fail", f"{error}; reinstall Cogyard, which brings uv")]
    found = sorted(set(re.findall(r"cpython-(3\.1[0-3])\.", listed)))
    state: Literal["ok", "warn"] = "ok" if found else "warn"
    return [Check("uv", "ok", version), Check("interpreters", state, ", ".join(found) or "none that models can use")]


def _data() -> list[Check]:
    folder = data_folder()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    space = f"{free / 2**30:.1f} GiB free at {existing}"
    if free < ENOUGH_BYTES:
        space += "; large models need more: free some, or move the data folder with COGYARD_DATA"
    checks = [Check("disk", "ok" if free >= ENOUGH_BYTES else "warn", space)]
    if os.access(existing, os.W_OK):
        return [*checks, Check("data folder", "ok", str(folder))]
    return [*checks, Check("data folder", "fail", f"{existing} cannot be written; set COGYARD_DATA to one that can")]


def _gpu() -> Check:
    command = shutil.which("nvidia-smi")
    if command is None:
        return Check("gpu", "ok", "none found; models run on the CPU")
    asked = subprocess.run(
        [command, "--query-gpu=name,memory.total", "--format=csv,noheader"], capture_output=True, text=True, check=False
    )
    lines = [line.strip() for line in asked.stdout.splitlines() if line.strip()]
    return Check("gpu", "ok" if lines else "warn", "; ".join(lines) or "nvidia-smi is there and names no GPU")


async def _server(url: str | None, token: str | None) -> list[Check]:
    base = find_url(url)
    try:
        async with connect(url, token) as client:
            account = await client.get_object("/account")
            found = [
                Check("server", "ok", base),
                Check("token", "ok", f"belongs to {account.get('username')}"),
            ]
    except CliError as error:
        if error.code is Exit.not_allowed:
            return [Check("server", "ok", base), Check("token", "fail", error.detail)]
        return [Check("server", "fail", error.detail), _port(base)]
    found += await asyncio.to_thread(_stand_in)
    bundle = data_folder() / "tls" / "ca-bundle.pem"
    if bundle.is_file():
        trusted = os.environ.get("SSL_CERT_FILE") == str(bundle)
        hint = "SSL_CERT_FILE names it" if trusted else f"export SSL_CERT_FILE={bundle} for Python clients"
        found.append(Check("https", "ok" if trusted else "warn", hint))
    return found


def _stand_in() -> list[Check]:
    """Whether Replicate's names lead where they should; nothing to say where they are left alone."""
    from cogyard.cli.stand_in import HOSTS, check_server, is_switched_on, leads_here

    authority = data_folder() / "tls" / "ca.pem"
    for_all = leads_here(HOSTS.read_text(encoding="utf-8")) if HOSTS.is_file() else False
    if not is_switched_on(authority.parent):
        warning = f"{HOSTS} sends api.replicate.com to this machine, and no stand-in is on: take that line out"
        return [Check("stand-in", "warn", warning)] if for_all else []
    try:
        check_server(authority)
    except CliError as error:
        return [Check("stand-in", "warn", error.detail)]
    whom = f"every program, by {HOSTS}" if for_all else "programs under `cogyard stand-in`"
    return [Check("stand-in", "ok", f"answers as api.replicate.com to {whom}")]


def _port(base: str) -> Check:
    port = int(base.rpartition(":")[2]) if base.rpartition(":")[2].isdigit() else 5050
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    if taken:
        return Check("port", "fail", f"something else answers on port {port}; choose another one with COGYARD_PORT")
    return Check("port", "ok", f"port {port} is free: start the server with make serve")
