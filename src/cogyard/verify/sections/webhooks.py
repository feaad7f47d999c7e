"""Webhooks: what is sent, when, and again (§10.1), and how it is signed (§10.2)."""

import re
from collections.abc import Awaitable, Callable
from itertools import pairwise
from urllib.parse import urlsplit

from cogyard.domain.values import Json
from cogyard.verify.check import Assertion, Check
from cogyard.verify.lab import Lab
from cogyard.verify.probe import canary, full_canary, grammar
from cogyard.verify.receiver import Delivery, Reply
from cogyard.verify.running import TERMINAL, create_at, end_of, is_processing, succeeded
from cogyard.verify.sections.predictions import moment
from cogyard.verify.telling import WITHIN, Told, is_over, receiver, tell, told
from cogyard.verify.verdict import NotTried, require, show

EVERYTHING: Json = ["start", "output", "logs", "completed"]

_ALL = told("all", full_canary, {"text": "Ada", "pause": 1.3}, EVERYTHING)
_DEFAULT = told("default", full_canary, {"text": "Ada", "pause": 0.7})
_START = told("start", full_canary, {"text": "Ada", "pause": 0.6}, ["start"])
_OUTPUT = told("output", full_canary, {"text": "Ada", "pause": 0.7}, ["output"])
_LOGS = told("logs", full_canary, {"text": "Ada", "pause": 0.7}, ["logs"])
_COMPLETED = told("completed", canary, {"text": "Ada"}, ["completed"])
_FAST = told("fast", full_canary, {"text": "Ada", "pause": 0.1}, ["output", "logs", "completed"])
_FAILED = told("failed", grammar, {"word": "hello", "mode": "fail"}, ["completed"])
_REFUSING = told("refusing", canary, {"text": "Ada"}, ["completed"], lambda before: (500 if before < 2 else 200, {}), 3)
_MISSING = told("missing", canary, {"text": "Ada"}, ["completed"], lambda before: (404 if before < 1 else 204, {}), 2)
_START_REFUSED = told(
    "start-refused",
    full_canary,
    {"text": "Ada", "pause": 1},
    ["start", "completed"],
    lambda before: (500 if before < 1 else 200, {}),
)


async def _redirected(lab: Lab) -> Told:
    elsewhere = (await lab.once(receiver)).expect(f"/elsewhere-{lab.suffix}")
    away: Reply = lambda before: (302 if before < 1 else 200, {"Location": elsewhere})  # noqa: E731
    return await told("redirected", canary, {"text": "Ada"}, ["completed"], away)(lab)


async def _canceled(lab: Lab) -> Told:
    path = f"/canceled-{lab.suffix}"
    running = await is_processing(lab, await tell(lab, path, full_canary, {"text": "Eve", "pause": 50}, ["completed"]))
    await lab.client.send("POST", f"/predictions/{running.string('id')}/cancel")
    ended = await end_of(lab, running, 30)
    return Told(ended, await (await lab.once(receiver)).wait(path, is_over, WITHIN))


async def _training(lab: Lab) -> Told:
    from cogyard.verify.sections import trainings

    path = f"/training-{lab.suffix}"
    url = (await lab.once(receiver)).expect(path)
    created = await trainings.train(lab, webhook=url, webhook_events_filter=["completed"])
    ended = await end_of(lab, created.expect(201), noun="trainings")
    return Told(ended, await (await lab.once(receiver)).wait(path, is_over, WITHIN))


async def _key(lab: Lab) -> str:
    return (await lab.client.get("/webhooks/default/secret")).expect(200).string("key")


Evidence = Callable[[Lab], Awaitable[Told]]


def _each(evidence: Evidence, is_so: Callable[[Delivery], object], wanted: str) -> Assertion:
    async def assertion(lab: Lab) -> None:
        found = await lab.once(evidence)
        require(found.came, "expected webhooks, got none")
        for one in found.came:
            require(is_so(one), f"expected {wanted}, got {dict(one.headers)} {show(one.body.decode()[:200])}")

    return assertion


