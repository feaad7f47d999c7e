"""What the requests that create something to run have in common: bodies, headers, and how they are answered."""

import hashlib
import re

from starlette.requests import Request
from starlette.responses import Response

from cogyard.api.prefer import parse_duration, parse_prefer
from cogyard.api.refusals import RETRIES, is_retry
from cogyard.api.request import parse_json, read_json_bytes
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.creation import NewPrediction, Repetition
from cogyard.domain.errors import InvalidRequest
from cogyard.domain.prediction import Prediction, Status
from cogyard.domain.values import JsonObject
from cogyard.validation import Body, check_body

_KEY = re.compile(r"[\x20-\x7e]{1,255}")


async def read_wanted(yard: Yard, request: Request, kind: Body) -> tuple[JsonObject, NewPrediction]:
    """The body and what it asks for, with the headers. Raises as `read_json` does, and `InvalidFields`."""
    raw = await read_json_bytes(request, yard.max_body_bytes)
    body = parse_json(raw) if raw.strip() else {}
    check_body(body, kind)
    if not isinstance(body, dict):
        raise InvalidRequest("The request body must be a JSON object.")
    model_input, webhook, legacy = body["input"], body.get("webhook"), body.get("webhook_completed")
    events, lifetime = body.get("webhook_events_filter"), body.get("lifetime")
    if webhook is None and legacy is not None:  # §5.1
        webhook, events = legacy, ["completed"]
    header = parse_duration("Cancel-After", request.headers.get("cancel-after"))
    wanted = NewPrediction(
        input=model_input if isinstance(model_input, dict) else {},
        webhook=webhook if isinstance(webhook, str) else None,
        webhook_events_filter=tuple(str(event) for event in events) if isinstance(events, list) else None,
        cancel_after=header or parse_duration("lifetime", lifetime if isinstance(lifetime, str) else None),
        repetition=_repetition(yard, request, raw),
        base_url=yard.base(request),
    )
    return body, wanted


async def answer_created(yard: Yard, request: Request, created: Prediction) -> Response:
    """201 at once or when it has ended in time, else 202 that says `starting` whatever it does (§9.4)."""
    wire = yard.wire(request)
    headers = {"Location": wire.prediction_url(created)}
    wait = parse_prefer(request.headers.get("prefer"))
    if wait is None:
        return answer(wire.prediction(created), 201, headers)
    headers["Preference-Applied"] = wait.applied
    now = created if created.status.is_terminal else await yard.predictions.wait(created, wait.seconds)
    if now.status.is_terminal:
        return answer(wire.prediction(now), 201, headers)
    return answer(wire.prediction(now, status=Status.starting), 202, headers)


def _repetition(yard: Yard, request: Request, raw: bytes) -> Repetition | None:
    """Whether the request may come twice: by its own key (an extension), or as the 2.0 client's retry (§1.6)."""
    key, retries = request.headers.get("idempotency-key"), request.headers.get(RETRIES)
    if key is None and retries is None:
        return None
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidRequest("Idempotency-Key: give 1 to 255 printable ASCII characters, other ones for each request.")
    # a key is its account's, whichever token it comes with; a retry is told by its token too (§1.6)
    who = "" if key is not None else request.headers.get("authorization", "").rpartition(" ")[2]
    asked = f"{request.method} {request.scope['path']}\n{who}\n".encode() + raw
    repeats = is_retry(retries) and not yard.refusals.take(request, yard.clock.now())
    return Repetition(fingerprint=hashlib.sha256(asked).hexdigest(), key=key, is_retry=repeats)
