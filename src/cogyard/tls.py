"""HTTPS out of the box: a local certificate authority, made once, and a server certificate for our own names.

Clients wrap outputs as file objects only where their URL is https (`api-contract.md` §9.6), so it is on by default.
"""

import json
import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import trustme

ALWAYS = ("localhost", "127.0.0.1", "::1")

STAND_IN_HOST = "api.replicate.com"

STAND_IN_HOSTS = (STAND_IN_HOST, "replicate.com", "stream.replicate.com", "replicate.delivery")
"""Replicate's own names, which this machine answers to where the stand-in is on and never else (ADR 8)."""

STAND_IN_NAMES = (*STAND_IN_HOSTS, "*.replicate.delivery")
"""The same, as a certificate names them."""

VALID_FOR = timedelta(days=397)
"""The longest that browsers accept."""

RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Files in PEM form. Clients trust `ca_file`; `bundle_file` is that and the system's authorities together."""

    ca_file: Path
    bundle_file: Path
    certificate_file: Path
    key_file: Path


def ensure_certificates(folder: Path, hosts: Sequence[str], now: datetime) -> Certificates:
    """The certificates in `folder`, made or renewed as needed; the authority stays the same. Blocking."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = Certificates(
        ca_file=folder / "ca.pem",
        bundle_file=folder / "ca-bundle.pem",
        certificate_file=folder / "server.pem",
        key_file=folder / "server.key",
    )
    names = sorted({*ALWAYS, socket.gethostname(), *(host for host in hosts if host not in ("0.0.0.0", "::"))})
    authority = _authority(folder, made.ca_file)
    if not _is_current(folder / "server.json", names, now) or not made.key_file.exists():
        leaf = authority.issue_cert(*names, not_after=now + VALID_FOR)
        _write(made.key_file, leaf.private_key_pem.bytes(), 0o600)
        _write(made.certificate_file, b"".join(blob.bytes() for blob in leaf.cert_chain_pems), 0o644)
        stamp = {"names": names, "until": (now + VALID_FOR).isoformat()}
        _write(folder / "server.json", json.dumps(stamp).encode(), 0o644)
    _write(made.bundle_file, _system_authorities() + made.ca_file.read_bytes(), 0o644)
    return made


def _authority(folder: Path, ca_file: Path) -> trustme.CA:
    key_file = folder / "ca.key"
    if ca_file.exists() and key_file.exists():
        return trustme.CA.from_pem(ca_file.read_bytes(), key_file.read_bytes())
    authority = trustme.CA(organization_name="Cogyard local authority")
    _write(key_file, authority.private_key_pem.bytes(), 0o600)
    _write(ca_file, authority.cert_pem.bytes(), 0o644)
    return authority


def _is_current(stamp_file: Path, names: Sequence[str], now: datetime) -> bool:
    try:
        stamp = json.loads(stamp_file.read_bytes())
        return bool(stamp["names"] == list(names) and datetime.fromisoformat(stamp["until"]) - RENEW_BEFORE > now)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _system_authorities() -> bytes:
    """What this machine trusts already: SSL_CERT_FILE takes the place of all of it, so ours must not stand alone."""
    places = (ssl.get_default_verify_paths().cafile, "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem")
    for place in places:
        if place and Path(place).is_file():
            return Path(place).read_bytes().rstrip() + b"\n"
    return b""


def _write(path: Path, content: bytes, mode: int) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    temporary = path.with_suffix(path.suffix + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    temporary.replace(path)
