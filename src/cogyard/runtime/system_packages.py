"""Checks that the Debian packages which a model asks for are there; installing them is the machine owner's business."""

import shutil
import subprocess
from collections.abc import Sequence

from cogyard.cogfolder.cogyaml import FILE, Line
from cogyard.domain.errors import BuildFailed


def check_system_packages(packages: Sequence[Line]) -> None:
    """Raise `BuildFailed` with the command that installs what is missing. Blocking."""
    missing = [package for package in packages if not _is_installed(package.text)]
    if missing:
        names = " ".join(package.text.partition("=")[0] for package in missing)
        raise BuildFailed(
            f"{FILE}:{missing[0].line}: build.system_packages: this machine lacks {names.replace(' ', ', ')}. "
            f"Its owner can install them with: apt-get install -y {names}"
        )


def _is_installed(package: str) -> bool:
    name = package.partition("=")[0].strip()
    if shutil.which(name) is not None:
        return True
    query = shutil.which("dpkg-query")
    if query is None:
        return False
    asked = subprocess.run(
        [query, "--show", "--showformat=${db:Status-Status}", "--", name], capture_output=True, text=True, check=False
    )
    return asked.returncode == 0 and "installed" in asked.stdout.split()
