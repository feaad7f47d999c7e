"""A driver that keeps secrets: it takes them out of all that the model says, before anybody else hears it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import assert_never

from cogyard.domain.errors import SetupFailed
from cogyard.domain.events import Canceled, Failed, Interrupted, Log, Metric, Started, Succeeded
from cogyard.domain.scrub import ItemScrubber, Scrubber, TextScrubber
from cogyard.domain.values import Json, JsonObject, PredictionId
from cogyard.instances.driver import Driver, DriverEvent, Process, Produced


class DiscreetDriver:
    """Implements `instances.driver.Driver` over another driver.

    What is taken out: the secrets of the environment, everywhere; the values of the inputs in `secret_inputs`, in
    what the model says of the prediction that they came with.
    """

    def __init__(self, inner: Driver, secrets: Sequence[str], secret_inputs: Sequence[str]) -> None:
        self._inner = inner
        self._secret_inputs = secret_inputs
        self._scrubber = Scrubber(secrets)

    @property
    def process(self) -> Process | None:
        """See `Driver`."""
        return self._inner.process

    @property
    def boot(self) -> JsonObject | None:
        """See `Driver`."""
        return self._inner.boot

    def memory(self) -> int:
        """See `Driver`."""
        return self._inner.memory()

    async def start(self, timeout: timedelta) -> str:  # noqa: ASYNC109 - handed on
        """See `Driver`."""
        try:
            return self._scrubber.text(await self._inner.start(timeout))
        except SetupFailed as failure:
            told = self._scrubber.text(str(failure))
            # without its cause: that one still holds the words
            raise SetupFailed(told, self._scrubber.text(failure.logs), died=failure.died) from None

    async def submit(
        self, prediction: PredictionId, model_input: JsonObject, paths: Mapping[str, Path]
    ) -> AsyncGenerator[DriverEvent, None]:
        """See `Driver`."""
        given = [text for name in self._secret_inputs for text in _texts(model_input.get(name))]
        scrubber = Scrubber(given, self._scrubber) if given else self._scrubber
        async with aclosing(self._inner.submit(prediction, model_input, paths)) as events:
            if scrubber.is_idle:
                async for event in events:
                    yield event
                return
            talk = _Talk(scrubber)
            async for event in events:
                for told in talk.tell(event):
                    yield told

    async def cancel(self, prediction: PredictionId) -> None:
        """See `Driver`."""
        await self._inner.cancel(prediction)

    async def exited(self) -> str:
        """See `Driver`."""
        return self._scrubber.text(await self._inner.exited())

    async def stop(self) -> None:
        """See `Driver`."""
        await self._inner.stop()


class _Talk:
    """What a model says of one prediction."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._log = TextScrubber(scrubber)
        self._items = ItemScrubber(scrubber)

    def tell(self, event: DriverEvent) -> list[DriverEvent]:
        """What can be told after the event, in the order in which it is to be told."""
        match event:
            case Started():
                return [event]
            case Log(text=text):
                return _logs(self._log.feed(text))
            case Produced(value=str() as text) if not event.paths:
                return [Produced(value=item) for item in self._items.feed(text)]
            case Produced():
                return [*self._outputs(), _with_scrubbed_files(self._scrubber, event)]
            case Metric():
                name, value = self._scrubber.text(event.name), self._scrubber.json(event.value)
                return [replace(event, name=name, value=value)]
            case Failed():
                return [*self._rest(), replace(event, error=self._scrubber.text(event.error))]
            case Interrupted():
                return [*self._rest(), replace(event, reason=self._scrubber.text(event.reason))]
            case Succeeded() | Canceled():
                return [*self._rest(), event]
            case _:
                assert_never(event)

    def _rest(self) -> list[DriverEvent]:
        return [*_logs(self._log.close()), *self._outputs()]

    def _outputs(self) -> list[DriverEvent]:
        return [Produced(value=item) for item in self._items.close()]


def _logs(text: str) -> list[DriverEvent]:
    return [Log(text=text)] if text else []


def _with_scrubbed_files(scrubber: Scrubber, event: Produced) -> Produced:
    """Files lose secrets from their names; what is in them is the caller's."""
    paths: dict[str, Path] = {}
    for pointer, path in event.paths.items():
        name = scrubber.text(path.name)
        paths[scrubber.text(pointer)] = path if name == path.name else path.rename(path.with_name(name))
    return Produced(value=scrubber.json(event.value), paths=paths)


def _texts(value: Json) -> list[str]:
    """The strings in a value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    return []
