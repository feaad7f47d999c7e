"""A prediction says why it waits and what it waited for; a webhook, which is read later, says no reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cogyard.api.wire import Wire
from cogyard.clock import SystemClock
from cogyard.domain.prediction import Prediction, Status
from cogyard.domain.values import AccountId, InstanceId, PredictionId, QueueId, VersionId

WAITING = Prediction(
    id=PredictionId("p"),
    account=AccountId(1),
    model="acme/model",
    version=VersionId("v"),
    queue=QueueId("v"),
    input={},
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)
FOR_WEBHOOKS = Wire(
    base="http://localhost",
    clock=SystemClock(),
    output_ttl=timedelta(hours=1),
    sign_output=lambda *_: "",
    stream_path=lambda *_: "",
)
FOR_CALLERS = replace(FOR_WEBHOOKS, reason={"v": "waits for a free slot"}.get)


def test_one_that_waits_says_why() -> None:
    assert FOR_CALLERS.prediction(WAITING)["waiting_reason"] == "waits for a free slot"


@pytest.mark.parametrize(
    "other",
    [
        replace(WAITING, queue=QueueId("w")),
        replace(WAITING, claimed_by=InstanceId("i")),
        replace(WAITING, status=Status.processing, claimed_by=InstanceId("i")),
        replace(WAITING, status=Status.canceled),
    ],
    ids=["of another queue", "taken", "processing", "canceled"],
)
def test_one_that_does_not_wait_for_a_known_reason_says_none(other: Prediction) -> None:
    assert "waiting_reason" not in FOR_CALLERS.prediction(other)


def test_a_webhook_says_none() -> None:
    assert "waiting_reason" not in FOR_WEBHOOKS.prediction(WAITING)


def test_what_it_waited_for_is_there_once_it_is_known() -> None:
    assert "timing" not in FOR_CALLERS.prediction(WAITING)
    assert FOR_WEBHOOKS.prediction(replace(WAITING, timing={"queue": 0.5}))["timing"] == {"queue": 0.5}
