# ruff: noqa
# mypy: ignore-errors
"""The current names: a Runner with `run`, and weights in setup."""

from typing import Optional, Union

from cog import BaseRunner, Input, Path


class Runner(BaseRunner):
    def setup(self, weights: Optional[Union[Path, str]] = None) -> None:
        self.weights = weights
        self.checks = 0

    def run(self, text: str = Input(default="world")) -> str:
        if text == "checks":
            return "enough" if self.checks >= 3 else "too few"
        return f"{text} {self.weights}"

    async def healthcheck(self) -> bool:
        self.checks += 1
        return self.checks >= 3