def _states(evidence: Evidence, pattern: str) -> Assertion:
    """The states that were told, in their order, joined by blanks, match."""

    async def assertion(lab: Lab) -> None:
        states = " ".join(str(one.told.get("status")) for one in (await lab.once(evidence)).came)
        require(re.fullmatch(pattern, states), f"expected the states {pattern!r}, got {states!r}")

    return assertion


def _sees(is_so: Callable[[Told], object], evidence: Evidence, wanted: str) -> Assertion:
    async def assertion(lab: Lab) -> None:
        found = await lab.once(evidence)
        bodies = [show({key: one.told.get(key) for key in ("status", "output")}) for one in found.came]
        require(is_so(found), f"expected {wanted}, got {', '.join(bodies) or 'no webhooks'}")

    return assertion


async def _signed(lab: Lab) -> None:
    key = await lab.once(_key)
    for one in (await lab.once(_ALL)).came:
        require(one.is_signed(key), f"expected a right signature, got {one.headers.get('webhook-signature')!r}")


async def _retries_signed(lab: Lab) -> None:
    key = await lab.once(_key)
    require(all(one.is_signed(key) for one in (await lab.once(_REFUSING)).came), "expected each try to be signed")


async def _timely(lab: Lab) -> None:
    """The end's timestamp is near the time that the body tells."""
    last, ended = (await lab.once(_ALL)).last, (await lab.once(_ALL)).ended
    late = int(last.headers["webhook-timestamp"]) - moment(ended, "completed_at").timestamp()
    require(-2 < late < WITHIN, f"expected a timestamp soon after the end, got one {late:.0f} s after")


async def _equals_get(lab: Lab) -> None:
    found = await lab.once(_ALL)
    got = (await lab.client.get(f"/predictions/{found.ended.string('id')}")).object()
    differing = [key for key in got if got[key] != found.last.told.get(key) and not key.endswith("_at")]
    differing = [key for key in differing if got[key] is not None or found.last.told.get(key) is not None]
    require(not differing, f"expected the body to be what GET gives, got other values of {', '.join(differing)}")


def _growing(found: Told) -> bool:
    """Webhooks may overtake each other, so each is held against the end."""
    whole = found.ended.array("output")
    told = [one.told.get("output") or [] for one in found.came]
    return all(isinstance(output, list) and whole[: len(output)] == output for output in told)


def _same_result(found: Told) -> bool:
    """The address of weights may be signed anew each time it is shown."""
    told = found.last.told.get("output")
    if not isinstance(told, dict):
        return False
    weights, shown = urlsplit(str(told.get("weights"))), urlsplit(found.ended.string("output.weights"))
    return told.get("version") == found.ended.at("output.version") and weights.path == shown.path


def _partial(found: Told) -> bool:
    return any(one.told.get("status") == "processing" and one.told.get("output") for one in found.came)


def _throttled(found: Told) -> bool:
    """The end is always sent; what comes before is half a second apart, less what the network takes."""
    between = [one.at for one in found.came if one.told.get("status") not in TERMINAL]
    return all(later - earlier > 0.35 for earlier, later in pairwise(between))


def _ids(found: Told) -> list[str]:
    return [one.headers.get("webhook-id", "") for one in found.came]


async def _not_elsewhere(lab: Lab) -> None:
    await lab.once(_redirected)
    found = (await lab.once(receiver)).on(f"/elsewhere-{lab.suffix}")
    require(not found, "expected the redirect not to be followed, got a webhook where it leads")


async def _pauses_grow(lab: Lab) -> None:
    times = [one.at for one in (await lab.once(_REFUSING)).came]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    require(len(pauses) > 1 and pauses[1] > pauses[0], f"expected longer and longer pauses, got {pauses}")


