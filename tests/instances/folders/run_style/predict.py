# ruff: noqa
# mypy: ignore-errors
"""The current names: a Runner with `run`, and weights in setup."""

from typing import Optional, Union

from cog import BaseRunner, Input, Path


class Runner(BaseRunner):
    def setup(self, weights: Optional[Union[Path, str]] = None) -> None:
        self.weights = weights

    def run(self, text: str = Input(default="world")) -> str:
        return f"{text} {self.weights}"

    def healthcheck(self) -> bool:
        return True
