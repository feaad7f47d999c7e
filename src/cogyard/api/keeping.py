"""How a model's instances are kept (an extension): its settings."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.acts import note
from cogyard.api.request import read_json
from cogyard.api.route import resource
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.domain.account import Caller, Scope
from cogyard.domain.catalog import Model
from cogyard.domain.values import Json, JsonObject
from cogyard.keeping import RANGES, KeepingChange
from cogyard.validation import check_object

_CHANGE: JsonObject = {
    "type": "object",
    "properties": {
        "idle_timeout": {"type": ["number", "null"]},
        "max_instances": {"type": ["integer", "null"]},
        "hardware": {"type": "string"},
    },
    "additionalProperties": False,
}


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Keeping(yard)
    guarded = yard.authenticated
    return [
        resource(
            "/models/{owner}/{name}/settings",
            GET=guarded(handlers.get, Scope.read),
            PATCH=guarded(handlers.change, Scope.write),
        )
    ]


@dataclass(frozen=True, slots=True)
class _Keeping:
    yard: Yard

    async def get(self, request: Request, caller: Caller) -> Response:
        return answer(_settings(await self.yard.keeping.get(caller, *_named(request))))

    async def change(self, request: Request, caller: Caller) -> Response:
        await self.yard.keeping.get(caller, *_named(request))
        body = check_object(await read_json(request, self.yard.max_body_bytes), _CHANGE)
        hardware = body.get("hardware")
        wanted = KeepingChange(
            settings={name: _number(body[name]) for name in RANGES if name in body},
            hardware=hardware if isinstance(hardware, str) else None,
        )
        before, after = await self.yard.keeping.change(caller, *_named(request), wanted)
        was, now = _settings(before), _settings(after)
        changed = [name for name in now if now[name] != was[name]]
        note(request, before={name: was[name] for name in changed}, after={name: now[name] for name in changed})
        return answer(now)


def _named(request: Request) -> tuple[str, str]:
    return request.path_params["owner"], request.path_params["name"]


def _number(value: Json) -> int | float | None:
    """A checked number; JSON may write a whole one with a point."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return value if isinstance(value, int) else None


def _settings(model: Model) -> JsonObject:
    return {"hardware": model.hardware, **{name: model.settings.get(name) for name in RANGES}}
