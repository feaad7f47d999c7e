"""Finds the Python that a model asks for among those of this machine."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from cogyard.cogfolder.cogyaml import DEFAULT_PYTHON, FILE, PYTHON_VERSIONS
from cogyard.domain.errors import BuildFailed
from cogyard.runtime.commands import run

_MANAGERS = (
    ("PYENV_ROOT", ".pyenv", "versions/*/bin"),
    ("ASDF_DATA_DIR", ".asdf", "installs/python/*/bin"),
    ("MISE_DATA_DIR", ".local/share/mise", "installs/python/*/bin"),
)
"""Programs that keep many Pythons: their variable, their folder below the home folder, and what uv must see of it."""


def with_managed_pythons(variables: Mapping[str, str]) -> str:
    """PATH, and behind it the Pythons of pyenv and its like: their own commands on PATH show only chosen ones."""
    found: list[str] = [variables.get("PATH", "")]
    for variable, below_home, pattern in _MANAGERS:
        root = Path(variables.get(variable) or Path(variables.get("HOME", "/")) / below_home)
        found += sorted(str(path) for path in root.glob(pattern))
    return os.pathsep.join(part for part in found if part)


async def find_interpreter(
    uv: Path, version: str, line: int | None, folder: Path, variables: Mapping[str, str]
) -> tuple[str, str | None]:
    """The path of a Python of `version`, and a warning when it is another than was written on `line`.

    Another patch release of the same Python does, and any supported one where cog.yaml names none. Raises
    `BuildFailed`, which names what is there.
    """
    seen = {**variables, "PATH": with_managed_pythons(variables)}
    minor = ".".join(version.split(".")[:2])
    newest_first = PYTHON_VERSIONS[::-1]
    asked = [version, *([] if minor == version else [minor]), *(newest_first if line is None else ())]
    for wanted in dict.fromkeys(asked):
        command = [str(uv), "python", "find", "--no-project", "--system", wanted]
        outcome = await run(command, folder=folder, environment=seen, report=_silent)
        if outcome.code == 0 and outcome.lines:
            what = f"build.python_version: Python {version}" if line else f"Python {DEFAULT_PYTHON}, the default,"
            warning = f"{FILE}:{line}: " if line else f"{FILE}: "
            warning += f"{what} is not installed on this machine; Python {wanted} is used instead."
            return outcome.lines[-1], None if wanted == version else warning
    listing = [str(uv), "python", "list", "--only-installed"]
    listed = await run(listing, folder=folder, environment=seen, report=_silent)
    versions = {match[1] for entry in listed.lines if (match := re.match(r"cpython-(\d+\.\d+)", entry))}
    usable = [known for known in PYTHON_VERSIONS if known in versions]
    where = f"{FILE}:{line}" if line else FILE
    raise BuildFailed(
        f"{where}: build.python_version: Python {version} is not installed on this machine. "
        f"Install it, or write one that is: {', '.join(usable) or 'none was found'}."
    )


async def _silent(_line: str) -> None:
    """For output that is read, not shown."""
