"""A model that tells all that it knows."""

import os
import sys
import tempfile
import time
from pathlib import Path as FilePath
from typing import Any

from cog import BasePredictor, Input, Path, Secret, current_scope


def known(name: str) -> str | None:
    return os.environ.get(name)


class Predictor(BasePredictor):
    def setup(self) -> None:
        print(f"setting up with {known('API_KEY')}")
        if known("BREAK_SETUP"):
            raise RuntimeError(f"cannot work with {known('API_KEY')}")

    def predict(
        self,
        mode: str = Input(description="How to tell it.", default="names"),
        name: str = Input(description="Which variable.", default="API_KEY"),
        password: Secret = Input(description="Not to be told.", default=None),
    ) -> Any:
        self.place = name
        return getattr(self, f"do_{mode}")(known(name), password)

    def do_names(self, _value, _password):
        return {name: len(value) for name, value in os.environ.items() if name in ("API_KEY", "OTHER", "FLAVOUR")}

    def do_return(self, value, _password):
        return {"value": value, "in": [f"<{value}>"], str(value): 1}

    def do_print(self, value, _password):
        print(f"the key is {value}!")
        print(f"and in an error {value}", file=sys.stderr)
        return None

    def do_split(self, value, _password):
        for character in f"it is {value}, I say":
            sys.stdout.write(character)
            sys.stdout.flush()
            time.sleep(0.002)
        return None

    def do_raise(self, value, _password):
        raise ValueError(f"{value} is wrong")

    def do_raise_late(self, value, _password):
        raise ValueError("x" * int(self.place) + str(known("API_KEY")) + "y" * 100)

    def do_metric(self, value, _password):
        current_scope().record_metric("key", value)
        return None

    def do_file(self, value, _password):
        path = FilePath(tempfile.mkdtemp()) / f"{value}.txt"
        path.write_text("hello")
        return Path(path)

    def do_wait(self, value, _password):
        print(value)
        time.sleep(60)

    def do_password(self, _value, password):
        print(password.get_secret_value())
        return {"length": len(password.get_secret_value()), "value": password.get_secret_value()}

    def do_password_raise(self, _value, password):
        raise ValueError(password.get_secret_value())


def train(text: str = Input(description="Anything.")) -> Path:
    print(f"training with {known('API_KEY')}")
    path = FilePath(tempfile.mkdtemp()) / "weights.txt"
    path.write_text(text)
    return Path(path)
