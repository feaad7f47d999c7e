"""Models as they are shown in many places: with their latest version and their default example."""

from collections.abc import Sequence

from starlette.requests import Request

from cogyard.api.yard import Yard
from cogyard.domain.catalog import Model


async def show_model(yard: Yard, request: Request, model: Model) -> dict[str, object]:
    """The whole model object (§4.1)."""
    return (await show_models(yard, request, [model]))[0]


async def show_models(
    yard: Yard, request: Request, models: Sequence[Model], *, with_schemas: bool = True
) -> list[dict[str, object]]:
    """Several of them; without schemas, which would be most of a long answer, each stands as `{}`."""
    wire = yard.wire(request)
    examples = await yard.models.default_examples(models)
    shown = []
    for model in models:
        example = examples.get(model.default_example) if model.default_example else None
        one = wire.model(model, await yard.models.latest(model), example)
        latest = one["latest_version"]
        if isinstance(latest, dict) and not with_schemas:
            one["latest_version"] = {**latest, "openapi_schema": {}}
        shown.append(one)
    return shown
