# ruff: noqa
# mypy: ignore-errors
"""Says what each input was when it arrived."""

from typing import Any, Optional

from cog import BasePredictor, File, Input, Path, Secret


def told(value):
    if hasattr(value, "read"):
        return {"kind": "file", "content": value.read().decode(), "name": value.name}
    if isinstance(value, Secret):
        return {"kind": "Secret", "shown": str(value), "length": len(value.get_secret_value())}
    if isinstance(value, Path):
        return {"kind": "Path", "content": value.read_text(), "name": value.name}
    if isinstance(value, list):
        return [told(item) for item in value]
    return {"kind": type(value).__name__, "value": value}


class Predictor(BasePredictor):
    def predict(
        self,
        path: Path,
        maybe_path: Optional[Path] = Input(default=None),
        file: Optional[File] = Input(default=None),
        paths: list[Path] = Input(default=[]),
        secret: Secret = Input(default=None),
        size: str = Input(default="small", choices=["small", "large"]),
        steps: int = Input(default=4, choices=[1, 4, 8]),
        strength: float = Input(default=0.5, ge=0, le=1),
        flag: bool = Input(default=False),
        plain: str = "plain default",
        names: list[str] = Input(default=["a"]),
    ) -> Any:
        return {name: told(value) for name, value in locals().items() if name != "self"}
