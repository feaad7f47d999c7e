"""Brings uv, at the pinned release, to .tools/bin: with pip where there is one, else straight from PyPI.

Standard library only, any Python from 3.8 on: python3 scripts/get_uv.py
"""

import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import urllib.request
import zipfile

VERSION = "0.13.9"
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UV = os.path.join(ROOT, ".tools", "bin", "uv")
INDEX = "https://pypi.org/simple/uv/"


def is_there() -> bool:
    """Whether the pinned uv is in its place."""
    try:
        said = subprocess.run([UV, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    return said.split()[1:2] == [VERSION]


def by_pip() -> "bytes | None":
    """The wheel, fetched by pip, which knows this machine's indexes and certificates."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:"]
        ended = subprocess.run([*command, "-d", folder, f"uv=={VERSION}"], capture_output=True, check=False)
        wheels = os.listdir(folder)
        if ended.returncode or not wheels:
            return None
        with open(os.path.join(folder, wheels[0]), "rb") as file:
            return file.read()


def by_hand() -> bytes:
    """The wheel, fetched from PyPI and checked against the digest that the index gives."""
    request = urllib.request.Request(INDEX, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        files = json.load(answer)["files"]
    system, machine = platform.system(), platform.machine()
    tags = {
        ("Linux", "x86_64"): ("manylinux", "x86_64"),
        ("Linux", "aarch64"): ("manylinux", "aarch64"),
        ("Darwin", "arm64"): ("macosx", "arm64"),
        ("Darwin", "x86_64"): ("macosx", "x86_64"),
    }
    wanted = tags.get((system, machine))
    if wanted is None:
        raise SystemExit(f"There is no uv for {system} {machine}; install uv {VERSION} as {UV} yourself.")
    for file in files:
        name = file["filename"]
        if name.startswith(f"uv-{VERSION}-") and name.endswith(".whl") and all(tag in name for tag in wanted):
            with urllib.request.urlopen(file["url"], timeout=600) as answer:
                content = answer.read()
            if hashlib.sha256(content).hexdigest() != file["hashes"]["sha256"]:
                raise SystemExit(f"{name} arrived damaged; try again.")
            return content
    raise SystemExit(f"PyPI has no uv {VERSION} for {system} {machine}.")


def main() -> None:
    """Bring it, unless it is there."""
    if is_there():
        return
    print(f"getting uv {VERSION} from PyPI", file=sys.stderr)
    content = by_pip() or by_hand()
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        name = next(entry for entry in wheel.namelist() if entry.endswith(".data/scripts/uv"))
        binary = wheel.read(name)
    os.makedirs(os.path.dirname(UV), exist_ok=True)
    temporary = f"{UV}.{os.getpid()}"
    with open(temporary, "wb") as file:
        file.write(binary)
    os.chmod(temporary, 0o755)
    os.replace(temporary, UV)


main()
