# ruff: noqa
# mypy: ignore-errors
"""Inputs of types that are the model's own."""

import enum
from dataclasses import dataclass
from typing import Annotated, List, Optional

from cog import BaseModel, BasePredictor, Input


class Colour(str, enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.Enum):
    SMALL = 1
    LARGE = 2


class Point(BaseModel):
    x: int
    y: int = 0


@dataclass
class Frame:
    width: int
    title: str = "none"


class Predictor(BasePredictor):
    def predict(
        self,
        colour: Colour = Colour.RED,
        size: Optional[Size] = None,
        points: List[Point] = Input(default=[]),
        frame: Annotated[Optional[Frame], "around it"] = None,
    ) -> str:
        frames = "no frame" if frame is None else f"{frame.width} {frame.title}"
        return f"{colour.name} {size and size.name} {[(point.x, point.y) for point in points]} {frames}"