async def _unreachable(lab: Lab) -> None:
    """A receiver that is gone holds nothing back."""
    reference = await lab.once(canary)
    await lab.once(succeeded)
    body: Json = {"version": reference, "input": {"text": "Ada"}, "webhook": "http://127.0.0.1:9/nobody"}
    answer = await create_at(lab, "/predictions", body)
    if answer.status in (400, 422):
        raise NotTried("the server takes no http webhooks of this machine")
    ended = await end_of(lab, answer, 30)
    require(ended.at("status") == "succeeded", f"expected it to succeed all the same, got {ended.text[:200]}")


CHECKS: tuple[Check, ...] = (
    Check("webhooks.method", "§10.1", "A webhook is a POST.", _each(_ALL, lambda one: one.method == "POST", "POST")),
    Check(
        "webhooks.content-type",
        "§10.1",
        "A webhook's body is JSON.",
        _each(_ALL, lambda one: one.headers.get("content-type", "").startswith("application/json"), "application/json"),
    ),
    Check(
        "webhooks.query",
        "§10.1",
        "The query of a webhook's URL is kept.",
        _each(_ALL, lambda one: one.path.endswith("?tag=1&x=y"), "the query"),
    ),
    Check(
        "webhooks.body.id",
        "§10.1",
        "A webhook's body is the prediction.",
        _sees(
            lambda found: all(one.told.get("id") == found.ended.at("id") for one in found.came),
            _ALL,
            "the prediction's id",
        ),
    ),
    Check("webhooks.body.equals-get", "§10.1", "The last webhook's body is what GET gives.", _equals_get),
    Check(
        "webhooks.body.webhook",
        "§10.1",
        "A webhook's body has `webhook` and `webhook_events_filter`.",
        _each(
            _ALL,
            lambda one: one.told.get("webhook_events_filter") == EVERYTHING and one.told.get("webhook"),
            "both keys",
        ),
    ),
    Check(
        "webhooks.first-and-last",
        "§10.1",
        "A prediction is told while it runs, and at its end.",
        _sees(lambda found: not is_over(found.came[:1]) and is_over(found.came), _ALL, "the end after the start"),
    ),
    Check(
        "webhooks.start.output",
        "§10.1",
        "At the start there is no output.",
        _sees(lambda found: not found.last.told.get("output"), _START, "no output at the start"),
    ),
    Check(
        "webhooks.output.partial", "§10.1", "New output is told while it runs.", _sees(_partial, _ALL, "partial output")
    ),
    Check(
        "webhooks.output.grows",
        "§13.2",
        "Output that was told is a beginning of that of the end.",
        _sees(_growing, _ALL, "growing output"),
    ),
    Check(
        "webhooks.completed.output",
        "§10.1",
        "The end is told with the whole output.",
        _sees(lambda found: found.last.told.get("output") == ["hello ", "there, ", "Ada"], _ALL, "the whole output"),
    ),
    Check(
        "webhooks.completed.once",
        "§10.1",
        "An end that was taken is not told again.",
        _sees(lambda found: sum(one.told.get("status") in TERMINAL for one in found.came) == 1, _ALL, "one end"),
    ),
    Check(
        "webhooks.throttle",
        "§10.1",
        "New output and logs are told at most twice a second.",
        _sees(_throttled, _FAST, "half a second between two"),
    ),
    Check(
        "webhooks.filter.default",
        "§10.1",
        "Without a filter output and end are told.",
        _sees(lambda found: _partial(found) and is_over(found.came), _DEFAULT, "output and end"),
    ),
    Check(
        "webhooks.filter.start",
        "§10.1",
        "`start` alone is one webhook, before the end.",
        _states(_START, "starting|processing"),
    ),
    Check(
        "webhooks.filter.output",
        "§10.1",
        "`output` alone tells output.",
        _sees(
            lambda found: found.came and all(one.told.get("output") for one in found.came), _OUTPUT, "output in each"
        ),
    ),
    Check(
        "webhooks.filter.logs",
        "§10.1",
        "`logs` alone tells logs.",
        _sees(lambda found: found.came and all(one.told.get("logs") for one in found.came), _LOGS, "logs in each"),
    ),
    Check(
        "webhooks.filter.completed",
        "§10.1",
        "`completed` alone is one webhook, the end.",
        _states(_COMPLETED, "succeeded"),
    ),
    Check("webhooks.failed", "§10.1", "A failure is told as an end.", _states(_FAILED, "failed")),
    Check(
        "webhooks.failed.error",
        "§10.1",
        "A failure is told with its error.",
        _sees(lambda found: isinstance(found.last.told.get("error"), str), _FAILED, "the error"),
    ),
    Check("webhooks.canceled", "§10.1", "A cancel is told as an end.", _states(_canceled, "canceled")),
    Check("webhooks.training", "§8.1", "A training has webhooks too.", _states(_training, "succeeded")),
    Check(
        "webhooks.training.output",
        "§10.1",
        "The end of a training is told with its output.",
        _sees(_same_result, _training, "the training's output"),
    ),
    Check(
        "webhooks.retry.refused",
        "§10.1",
        "An end that is answered with 500 is sent again until it is taken.",
        _states(_REFUSING, "succeeded succeeded succeeded"),
    ),
    Check(
        "webhooks.retry.missing",
        "§10.1",
        "An end that is answered with 404 is sent again as well.",
        _states(_MISSING, "succeeded succeeded"),
    ),
    Check(
        "webhooks.retry.id",
        "§10.2",
        "Each try of a webhook has the same id.",
        _sees(lambda found: len(set(_ids(found))) == 1, _REFUSING, "one id"),
    ),
    Check(
        "webhooks.retry.body",
        "§10.2",
        "Each try of a webhook has the same body.",
        _sees(lambda found: len({one.body for one in found.came}) == 1, _REFUSING, "one body"),
    ),
    Check("webhooks.retry.signed", "§10.2", "Each try of a webhook is signed for its own time.", _retries_signed),
    Check("webhooks.retry.pauses", "§10.1", "Tries come after longer and longer pauses.", _pauses_grow),
    Check(
        "webhooks.retry.only-end",
        "§10.1",
        "A start that is refused is not sent again.",
        _states(_START_REFUSED, "(starting|processing) succeeded"),
    ),
    Check("webhooks.redirect", "§10.1", "Redirects are not followed.", _not_elsewhere),
    Check(
        "webhooks.unreachable",
        "§10.1",
        "A receiver that is gone does not change how a prediction ends.",
        _unreachable,
    ),
    Check(
        "webhooks.id",
        "§10.2",
        "A webhook has a `webhook-id`.",
        _each(_ALL, lambda one: one.headers.get("webhook-id"), "a webhook-id"),
    ),
    Check(
        "webhooks.ids-differ",
        "§10.2",
        "No two webhooks have the same id.",
        _sees(lambda found: len(set(_ids(found))) == len(found.came), _ALL, "different ids"),
    ),
    Check(
        "webhooks.timestamp",
        "§10.2",
        "`webhook-timestamp` is in Unix seconds.",
        _each(_ALL, lambda one: re.fullmatch(r"\d{10}", one.headers.get("webhook-timestamp", "")), "Unix seconds"),
    ),
    Check("webhooks.timely", "§10.2", "`webhook-timestamp` is the time of the try.", _timely),
    Check(
        "webhooks.signature.form",
        "§10.2",
        "`webhook-signature` lists signatures such as `v1,<base64>`.",
        _each(
            _ALL,
            lambda one: re.fullmatch(
                r"v\d+\w*,[A-Za-z0-9+/]+={0,2}( v\d+\w*,[A-Za-z0-9+/]+={0,2})*",
                one.headers.get("webhook-signature", ""),
            ),
            "v1,<base64>",
        ),
    ),
    Check(
        "webhooks.signature.right",
        "§10.2",
        "The signature is the HMAC of id, time and raw body, under the decoded key.",
        _signed,
    ),
)
