"""Use cases of how a model's instances are kept: for how long idle, how many, on which hardware."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cogyard.domain.account import Caller
from cogyard.domain.catalog import Model, may_change, may_see
from cogyard.domain.errors import Forbidden, InvalidResource, NotFound
from cogyard.hardware import HardwareKinds
from cogyard.ports import Bus, CatalogStore

LONGEST_IDLE = 7 * 24 * 3600
"""The most seconds that `idle_timeout` may be."""

MOST_INSTANCES = 1000
"""The most that `max_instances` may be."""

RANGES = {"idle_timeout": LONGEST_IDLE, "max_instances": MOST_INSTANCES}
"""The settings by name, with the most that each may be; the least is 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepingChange:
    """What a caller wants to change: `settings` by name, None for those that shall be as the server has them.

    `idle_timeout` is in seconds. Without `hardware` that stays as it is.
    """

    settings: Mapping[str, int | float | None] = field(default_factory=dict)
    hardware: str | None = None


class ModelKeeping:
    """How the instances of every model are kept; each call says who asks."""

    def __init__(self, store: CatalogStore, bus: Bus, kinds: HardwareKinds) -> None:
        self._store = store
        self._bus = bus
        self._kinds = kinds

    async def get(self, caller: Caller, owner: str, name: str) -> Model:
        """A model that the caller may change. Raises `NotFound`, `Forbidden`."""
        model = await self._store.get_model(owner, name)
        if model is None or not may_see(caller, model):
            raise NotFound
        if not may_change(caller, model):
            raise Forbidden(f"{model.full_name} belongs to {model.owner}.")
        return model

    async def change(self, caller: Caller, owner: str, name: str, wanted: KeepingChange) -> tuple[Model, Model]:
        """Change it; returns the model as it was and as it is. What runs goes by it within a second.

        Instances that run keep their hardware. Raises `NotFound`, `Forbidden`, `InvalidResource`.
        """
        before = await self.get(caller, owner, name)
        for setting, value in wanted.settings.items():
            if value is not None and not 0 <= value <= RANGES[setting]:
                raise InvalidResource(setting, f"must be between 0 and {RANGES[setting]}")
        if wanted.hardware is not None:
            self._kinds.check(wanted.hardware)
        merged = {**before.settings, **wanted.settings}
        after = replace(
            before,
            settings={setting: value for setting, value in merged.items() if value is not None},
            hardware=wanted.hardware or before.hardware,
        )
        await self._store.update_model(before, after)
        self._bus.publish(("queue", "settings"))
        return before, after
