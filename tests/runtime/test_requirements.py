"""Requirements files as they come: included ones, local archives, long lines, odd encodings."""

from pathlib import Path

import pytest

from cogyard.cogfolder.cogyaml import parse_cog_yaml
from cogyard.domain.errors import BuildFailed
from cogyard.runtime import pins
from cogyard.runtime.requirements import Requirements, requirements_of

YAML = "build:\n  python_requirements: needs/all.txt\npredict: predict.py:Predictor\n"


def read(folder: Path, text: str | bytes, **others: str) -> Requirements:
    (folder / "needs").mkdir(exist_ok=True)
    (folder / "needs" / "all.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    for name, content in others.items():
        (folder / "needs" / name.replace("_", ".")).write_text(content)
    return requirements_of(folder, parse_cog_yaml(YAML))


def test_comments_blank_lines_and_line_continuations(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "# all\n\nsix==1.17.0  # why not\n--extra-index-url https://a.example/#x\n"
        "pillow==13.0.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nlast",
    )

    assert found.packages == (
        "six==1.17.0",
        "--extra-index-url https://a.example/#x",
        "pillow==13.0.0 --hash=sha256:aa --hash=sha256:bb",
        "last",
    )


def test_an_included_file_is_read_where_it_stands(tmp_path: Path) -> None:
    found = read(tmp_path, "six\n-r base.txt\n", base_txt="attrs\n--requirement all.txt\n")

    assert found.packages == ("six", "attrs")


@pytest.mark.parametrize("line", ["./some.whl", "some.whl", "./with space.tar.gz"])
def test_an_archive_of_the_folder_is_part_of_what_makes_the_environment(tmp_path: Path, line: str) -> None:
    (tmp_path / "needs").mkdir()
    archive = tmp_path / "needs" / Path(line).name
    archive.write_bytes(b"one")
    found = read(tmp_path, f"six\n{line}\n")

    assert found.packages == ("six", f"./needs/{archive.name}")
    assert found.as_file(tmp_path) == f"six\n{archive.as_uri()}\n"
    archive.write_bytes(b"two")
    assert read(tmp_path, f"six\n{line}\n").digest != found.digest


def test_constraints_are_handed_on(tmp_path: Path) -> None:
    found = read(tmp_path, "six\n-c limits.txt\n", limits_txt="six<2\n")

    assert found.as_file(tmp_path) == f"six\n-c {(tmp_path / 'needs' / 'limits.txt').as_uri()}\n"
    assert read(tmp_path, "six\n-c limits.txt\n", limits_txt="six<3\n").digest != found.digest


def test_a_remote_package_that_wants_to_be_editable_is_just_installed(tmp_path: Path) -> None:
    assert read(tmp_path, "-e git+https://a.example/b.git#egg=b\n").packages == ("git+https://a.example/b.git#egg=b",)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_that_says_how_it_is_encoded_is_read(tmp_path: Path, encoding: str) -> None:
    assert read(tmp_path, "six==1.17.0\r\nattrs\r\n".encode(encoding)).packages == ("six==1.17.0", "attrs")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("six\n-e .\n", "needs/all.txt:2: '-e .' is not supported: a folder cannot be installed."),
        ("./library\n", "needs/all.txt:1: './library' is not supported"),
        ("six\n\n-r none.txt\n", "needs/all.txt:3: there is no file none.txt in this folder."),
        ("-r ../../outside.txt\n", "needs/all.txt:1: there is no file ../../outside.txt in this folder."),
        ("./none.whl\n", "needs/all.txt:1: there is no file ./none.whl in this folder."),
        (b"six\n\xff\xe9\n"[:4] + b"caf\xe9\n", "build.python_requirements: all.txt is not UTF-8 text."),
    ],
)
def test_what_cannot_be_installed_is_refused_with_its_line(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(BuildFailed) as refused:
        read(tmp_path, text)

    assert told in str(refused.value)


@pytest.mark.parametrize("wanted", ["0.16.8", "0.20.0", "0.99.0"])
def test_another_release_of_cog_is_not_taken_and_that_is_told(tmp_path: Path, wanted: str) -> None:
    text = f"build:\n  sdk_version: {wanted}\npredict: predict.py:Predictor\n"
    found = requirements_of(tmp_path, parse_cog_yaml(text))

    assert found.cog == pins.COG
    assert found.warnings == (
        f"cog.yaml:2: build.sdk_version: {wanted} is not used; the model runs with Cog {pins.COG}.",
    )
