# ruff: noqa
# mypy: ignore-errors
"""Does what `do` says, good or bad."""

import ctypes
import logging
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from cog import BasePredictor, Input, current_scope


class Predictor(BasePredictor):
    born = "class attribute"

    def setup(self) -> None:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s: %(message)s")
        print("setup went well")
        self.me = id(self)
        self.calls = 0

    def predict(
        self, do: str = Input(default="count"), text: str = Input(default=""), n: int = Input(default=1)
    ) -> Any:
        self.calls += 1
        return getattr(self, do)(text, n)

    def count(self, text, n):
        return {"calls": self.calls, "is_me": self.me == id(self), "born": self.born, "kind": type(self).__name__}

    def value(self, text, n):
        return {"null": None, "empty": [], "list": ["a", "b"], "false": False, "mark": "cogyard-output:abc:1/x"}[text]

    def raise_(self, text, n):
        print("before the fall")
        raise ValueError(text)

    def exit(self, text, n):
        print("leaving", flush=True)
        os._exit(n)

    def sys_exit(self, text, n):
        sys.exit(text)

    def segfault(self, text, n):
        ctypes.string_at(0)

    def kill_self(self, text, n):
        os.kill(os.getpid(), signal.SIGKILL)

    def allocate(self, text, n):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
        return len(bytearray(n * 2**30))

    def flood(self, text, n):
        line = "x" * 1023 + "\n"
        for _ in range(n * 1024):
            sys.stdout.write(line)
        return "written"

    def many_lines(self, text, n):
        for number in range(n):
            print("line", number)
        return "written"

    def big(self, text, n):
        return "x" * n

    def sleep(self, text, n):
        print("sleeping", flush=True)
        time.sleep(600)

    def loop(self, text, n):
        print("looping", flush=True)
        while True:
            time.sleep(0.01)

    def swallow(self, text, n):
        print("looping", flush=True)
        try:
            while True:
                time.sleep(0.01)
        except BaseException:
            return "I went on"

    def raise_at_cancel(self, text, n):
        print("looping", flush=True)
        try:
            while True:
                time.sleep(0.01)
        except BaseException as error:
            raise RuntimeError("stopped half way") from error

    def no_newline(self, text, n):
        print(text, end="")
        print(text + " (stderr)", end="", file=sys.stderr)

    def no_newline_and_raise(self, text, n):
        print(text, end="")
        raise ValueError("after text without an end")

    def quiet(self, text, n):
        return "quiet"

    def log_everywhere(self, text, n):
        logging.getLogger("model").info("logged %s", text)
        sys.stderr.write("stderr " + text + "\n")
        thread = threading.Thread(target=lambda: print("thread", text))
        thread.start()
        thread.join()
        subprocess.run(["echo", "child", text], check=True)

    def nan(self, text, n):
        return {"x": math.nan}

    def bytes_(self, text, n):
        return {"x": b"bytes"}

    def metrics(self, text, n):
        scope = current_scope()
        scope.record_metric("image_count", 3)
        scope.record_metric("steps", 2, mode="incr")
        scope.record_metric("losses", 0.5, mode="append")
        scope.record_metric("timing.first", 1.5)
        self.record_metric("words", "many")

    def daemon(self, text, n):
        """A process that leaves the group and all its parents, and keeps stdout open."""
        read, write = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(write, str(os.getpid()).encode())
                time.sleep(600)
            os._exit(0)
        return int(os.read(read, 20))

    def surrogate(self, text, n):
        return "half: \ud800"

    def lose_streams(self, text, n):
        sys.stdout = sys.stderr = None
        raise ValueError("without a voice")

    def litter(self, text, n):
        tempfile.mkstemp()
        tempfile.mkdtemp()
        tempfile.NamedTemporaryFile(suffix=".png", delete=False).close()
        return tempfile.gettempdir()

    def list_litter(self, text, n):
        return os.listdir(tempfile.gettempdir())

    def many_logged(self, text, n):
        for number in range(n):
            logging.info("line %d", number)
        return "logged"

    def hog(self, text, n):
        """Takes n MiB of memory and uses all of it."""
        held = []
        for _ in range(n):
            held.append(b"x" * 2**20)
            time.sleep(0.001)
        return len(held)

    def hog_in_child(self, text, n):
        """The same in a child, whose death this survives."""
        program = f"held = [b'x' * 2**20 + bytes([i % 256]) for i in range({n})]"
        subprocess.run([sys.executable, "-c", program])
        time.sleep(600)

    def claim(self, text, n):
        """Takes n MiB of memory and uses none of it."""
        return len(bytearray(n * 2**20))
