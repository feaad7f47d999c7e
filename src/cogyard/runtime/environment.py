"""Builds model environments with uv: one folder for each distinct set of requirements, shared by all that want it."""

import asyncio
import re
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import uv

from cogyard.cogfolder.cogyaml import FILE, Line
from cogyard.domain.errors import BuildFailed
from cogyard.ports import BuildLine
from cogyard.processes import BUILD_MARK, kill_marked
from cogyard.runtime import pins
from cogyard.runtime.commands import Outcome, run
from cogyard.runtime.interpreters import find_interpreter
from cogyard.runtime.requirements import Requirements

Report = Callable[[BuildLine], Awaitable[None]]

COMPLETE = "cogyard-complete"
"""File whose presence says that an environment was built to the end."""

PASSED_ON = re.compile(
    r"(UV|PIP)_[A-Z_]+|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|LANG|LC_ALL|TZ", re.IGNORECASE
)
"""Variables of the server that a build may see: where packages come from, and nothing else."""

_SHOWN_LINES = 12


class Environments:
    """The environments below `root`; `uv_command` is uv, `cache` its cache folder, `variables` the server's own."""

    def __init__(self, root: Path, cache: Path, uv_command: Path, variables: Mapping[str, str]) -> None:
        self._root = root
        self._cache = cache
        self._uv = uv_command
        self._variables = variables
        self._locks: dict[str, asyncio.Lock] = {}
        #: builds that hold an environment now
        self._holders: Counter[str] = Counter()
        #: environments of which nothing was made yet
        self._unproven: set[str] = set()

    def folder(self, digest: str) -> Path:
        """Where an environment stands, built or not."""
        return self._root / digest

    def python(self, digest: str) -> Path:
        """Its interpreter."""
        return self._root / digest / "bin" / "python"

    def clean_up(self) -> None:
        """Remove what an earlier server left unfinished. Blocking."""
        self._root.mkdir(parents=True, exist_ok=True)
        kill_marked(BUILD_MARK, f"{self._root}/")
        for entry in self._root.iterdir():
            if not (entry / COMPLETE).exists():
                shutil.rmtree(entry, ignore_errors=True)

    @asynccontextmanager
    async def hold(self, requirements: Requirements, folder: Path, report: Report) -> AsyncIterator[None]:
        """Have the environment, built if need be, while a version of `folder` is made with it.

        It stays once the first of those who hold it leaves without an error; when none does, nothing is left of it.
        Raises `BuildFailed`, `StorageFull`.
        """
        digest = requirements.digest
        self._holders[digest] += 1
        try:
            await self._ensure(requirements, folder, report)
            yield
            self._unproven.discard(digest)
        finally:
            self._holders[digest] -= 1
            await asyncio.shield(self._remove_unproven(digest))

    async def _remove_unproven(self, digest: str) -> None:
        async with self._lock(digest):
            if digest in self._unproven and not self._holders[digest]:
                self._unproven.discard(digest)
                await asyncio.to_thread(shutil.rmtree, self.folder(digest), ignore_errors=True)

    def _lock(self, digest: str) -> asyncio.Lock:
        return self._locks.setdefault(digest, asyncio.Lock())

    async def _ensure(self, requirements: Requirements, folder: Path, report: Report) -> None:
        digest = requirements.digest
        async with self._lock(digest):
            place = self.folder(digest)
            if (place / COMPLETE).exists():
                await report(BuildLine("environment", f"using the environment {digest[:12]}"))
                return
            try:
                await self._build(place, requirements, folder, report)
            except BaseException:
                await asyncio.shield(asyncio.to_thread(shutil.rmtree, place, ignore_errors=True))
                raise
            self._unproven.add(digest)

    async def _build(self, place: Path, wanted: Requirements, folder: Path, report: Report) -> None:
        variables = self._build_variables(place)
        await report(BuildLine("environment", f"building an environment with Python {wanted.python_version}"))
        python, warning = await find_interpreter(
            self._uv, wanted.python_version, wanted.python_version_line, folder, variables
        )
        if warning is not None:
            await report(BuildLine("environment", f"warning: {warning}"))
        await self._step(
            "environment", [str(self._uv), "venv", "--python", python, str(place)], folder, variables, report
        )
        await asyncio.to_thread(_add_pip, place, self._uv)
        steps = folder.with_name("steps")  # not the model's: what they left there, the next version would not have
        await asyncio.to_thread(steps.mkdir)
        for line in wanted.pre_install:
            await self._shell("build.pre_install", line, steps, variables, report)
        if wanted.packages:
            listed = place / "requirements.txt"
            await asyncio.to_thread(listed.write_text, wanted.as_file(folder), encoding="utf-8")
            outcome = await self._install(place, wanted.packages, ["-r", str(listed)], folder, variables, report)
            if outcome.code != 0:
                raise BuildFailed(_install_failure(wanted, outcome))
        cog = [f"cog=={wanted.cog}", f"coglet=={pins.COGLET}"]
        outcome = await self._install(place, cog, cog, folder, variables, report)
        if outcome.code != 0:
            raise BuildFailed(f"{' and '.join(cog)} cannot be installed:\n{_tail(outcome)}")
        for line in wanted.run:
            await self._shell("build.run", line, steps, variables, report)
        await asyncio.to_thread((place / COMPLETE).touch)

    def _build_variables(self, place: Path) -> dict[str, str]:
        kept = {name: value for name, value in self._variables.items() if PASSED_ON.fullmatch(name)}
        if "UV_FIND_LINKS" not in kept and "PIP_FIND_LINKS" in kept:
            kept["UV_FIND_LINKS"] = kept["PIP_FIND_LINKS"]
        path = f"{place / 'bin'}:{self._variables.get('PATH', '/usr/local/bin:/usr/bin:/bin')}"
        return {
            "UV_CACHE_DIR": str(self._cache),
            # as pip has it: the best version of all indexes named, not those of the first that knows the package
            "UV_INDEX_STRATEGY": "unsafe-best-match",
            **kept,
            "PATH": path,
            "HOME": self._variables.get("HOME", "/"),
            "VIRTUAL_ENV": str(place),
            BUILD_MARK: str(place),
            "UV_PYTHON_DOWNLOADS": "never",
            "UV_NO_PROGRESS": "1",
            "UV_NO_CONFIG": "1",
        }

    async def _install(
        self,
        place: Path,
        shown: Sequence[str],
        arguments: Sequence[str],
        folder: Path,
        variables: Mapping[str, str],
        report: Report,
    ) -> Outcome:
        command = [str(self._uv), "pip", "install", "--python", str(place), "--compile-bytecode", *arguments]
        await report(BuildLine("environment", f"installing {', '.join(shown)}"[:500]))
        return await run(command, folder=folder, environment=variables, report=_reporter("environment", report))

    async def _shell(self, key: str, line: Line, folder: Path, variables: Mapping[str, str], report: Report) -> None:
        await report(BuildLine("run", f"$ {line.text}"))
        outcome = await run(
            ["/bin/sh", "-c", line.text], folder=folder, environment=variables, report=_reporter("run", report)
        )
        if outcome.code != 0:
            raise BuildFailed(
                f"{FILE}:{line.line}: {key}: `{line.text}` failed with exit code {outcome.code}:\n{_tail(outcome)}"
            )

    async def _step(
        self, step: str, command: list[str], folder: Path, variables: Mapping[str, str], report: Report
    ) -> None:
        outcome = await run(command, folder=folder, environment=variables, report=_reporter(step, report))
        if outcome.code != 0:
            raise BuildFailed(f"`{Path(command[0]).name} {command[1]}` failed:\n{_tail(outcome)}")


