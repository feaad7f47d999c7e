"""What a model's environment must hold: read from cog.yaml and from the requirements file that it names."""

import codecs
import hashlib
import json
import platform
import re
from dataclasses import dataclass
from pathlib import Path

from cogyard.cogfolder.cogyaml import FILE, CogYaml, Line
from cogyard.domain.errors import BuildFailed
from cogyard.runtime import pins

_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_COMMENT = re.compile(r"(^|\s)#.*")
_INCLUDED = re.compile(r"(?:-r|--requirement)[ =]*(\S.*)")
_CONSTRAINT = re.compile(r"(?:-c|--constraint)[ =]*(\S.*)")
_EDITABLE = re.compile(r"(?:-e|--editable)[ =]*(\S.*)")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the folder that is needed for installing: an archive, or constraints."""

    line: str
    path: str
    sha256: str
    is_constraint: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """All that makes one environment differ from another, and where each line came from."""

    python_version: str
    python_version_line: int | None
    packages: tuple[str, ...]
    source: str
    pre_install: tuple[Line, ...]
    run: tuple[Line, ...]
    cog: str
    local: tuple[LocalFile, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256, in hex; the name of the environment's folder."""
        content = {
            "python": self.python_version,
            "packages": self.packages,
            "pre_install": [line.text for line in self.pre_install],
            "run": [line.text for line in self.run],
            "cog": [self.cog, pins.COGLET],
            "platform": [platform.system(), platform.machine()],
            **({"local": [[held.line, held.sha256] for held in self.local]} if self.local else {}),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def as_file(self, folder: Path) -> str:
        """A requirements file for uv, which may stand anywhere; `folder` is the model's."""
        found = {held.line: held for held in self.local}
        lines = []
        for line in self.packages:
            held = found.get(line)
            place = line if held is None else (folder / held.path).resolve().as_uri()
            lines.append(f"-c {place}" if held is not None and held.is_constraint else place)
        return "".join(f"{line}\n" for line in lines)


def requirements_of(folder: Path, cog_yaml: CogYaml) -> Requirements:
    """What a folder's environment must hold. Blocking. Raises `BuildFailed`."""
    reader = _Reader(folder)
    source = FILE
    for line in cog_yaml.python_packages:
        reader.take(line.text, f"{FILE}:{line.line}", folder)
    if cog_yaml.python_requirements is not None:
        source = cog_yaml.python_requirements.text
        where = f"{FILE}:{cog_yaml.python_requirements.line}: build.python_requirements"
        reader.read(reader.inside(source, folder, where), where)
    return Requirements(
        python_version=cog_yaml.python_version,
        python_version_line=cog_yaml.python_version_line,
        packages=tuple(reader.lines),
        source=source,
        pre_install=tuple(cog_yaml.pre_install),
        run=tuple(cog_yaml.run),
        cog=pins.COG,
        local=tuple(reader.local),
        warnings=tuple(_sdk_warning(cog_yaml.sdk_version)),
    )


class _Reader:
    """Gathers the lines of requirements files, those that they include among them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._seen: set[Path] = set()
        self.lines: list[str] = []
        self.local: list[LocalFile] = []

    def inside(self, name: str, base: Path, where: str) -> Path:
        """A file that is named, from `base`, in a file of the folder. Raises `BuildFailed` when it is not there."""
        path = (base / name).resolve()
        if not path.is_relative_to(self._folder) or not path.is_file():
            raise BuildFailed(f"{where}: there is no file {name} in this folder.")
        return path

    def read(self, path: Path, where: str) -> None:
        """Take the lines of a requirements file, which may go on after a backslash."""
        if path in self._seen:
            return
        self._seen.add(path)
        name = str(path.relative_to(self._folder))
        begun, line = 0, ""
        for number, piece in enumerate([*_text(path, where).splitlines(), ""], 1):
            begun = begun if line else number
            line += _COMMENT.sub("", piece) if not piece.endswith("\\") else piece[:-1] + " "
            if not piece.endswith("\\"):
                if line.strip():
                    self.take(" ".join(line.split()), f"{name}:{begun}", path.parent)
                line = ""

    def take(self, line: str, where: str, base: Path) -> None:
        """Take one line; `base` is where its relative paths begin."""
        if included := _INCLUDED.fullmatch(line):
            self.read(self.inside(included[1], base, where), where)
        elif constraint := _CONSTRAINT.fullmatch(line):
            self._keep(line, self.inside(constraint[1], base, where), is_constraint=True)
        elif (editable := _EDITABLE.fullmatch(line)) and "://" in editable[1]:
            self.lines.append(editable[1])
        elif editable or line in (".", "..") or (line.startswith(("./", "../", "/")) and not line.endswith(_ARCHIVES)):
            raise BuildFailed(
                f"{where}: {line!r} is not supported: a folder cannot be installed. The model's own folder is where "
                "its code looks for modules anyway; put others into an archive or a wheel."
            )
        elif line.endswith(_ARCHIVES) and "://" not in line and " @ " not in line:
            self._keep(line, self.inside(line, base, where), is_constraint=False)
        else:
            self.lines.append(line)

    def _keep(self, line: str, path: Path, *, is_constraint: bool) -> None:
        name = str(path.relative_to(self._folder))
        line = f"-c {name}" if is_constraint else f"./{name}"
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self.lines.append(line)
        self.local.append(LocalFile(line, name, digest, is_constraint))


def _text(path: Path, where: str) -> str:
    content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise BuildFailed(f"{where}: {path.name} is not UTF-8 text.") from None


def _sdk_warning(sdk_version: Line | None) -> list[str]:
    """What to tell who asks for another release of Cog: the wrapper and the driver know this one."""
    if sdk_version is None or sdk_version.text == pins.COG:
        return []
    where = f"{FILE}:{sdk_version.line}: build.sdk_version"
    return [f"{where}: {sdk_version.text} is not used; the model runs with Cog {pins.COG}."]
