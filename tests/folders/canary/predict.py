"""A model that does what `mode` says, good or bad."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path as FilePath

from cog import BasePredictor, Input, Path, Secret, current_scope


def write(name: str, content: bytes) -> Path:
    path = FilePath(tempfile.mkdtemp()) / name
    path.write_bytes(content)
    return Path(path)


class Predictor(BasePredictor):
    def setup(self) -> None:
        print("the canary is set up")

    def predict(
        self,
        text: str = Input(description="Something to say.", default="tweet"),
        mode: str = Input(description="What to do.", default="echo"),
        count: int = Input(description="How many.", default=3, ge=0, le=1_000_000),
        size: str = Input(description="How large.", default="small", choices=["small", "large"]),
        file: Path | None = Input(description="A file.", default=None),
        files: list[Path] = Input(description="Some files.", default=[]),
        secret: Secret = Input(description="Not to be told.", default=None),
        maybe: int | None = Input(description="A number or nothing.", default=None),
    ) -> dict:
        return getattr(self, f"do_{mode}")(
            text=text, count=count, size=size, file=file, files=files, secret=secret, maybe=maybe
        )

    def do_echo(self, text, size, maybe, **_):
        return {"text": text, "size": size, "maybe": maybe}

    def do_value(self, text, **_):
        return {"null": None, "empty": [], "list": ["a", "b"], "nested": [["a"], ["b"]]}[text]

    def do_raise(self, text, **_):
        print("about to raise")
        raise ValueError(text)

    def do_exit(self, count, **_):
        os._exit(count)

    def do_segfault(self, **_):
        ctypes.string_at(0)

    def do_killed(self, **_):
        os.kill(os.getpid(), signal.SIGKILL)

    def do_allocate(self, count, **_):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
        return {"size": len(bytearray(count * 2**30))}

    def do_sleep(self, **_):
        time.sleep(1000)

    def do_loop(self, **_):
        print("looping")
        while True:
            time.sleep(0.01)

    def do_swallow(self, **_):
        try:
            while True:
                time.sleep(0.01)
        except BaseException:
            return {"text": "I went on"}

    def do_logs(self, count, text, **_):
        for number in range(count):
            print(f"{text} {number}")
        return {"lines": count}

    def do_flood(self, count, **_):
        for _ in range(count):
            sys.stdout.write("x" * 1023 + "\n")
        return {"kilobytes": count}

    def do_no_newline(self, text, **_):
        print(text, end="")
        return {}

    def do_missing_file(self, **_):
        return {"file": FilePath("/nowhere/picture.png")}

    def do_folder(self, **_):
        return {"file": FilePath(tempfile.mkdtemp())}

    def do_files(self, count, **_):
        return {"nested": {"list": [write("same.txt", str(number).encode()) for number in range(count)]}}

    def do_typed_files(self, **_):
        return {
            "png": write("a.png", b"\x89PNG\r\n\x1a\n rest"),
            "json": write("b.json", b"{}"),
            "raw": write("c", b"\x00\x01"),
        }

    def do_read(self, file, files, **_):
        return {
            "file": None if file is None else [FilePath(file).name, FilePath(file).read_bytes().decode("latin1")],
            "files": [[FilePath(one).name, FilePath(one).read_bytes().decode("latin1")] for one in files],
        }

    def do_secret(self, secret, **_):
        return {"shown": str(secret), "length": len(secret.get_secret_value())}

    def do_metrics(self, count, **_):
        scope = current_scope()
        scope.record_metric("image_count", count)
        for _ in range(count):
            scope.record_metric("steps", 1, mode="incr")
            scope.record_metric("losses", 0.5, mode="append")
        return {}

    def do_nan(self, **_):
        return {"x": float("nan")}

    def do_bytes(self, **_):
        return {"x": b"bytes"}

    def do_big(self, count, **_):
        return {"text": "x" * count}

    def do_environment(self, **_):
        return {name: value for name, value in os.environ.items() if "TOKEN" in name or name.startswith("CANARY")} | {
            "folder": os.getcwd(),
            "tmp": tempfile.gettempdir(),
        }

    def do_pids(self, **_):
        return {"worker": os.getpid(), "group": os.getpgid(0)}

    def do_daemon(self, **_):
        return {"pid": subprocess.Popen(["sleep", "600"], start_new_session=True).pid}

    def do_litter(self, **_):
        tempfile.mkstemp()
        tempfile.mkdtemp()
        return {"left": len(os.listdir(tempfile.gettempdir()))}
