"""Models as they are shown in many places: with their latest version and their default example."""

from collections.abc import Sequence

from starlette.requests import Request

from cogyard.api.yard import Yard
from cogyard.domain.catalog import Model


async def show_model(yard: Yard, request: Request, model: Model) -> dict[str, object]:
    """The whole model object (§4.1)."""
    latest = await yard.models.latest(model)
    example = await yard.models.default_example(model)
    return yard.wire(request).model(model, latest, example)


async def show_models(yard: Yard, request: Request, models: Sequence[Model]) -> list[dict[str, object]]:
    """Several of them."""
    return [await show_model(yard, request, model) for model in models]
