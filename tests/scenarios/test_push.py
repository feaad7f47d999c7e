"""Pushing folders, good and bad."""

import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.yard import FOLDERS, Yard, wait_until


@pytest.fixture(scope="module")
def pusher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    started = Yard(tmp_path_factory.mktemp("pusher")).start()
    started.push(FOLDERS / "canary-stream", "acme/first")
    yield started
    started.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a good folder, to be spoiled."""
    return Path(shutil.copytree(FOLDERS / "canary-stream", tmp_path / "model"))


def contents(yard: Yard) -> set[str]:
    """All that builds may leave."""
    return {
        f"{place}/{entry.name}"
        for place in ("builds", "environments", "sources")
        for entry in (yard.data / place).iterdir()
    }


def test_the_same_folder_is_the_same_version_and_another_file_makes_another(pusher: Yard, folder: Path) -> None:
    first = pusher.push(folder, "acme/same")
    again = pusher.push(folder, "acme/same")
    (folder / "extra.txt").write_text("x")
    other = pusher.push(folder, "acme/same")

    assert first == again != other
    with pusher.http as http:
        assert len(http.get("/models/acme/same/versions").json()["results"]) == 2


def test_a_push_whose_token_is_disabled_while_it_builds_adds_nothing(pusher: Yard, folder: Path) -> None:
    (folder / "requirements.txt").write_text("six==1.16.0\n")
    (folder / "cog.yaml").write_text(
        (folder / "cog.yaml").read_text().replace("build:", "build:\n  python_requirements: requirements.txt")
    )
    with pusher.http as http:
        made = http.post("/tokens", json={"name": "leaked", "scopes": ["read", "write"]}).json()
        with ThreadPoolExecutor(1) as pool:
            pushing = pool.submit(pusher.cogyard, "--token", made["token"], "push", str(folder), "cogyard/late")
            wait_until(lambda: [*(pusher.data / "builds").iterdir()] or pushing.done(), 20, "the build")
            assert http.post(f"/tokens/{made['id']}/disable").status_code == 200
            pushed = pushing.result(120)

        assert pushed.returncode != 0
        assert "token" in pushed.stderr
        assert http.get("/models/cogyard/late").status_code == 404


def test_one_environment_serves_all_models_that_want_the_same(pusher: Yard, folder: Path) -> None:
    pusher.push(folder, "acme/sharing")
    before = set((pusher.data / "environments").iterdir())
    pusher.push(FOLDERS / "canary", "acme/canary", "--no-examples")

    assert before
    assert set((pusher.data / "environments").iterdir()) == before


def test_ignored_files_do_not_arrive(pusher: Yard, folder: Path) -> None:
    (folder / "secret.env").write_text("x")
    (folder / ".dockerignore").write_text("*.env\n")
    version = pusher.push(folder, "acme/ignoring").partition(":")[2]

    assert (pusher.data / "sources" / version / "predict.py").exists()
    assert not (pusher.data / "sources" / version / "secret.env").exists()


BAD = [
    ("no cog.yaml", lambda f: (f / "cog.yaml").unlink(), "There is no cog.yaml in this folder"),
    ("bad yaml", lambda f: (f / "cog.yaml").write_text("build: ["), "cog.yaml:1: this is not valid YAML"),
    ("syntax error", lambda f: (f / "predict.py").write_text("def x(:\n"), "predict.py:1: this is not valid Python"),
    (
        "no such package",
        lambda f: add(f, "  python_packages:\n    - no-such-package-cogyard==9.9\n"),
        "cog.yaml: the package 'no-such-package-cogyard==9.9' cannot be installed",
    ),
    (
        "failing step",
        lambda f: add(f, "  run:\n    - echo fine\n    - echo broken && exit 3\n"),
        "cog.yaml:5: build.run: `echo broken && exit 3` failed with exit code 3",
    ),
    ("no requirements", lambda f: add(f, "  python_requirements: r.txt\n"), "cog.yaml:3: build.python_requirements"),
    (
        "system package",
        lambda f: add(f, "  system_packages:\n    - no-such-debian-package\n"),
        "apt-get install -y no-such-debian-package",
    ),
    (
        "python version",
        lambda f: (f / "cog.yaml").write_text('build:\n  python_version: "3.9"\npredict: "predict.py:Predictor"\n'),
        "cog.yaml:2: build.python_version: 3.9 is not supported",
    ),
    ("cog.yaml a folder", lambda f: as_folder(f / "cog.yaml"), "There is no cog.yaml in this folder"),
    ("predict.py a folder", lambda f: as_folder(f / "predict.py"), "predict.py: cog.yaml names this file"),
    (
        "nested too deep",
        lambda f: (f / "predict.py").write_text("x = " + "-" * 100_000 + "1"),
        "predict.py: this is not valid Python",
    ),
    (
        "schema nested too deep",
        lambda f: (f / "openapi.json").write_text("[" * 100_000),
        "openapi.json: is not valid JSON",
    ),
    ("a default that JSON cannot tell", lambda f: default(f, "\\ud800"), "cannot be told in JSON"),
    ("no file", lambda f: (f / "predict.py").unlink(), "predict.py: cog.yaml names this file"),
    (
        "sync concurrency",
        lambda f: (f / "cog.yaml").write_text('predict: "predict.py:Predictor"\nconcurrency: {max: 2}\n'),
        "needs an async predict()",
    ),
]


def as_folder(file: Path) -> None:
    file.unlink()
    (file / "inside").mkdir(parents=True)
    (file / "inside" / "x").write_text("x")


def default(folder: Path, text: str) -> None:
    """Give the input this default, in the source."""
    source = (folder / "predict.py").read_text()
    changed = re.sub(r'default="[^"]*"', lambda _: f'default="{text}"', source)
    assert changed != source
    (folder / "predict.py").write_text(changed)


def add(folder: Path, lines: str) -> None:
    text = (folder / "cog.yaml").read_text()
    (folder / "cog.yaml").write_text(text.replace('"3.11"\n', f'"3.11"\n{lines}'))


@pytest.mark.parametrize(("spoil", "told"), [entry[1:] for entry in BAD], ids=[entry[0] for entry in BAD])
def test_a_push_that_fails_says_where_and_leaves_nothing(pusher: Yard, folder: Path, spoil: object, told: str) -> None:
    before = contents(pusher)
    assert callable(spoil)
    spoil(folder)

    ended = pusher.cogyard("push", str(folder), "acme/bad")

    assert ended.returncode == 1
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr
    assert contents(pusher) == before
    with pusher.http as http:
        assert http.get("/models/acme/bad").status_code == 404


def test_a_build_step_runs_in_the_environment_and_its_output_is_shown(pusher: Yard, folder: Path) -> None:
    add(
        folder,
        "  run:\n    - pip install --no-deps six==1.17.0\n    - python -c 'import six; print(six.__version__)'\n",
    )

    ended = pusher.cogyard("push", str(folder), "acme/stepping", "--verbose")

    assert ended.returncode == 0, ended.stderr
    assert "acme/stepping: 1.17.0" in ended.stderr


def test_a_build_step_neither_sees_nor_changes_the_models_files(pusher: Yard, folder: Path) -> None:
    """The environment is shared: a version that finds it built would not have what the step left beside its files."""
    add(folder, "  run:\n    - ls | wc -l && touch left-behind\n")

    pushed = pusher.cogyard("push", str(folder), "acme/clean", "--verbose")

    assert pushed.returncode == 0, pushed.stderr
    assert "acme/clean: 0\n" in pushed.stderr
    assert not list((pusher.data / "sources").glob("*/left-behind"))


def test_a_fault_of_ours_is_told_in_the_stream_that_has_begun(pusher: Yard, folder: Path) -> None:
    sources = pusher.data / "sources"
    aside = sources.rename(pusher.data / "aside")
    sources.touch()
    try:
        ended = pusher.cogyard("push", str(folder), "acme/unlucky")
    finally:
        sources.unlink()
        aside.rename(sources)

    assert ended.returncode == 1
    assert "Something went wrong on the server; its log says what." in ended.stderr
    assert any(event["event"] == "push.failed" for event in pusher.log_events())


def test_a_push_that_is_broken_off_leaves_nothing(pusher: Yard, folder: Path) -> None:
    before = contents(pusher)
    add(folder, "  run:\n    - sleep 60 && echo never\n")
    command = [sys.executable, "-m", "cogyard", "push", str(folder), "acme/broken-off"]
    with subprocess.Popen(command, env=pusher.environment, stderr=subprocess.PIPE) as child:
        assert child.stderr is not None
        while b"$ sleep 60" not in child.stderr.readline():
            pass
        child.send_signal(signal.SIGKILL)

    wait_until(lambda: contents(pusher) == before, 15, "the clean-up")


def test_pushes_of_one_folder_at_once_and_one_broken_off_leave_a_version_that_runs(
    own_yard: Yard, folder: Path
) -> None:
    """They build one environment and keep one source; what one of them removes must not be the others'."""
    yard = own_yard.start()
    add(folder, "  run:\n    - sleep 3\n")
    command = [sys.executable, "-m", "cogyard", "push", "--no-examples", str(folder)]
    with subprocess.Popen([*command, "acme/gone"], env=yard.environment, stderr=subprocess.PIPE) as gone:
        assert gone.stderr is not None
        assert any(b"$ sleep 3" in line for line in gone.stderr)
        children = [
            subprocess.Popen([*command, f"acme/{name}"], env=yard.environment, stderr=subprocess.PIPE)
            for name in ("one", "two", "three")
        ]
        gone.kill()

    told = [child.communicate(timeout=120)[1] for child in children]

    assert [child.returncode for child in children] == [0, 0, 0], told
    [source] = (yard.data / "sources").iterdir()
    assert yard.run(f"acme/two:{source.name}", {"text": "you"})["output"] == ["hello ", "there, ", "you"]