def _install_failure(wanted: Requirements, outcome: Outcome) -> str:
    """Which package is at fault, and on which line it stands."""
    text = "\n".join(outcome.lines)
    culprit = re.search(r"(?:Because|and|because) ([\w.-]+) was not found|no version of ([\w.-]+)", text)
    name = next((group for group in culprit.groups() if group), None) if culprit else None
    lines = [line for line in wanted.packages if name and line.lower().startswith(name.lower())]
    what = f"the package {lines[0]!r}" if lines else "the packages"
    hint = f"{wanted.source}: {what} cannot be installed"
    return f"{hint}; check its name and version, and that this machine reaches a package index:\n{_tail(outcome)}"


def _tail(outcome: Outcome) -> str:
    return "\n".join(outcome.lines[-_SHOWN_LINES:]) or "(it printed nothing)"


def _reporter(step: str, report: Report) -> Callable[[str], Awaitable[None]]:
    async def tell(line: str) -> None:
        await report(BuildLine(step, line))

    return tell


def _add_pip(place: Path, uv_command: Path) -> None:
    """A `pip` for build.run that uses uv and its cache: quick, and nothing to install first."""
    script = f'''#!/bin/sh
# pip for build steps, served by uv
command="$1"
[ $# -gt 0 ] && shift
case "$command" in
  install|uninstall|freeze|list|show|check|tree) ;;
  --version|-V) echo "pip (by uv)"; exit 0 ;;
  *) echo "pip $command is not available in build steps" >&2; exit 2 ;;
esac
for argument in "$@"; do
  shift
  case "$argument" in
    --no-cache-dir) argument=--no-cache ;;
    --disable-pip-version-check|--no-input|--root-user-action=*|-y|--yes|--prefer-binary|--user) continue ;;
  esac
  set -- "$@" "$argument"
done
exec "{uv_command}" pip "$command" --python "{place}" "$@"
'''
    for name in ("pip", "pip3"):
        path = place / "bin" / name
        path.write_text(script)
        path.chmod(0o755)


def find_uv() -> Path:
    """The uv that came with this installation, else the one on PATH. Raises `BuildFailed`."""
    try:
        return Path(uv.find_uv_bin())
    except FileNotFoundError:
        found = shutil.which("uv")
        if found is None:
            raise BuildFailed("uv is not installed on the server; reinstall Cogyard, which brings it.") from None
        return Path(found)
