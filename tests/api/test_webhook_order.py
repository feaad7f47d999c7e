"""What webhooks tell comes in its order: the start before any output."""

import pytest

from tests.receiver import receiver
from tests.yard import Yard, wait_until

EVENTS = ["start", "output", "logs", "completed"]


@pytest.mark.slow
def test_output_does_not_overtake_the_start(yard: Yard, canary_async: str) -> None:
    """Found by the conformance suite: output that came at once was told first."""
    with receiver() as told, yard.http as http:
        for number in range(24):
            body = {
                "version": canary_async,
                "input": {"text": str(number)},
                "webhook": f"{told.url}/{number}",
                "webhook_events_filter": EVENTS,
            }
            assert http.post("/predictions", json=body).status_code == 201
        wait_until(
            lambda: sum(one.body["status"] == "succeeded" for one in told.got) == 24, 60, "the end of each prediction"
        )
        first = [told.on(f"/{number}")[0].body for number in range(24)]

        starts = [sum(one.body["output"] is None for one in told.on(f"/{number}")) for number in range(24)]

    assert starts == [1] * 24
    assert [(body["status"], body["output"]) for body in first] == [("processing", None)] * 24
