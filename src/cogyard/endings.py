"""Ending many predictions at once, for use cases that take away what they run on or whom they belong to."""

from dataclasses import replace

from cogyard.domain.events import CancelRequested
from cogyard.ports import Bus, Clock, PageRequest, PredictionFilter, PredictionStore

_AT_ONCE = 500


async def cancel_all(store: PredictionStore, bus: Bus, clock: Clock, wanted: PredictionFilter) -> None:
    """Ask for the end of every prediction that the filter holds."""
    request = PageRequest(limit=_AT_ONCE)
    while True:
        found = await store.list_predictions(wanted, request)
        for prediction in found.items:
            await store.wish_end(prediction.id, CancelRequested(at=clock.now()))
            bus.publish(("cancel", prediction.id))
            bus.publish(("prediction", prediction.id))
        if found.next is None:
            return
        request = replace(request, cursor=found.next)
