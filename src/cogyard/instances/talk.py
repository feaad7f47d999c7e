"""What a model says of predictions that it runs as one, told to each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cogyard.domain.batching import BATCH_SIZE, parts
from cogyard.domain.events import Log, Metric, Started
from cogyard.domain.prediction import Prediction
from cogyard.domain.values import Json
from cogyard.instances.driver import DriverEvent, Produced

_WITHHELD = Log(text="[cogyard] this ran together with others' predictions, so what the model prints is not shown\n")


class BatchTalk:
    """What is said of one run. Of several accounts nobody sees what is told of all of them but numbers."""

    def __init__(self, predictions: Sequence[Prediction], counts: Sequence[int]) -> None:
        """`counts` are the items that each of the predictions brought."""
        self._predictions = predictions
        self._counts = counts
        self._is_mixed = len({one.account for one in predictions}) > 1
        self._has_withheld = False
        self._output: Produced | None = None

    def tell(self, event: DriverEvent) -> list[list[DriverEvent]]:
        """What each of them is told after the event, in their order; output is kept until it is split."""
        match event:
            case Started():
                size = len(self._predictions)
                told: list[DriverEvent] = [replace(event, together=size), Metric(name=BATCH_SIZE, value=size)]
            case Produced():
                self._output = event
                told = []
            case Log() if self._is_mixed:
                told = [] if self._has_withheld else [_WITHHELD]
                self._has_withheld = True
            case Metric():
                return [self._metric(event, number) for number in range(len(self._predictions))]
            case _:
                told = [event]
        return [told for _ in self._predictions]

    def _metric(self, metric: Metric, number: int) -> list[DriverEvent]:
        """One's metric: its part, by items, of what it is charged by."""
        value = metric.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            return [] if self._is_mixed else [metric]
        if metric.name != self._predictions[number].unit:
            return [metric]
        count, of = self._counts[number], sum(self._counts)
        is_whole = isinstance(value, int) and value * count % of == 0
        return [replace(metric, value=value * count // of if is_whole else value * count / of)]

    def split(self) -> list[Produced] | str:
        """Each one's part of the output, or how it is no list with one item for each item."""
        value, count = None if self._output is None else self._output.value, sum(self._counts)
        if not isinstance(value, list):
            return f"the model returned no list for {count} items"
        if len(value) != count:
            return f"the model returned a list of {len(value)} for {count} items"
        paths = {} if self._output is None else self._output.paths
        return [_part(value, paths, first, end) for first, end in parts(self._counts)]


def _part(value: list[Json], paths: Mapping[str, Path], first: int, end: int) -> Produced:
    mine: dict[str, Path] = {}
    for pointer, path in paths.items():
        position, slash, rest = pointer[1:].partition("/")
        if first <= int(position) < end:
            mine[f"/{int(position) - first}{slash}{rest}"] = path
    return Produced(value=value[first:end], paths=mine)
