"""Which files of a folder count, and what an archive may do."""

import contextlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from cogyard.cogfolder.pack import files_of, pack, source_digest, unpack
from cogyard.domain.errors import BuildFailed


def make(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name))
    return folder


def test_ignored_files_stay_out(tmp_path: Path) -> None:
    make(
        tmp_path, "cog.yaml", "predict.py", "keep.txt", "secret.env", "data/big.bin", "data/small.txt", ".git/config",
        "__pycache__/x.pyc", "sub/.gitignore", "sub/out.log", "sub/in.py", ".venv/bin/python",
    )  # fmt: skip
    (tmp_path / ".dockerignore").write_text("*.env\ndata/*.bin\ncog.yaml\n# comment\n")
    (tmp_path / "sub" / ".gitignore").write_text("*.log\n")

    found = [path.as_posix() for path in files_of(tmp_path)]

    assert found == [
        ".dockerignore", "cog.yaml", "data/small.txt", "keep.txt", "predict.py", "sub/.gitignore", "sub/in.py",
    ]  # fmt: skip


def test_a_dockerignore_that_lets_only_some_in(tmp_path: Path) -> None:
    make(tmp_path, "cog.yaml", "predict.py", "notes.txt", "src/keep.py", "src/drop.txt")
    (tmp_path / ".dockerignore").write_text("*\n!predict.py\n!src/keep.py\n")

    assert {"cog.yaml", "predict.py"} <= {path.as_posix() for path in files_of(tmp_path)}
    assert "notes.txt" not in {path.as_posix() for path in files_of(tmp_path)}


def test_what_is_no_pattern_matches_nothing(tmp_path: Path) -> None:
    make(tmp_path, "cog.yaml", "keep.txt", "drop.txt")
    (tmp_path / ".gitignore").write_bytes(b"!\n\\\nends-badly\\\n\xff\xfe[\ndrop.txt\n")
    (tmp_path / ".dockerignore").write_text("!\n\\\n[\n")

    assert [path.name for path in files_of(tmp_path)] == [".dockerignore", ".gitignore", "cog.yaml", "keep.txt"]


def test_a_name_that_is_not_utf8_counts_and_arrives(tmp_path: Path) -> None:
    folder = make(tmp_path / "model", "cog.yaml", "new\nline", os.fsdecode(b"latin\xe9"))
    before = source_digest(folder)
    with (tmp_path / "packed").open("wb") as file:
        pack(folder, file)
    unpack(tmp_path / "packed", tmp_path / "there")

    assert source_digest(tmp_path / "there") == before
    (folder / os.fsdecode(b"latin\xe9")).rename(folder / os.fsdecode(b"latin\xe8"))
    assert source_digest(folder) != before


def test_links_out_of_the_folder_stay_out(tmp_path: Path) -> None:
    folder = make(tmp_path / "model", "cog.yaml", "real.txt")
    (folder / "outside").symlink_to("/etc/passwd")
    (folder / "up").symlink_to(tmp_path)
    (folder / "inside.txt").symlink_to("real.txt")

    assert [path.name for path in files_of(folder)] == ["cog.yaml", "inside.txt", "real.txt"]


def test_the_same_folder_gives_the_same_bytes_and_comes_back(tmp_path: Path) -> None:
    folder = make(tmp_path / "model", "cog.yaml", "a/b.py")
    (folder / "a" / "run.sh").write_text("#!/bin/sh")
    (folder / "a" / "run.sh").chmod(0o755)
    first, second = io.BytesIO(), io.BytesIO()

    pack(folder, first)
    (folder / "cog.yaml").touch()
    pack(folder, second)
    (tmp_path / "packed").write_bytes(first.getvalue())
    unpack(tmp_path / "packed", tmp_path / "back")

    assert first.getvalue() == second.getvalue()
    assert source_digest(tmp_path / "back") == source_digest(folder)
    assert (tmp_path / "back" / "a" / "run.sh").stat().st_mode & 0o100


def archive(path: Path, *entries: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as made:
        for entry in entries:
            made.addfile(entry, io.BytesIO(b"x" * entry.size))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    made.size = 1 if kind == tarfile.REGTYPE else 0
    return made


@pytest.mark.parametrize(
    "evil",
    [
        entry("../out.txt"),
        entry("/tmp/out.txt"),
        entry("link", tarfile.SYMTYPE, "/etc/passwd"),
        entry("hard", tarfile.LNKTYPE, "../../x"),
        entry("device", tarfile.CHRTYPE),
        entry("fifo", tarfile.FIFOTYPE),
    ],
    ids=lambda made: made.name,
)
def test_an_archive_that_would_do_harm_is_refused(tmp_path: Path, evil: tarfile.TarInfo) -> None:
    packed = archive(tmp_path / "evil.tar.gz", entry("cog.yaml"), evil)

    with contextlib.suppress(BuildFailed):
        unpack(packed, tmp_path / "folder" / "inner")
    assert not (tmp_path / "folder" / "out.txt").exists()
    inside = [
        path for path in (tmp_path / "folder").rglob("*") if path.is_symlink() or not (path.is_file() or path.is_dir())
    ]
    assert not inside


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00cut off"])
def test_what_is_no_archive_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)

    with pytest.raises(BuildFailed, match="not a folder packed"):
        unpack(tmp_path / "x", tmp_path / "folder")