def test_two_pushes_at_once_build_one_environment(own_yard: Yard, folder: Path) -> None:
    yard = own_yard.start()
    command = [sys.executable, "-m", "cogyard", "push"]
    children = [
        subprocess.Popen(
            [*command, str(place), name], env=yard.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for place, name in ((folder, "acme/one"), (FOLDERS / "canary-async", "acme/two"))
    ]

    assert [child.wait(120) for child in children] == [0, 0]
    assert len(list((yard.data / "environments").iterdir())) == 1


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [(b"", 400, "has no body"), (b"no archive", 200, "not a folder packed with tar and gzip")],
)
def test_a_body_that_is_no_folder_is_told(pusher: Yard, content: bytes, status: int, told: str) -> None:
    with pusher.http as http:
        response = http.post("/models/acme/none/versions", content=content)

    assert response.status_code == status
    assert told in response.text


def test_only_admins_push_for_others(pusher: Yard) -> None:
    with pusher.http as http:
        bad_name = http.post("/models/acme/no%20space/versions", content=b"x")

    assert bad_name.status_code == 400
    assert "is not a name" in bad_name.json()["detail"]


def test_a_wheel_that_lies_in_the_folder_is_installed(pusher: Yard, folder: Path) -> None:
    with zipfile.ZipFile(folder / "greeting-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("greeting.py", "WORD = 'hello from a wheel'\n")
        wheel.writestr("greeting-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n")
        wheel.writestr("greeting-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("greeting-1.0.dist-info/RECORD", "")
    (folder / "requirements.txt").write_text("./greeting-1.0-py3-none-any.whl\n")
    add(
        folder,
        "  python_requirements: requirements.txt\n  run:\n    - python -c 'import greeting; print(greeting.WORD)'\n",
    )

    ended = pusher.cogyard("push", str(folder), "acme/wheeled", "--verbose")

    assert ended.returncode == 0, ended.stderr
    assert "acme/wheeled: hello from a wheel" in ended.stderr
