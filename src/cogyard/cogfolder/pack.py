"""A Cog folder as one packed file and back: which files count, and nothing from outside the folder."""

import gzip
import hashlib
import os
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pathspec

from cogyard.domain.errors import BuildFailed

ALWAYS_OUT = (".git/", ".hg/", "__pycache__/", "*.pyc", ".venv/", "venv/", ".cog", ".DS_Store", ".mypy_cache/")

ALWAYS_BACK = 2
"""Patterns of ours that bring something back: cog.yaml and cogyard.yaml."""

MAX_FILES = 100_000
MAX_UNPACKED_BYTES = 64 * 2**30

PIECE_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Packed:
    """How much went in: bytes of the files, not of the archive."""

    size: int
    file_count: int


def files_of(folder: Path) -> list[Path]:
    """The files that count, relative to the folder, sorted: all but what the ignore files and we leave out.

    Links that lead out of the folder are left out too; others count as what they lead to. Blocking.
    """
    return sorted(_walk(folder, folder, [_spec(ALWAYS_OUT), _dockerignore(folder)], []))


def pack(folder: Path, out: BinaryIO) -> Packed:
    """Write the folder's files as a gzipped tar file; the same files give the same bytes. Blocking."""
    size = 0
    names = files_of(folder)
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0, compresslevel=6) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in names:
            path = folder / name
            entry = tarfile.TarInfo(name.as_posix())
            entry.size = path.stat().st_size
            entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            size += entry.size
            with path.open("rb") as file:
                archive.addfile(entry, file)
    return Packed(size, len(names))


def unpack(archive: Path, folder: Path) -> None:
    """Unpack into a new folder. Blocking. Raises `BuildFailed` for what is no such archive, or is made to do harm."""
    size = count = 0
    try:
        with tarfile.open(archive, mode="r:gz") as opened:
            for entry in opened:
                size, count = size + entry.size, count + 1
                if size > MAX_UNPACKED_BYTES or count > MAX_FILES:
                    raise BuildFailed(
                        f"The packed folder holds more than {MAX_FILES} files or {MAX_UNPACKED_BYTES // 2**30} GiB."
                    )
                if not (entry.isfile() or entry.isdir()):
                    raise BuildFailed(f"The packed folder holds {entry.name!r}, which is neither a file nor a folder.")
                opened.extract(entry, folder, filter="data")
    except tarfile.FilterError as error:
        raise BuildFailed(f"The packed folder holds a path that leads out of it: {error}.") from None
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, ValueError) as error:
        raise BuildFailed(f"The upload is not a folder packed with tar and gzip, or it was cut off: {error}.") from None
    folder.mkdir(exist_ok=True)


def source_digest(folder: Path) -> str:
    """SHA-256 over names, execution bits and contents of a folder's files, in hex. Blocking."""
    total = hashlib.sha256()
    for path in sorted(found for found in folder.rglob("*") if found.is_file()):
        content = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                content.update(piece)
        executable = "x" if path.stat().st_mode & 0o100 else "-"
        name = os.fsencode(path.relative_to(folder).as_posix())  # which need not be UTF-8
        total.update(name + f"\0{executable}\0{content.hexdigest()}\n".encode())
    return total.hexdigest()


def _walk(
    root: Path, folder: Path, specs: list[pathspec.GitIgnoreSpec], git: list[tuple[Path, pathspec.GitIgnoreSpec]]
) -> Iterator[Path]:
    ignore = folder / ".gitignore"
    if ignore.is_file():
        git = [*git, (folder, _spec(ignore.read_text(encoding="utf-8", errors="replace").splitlines()))]
    for entry in sorted(folder.iterdir()):
        name = entry.relative_to(root)
        is_folder = entry.is_dir()
        if entry.is_symlink() and not _leads_inside(entry, root, is_folder=is_folder):
            continue
        shown = name.as_posix() + ("/" if is_folder else "")
        if any(spec.match_file(shown) and not (is_folder and _may_return(spec)) for spec in specs):
            continue
        if any(spec.match_file(_below(entry, base, is_folder=is_folder)) for base, spec in git):
            continue
        if is_folder:
            yield from _walk(root, entry, specs, git)
        elif entry.is_file():
            yield name


def _may_return(spec: pathspec.GitIgnoreSpec) -> bool:
    """Whether something below a folder that is left out may come back (`*`, then `!src/keep.py`, as Docker allows)."""
    return sum(pattern.include is False for pattern in spec.patterns) > ALWAYS_BACK


def _below(entry: Path, base: Path, *, is_folder: bool) -> str:
    return entry.relative_to(base).as_posix() + ("/" if is_folder else "")


def _leads_inside(link: Path, root: Path, *, is_folder: bool) -> bool:
    """Links to files inside count; links to folders do not, since they could go round in circles."""
    return not is_folder and link.exists() and link.resolve().is_relative_to(root.resolve())


def _spec(lines: Iterable[str]) -> pathspec.GitIgnoreSpec:
    return pathspec.GitIgnoreSpec.from_lines([line for line in lines if _is_pattern(line)])


def _is_pattern(line: str) -> bool:
    """What is no pattern, such as a lone `!`, matches nothing, as with git."""
    try:
        pathspec.GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _dockerignore(folder: Path) -> pathspec.GitIgnoreSpec:
    """Docker's patterns, which all start at the root, as git's; what a build needs cannot be ignored."""
    path = folder / ".dockerignore"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    anchored = [_anchor(line.strip()) for line in lines if line.strip() and not line.startswith("#")]
    return _spec([*anchored, "!/cog.yaml", "!/cogyard.yaml"])


def _anchor(pattern: str) -> str:
    negation, rest = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    rest = rest.removeprefix("./")
    return negation + (rest if rest.startswith(("/", "**/")) else "/" + rest)
