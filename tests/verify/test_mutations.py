"""The suite finds out: each row breaks one fact of the real server, and names a check that has to fail."""

import asyncio
import base64
import json
import re
import shutil
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cogyard.verify.lab import Named
from cogyard.verify.runner import select
from cogyard.verify.suite import CHECKS, Result, Target, verify
from tests.verify.proxy import Exchange, Mutation, proxy
from tests.yard import FOLDERS, TOKEN, Yard


def is_prediction(exchange: Exchange) -> bool:
    return exchange.status in (200, 201, 202) and b'"data_removed"' in exchange.body[:20_000]


def every_prediction(change: Callable[[dict[str, Any]], Any]) -> Mutation:
    """Changes each single prediction that is shown, and its webhooks."""

    def mutate(exchange: Exchange) -> Exchange:
        if not (is_prediction(exchange) or exchange.is_webhook):
            return exchange
        value = exchange.json
        if "urls" in value:
            change(value)
        return exchange.with_json(value)

    return mutate


def without(*names: str) -> Mutation:
    """Drops headers."""
    return lambda exchange: replace(
        exchange, headers={name: value for name, value in exchange.headers.items() if name not in names}
    )


def with_header(name: str, value: str) -> Mutation:
    return lambda exchange: replace(exchange, headers={**exchange.headers, name: value})


def status(found: int, told: int) -> Mutation:
    return lambda exchange: replace(exchange, status=told) if exchange.status == found else exchange


def text(pattern: str, told: str) -> Mutation:
    """Replaces text in every body."""
    return lambda exchange: replace(exchange, body=re.sub(pattern.encode(), told.encode(), exchange.body))


def on(path: str, mutation: Mutation) -> Mutation:
    """Only where the path matches."""
    return lambda exchange: mutation(exchange) if re.fullmatch(path, exchange.path) else exchange


def page(change: Callable[[dict[str, Any]], Any]) -> Mutation:
    def mutate(exchange: Exchange) -> Exchange:
        if exchange.status != 200 or not exchange.body.startswith(b'{"next"'):
            return exchange
        value = exchange.json
        change(value)
        return exchange.with_json(value)

    return mutate


def in_webhooks(mutation: Mutation) -> Mutation:
    return lambda exchange: mutation(exchange) if exchange.is_webhook else exchange


def relative_next(value: dict[str, Any]) -> None:
    if value["next"]:
        value["next"] = value["next"].partition("/v1")[2]


def other_key(exchange: Exchange) -> Exchange:
    key = "whsec_" + base64.b64encode(b"0" * 24).decode()
    return exchange.with_json({"key": key})


def first_fault_only(exchange: Exchange) -> Exchange:
    if exchange.status != 422 or b"invalid_fields" not in exchange.body:
        return exchange
    value = exchange.json
    value["invalid_fields"] = value["invalid_fields"][:1]
    return exchange.with_json(value)


def accepts_anything(exchange: Exchange) -> Exchange:
    """Answers a refused creation with 201."""
    is_create = exchange.method == "POST" and exchange.status == 422
    return replace(exchange, status=201, body=b'{"id":"x","status":"succeeded","urls":{}}') if is_create else exchange


def says_processing(exchange: Exchange) -> Exchange:
    return text('"status":"starting"', '"status":"processing"')(exchange) if exchange.status == 202 else exchange


def empty_error(value: dict[str, Any]) -> None:
    value["error"] = value["error"] or ""


def ignores_range(exchange: Exchange) -> Exchange:
    return replace(exchange, status=200) if exchange.status == 206 else exchange


EVENTS = r"/v1/(streams|files)/.+"

TABLE: tuple[tuple[str, Mutation, tuple[str, ...], str], ...] = (
    ("a token is not needed", status(401, 200), ("auth",), "auth.required.get-predictions"),
    ("401 says something else", text("an authentication token", "a token"), ("auth",), "auth.no-token.detail"),
    ("401 as plain JSON", with_header("content-type", "application/json"), ("auth",), "auth.no-token.content-type"),
    (
        "no newline after a problem",
        lambda e: replace(e, body=e.body.rstrip(b"\n")),
        ("transport",),
        "transport.unknown-path.newline",
    ),
    ("404 becomes 400", status(404, 400), ("transport", "predictions.get"), "predictions.get.unknown"),
    (
        "a 404 with a title",
        text(r'\{"detail":"The requested', '{"title":"Not Found","detail":"The requested'),
        ("transport",),
        "transport.unknown-path.no-title",
    ),
    ("no rate limit headers", without("ratelimit-remaining"), ("transport.limits",), "transport.limits.remaining"),
    ("CORS on the API", with_header("access-control-allow-origin", "*"), ("transport",), "transport.no-cors"),
    (
        "the account has no name",
        on("/v1/account", lambda e: e.with_json({**e.json, "name": None})),
        ("account",),
        "account.name",
    ),
    (
        "hardware in a page",
        on("/v1/hardware", lambda e: e.with_json({"results": e.json}) if e.status == 200 else e),
        ("hardware",),
        "hardware.array",
    ),
    (
        "the signing key is URL-safe",
        on(".*/secret", text("whsec_", "whsec_-_")),
        ("webhooks.secret",),
        "webhooks.secret.two-parts",
    ),
    ("409 becomes 422", status(409, 422), ("models.create",), "models.create.conflict.status"),
    (
        "models show their hardware",
        on(r"/v1/models", lambda e: e.with_json({**e.json, "hardware": "cpu"}) if e.status == 201 else e),
        ("models.create",),
        "models.create.no-hardware",
    ),
    (
        "PATCH is forgotten",
        on(r"/v1/models/[^/]+/[^/]+", text("Changed", "Unchanged")),
        ("models.patch",),
        "models.patch.description",
    ),
    (
        "DELETE has a body",
        lambda e: replace(e, status=200, body=b"{}") if e.method == "DELETE" and e.status == 204 else e,
        ("models.delete",),
        "models.delete.status",
    ),
    (
        "unknown versions are 404",
        lambda e: replace(e, status=404) if b"Invalid version" in e.body else e,
        ("predictions.create",),
        "predictions.create.unknown-version.status",
    ),
    ("no Location", without("location"), ("predictions.create",), "predictions.create.location"),
    (
        "logs are missing",
        every_prediction(lambda value: value.pop("logs")),
        ("predictions.object",),
        "predictions.object.logs",
    ),
    (
        "a key is renamed",
        every_prediction(lambda value: value.update(ref=value.pop("version"))),
        ("predictions.object",),
        "predictions.object.version",
    ),
    (
        "error is the empty text",
        every_prediction(empty_error),
        ("predictions.succeeded",),
        "predictions.succeeded.error",
    ),
    (
        "times without Z",
        text(r"(\d\d:\d\d\.\d+)Z", r"\1+00:00"),
        ("predictions.object",),
        "predictions.object.created-at",
    ),
    (
        "a null URL",
        every_prediction(lambda value: value["urls"].update(stream=None)),
        ("predictions.object",),
        "predictions.object.no-null-url",
    ),
    ("one fault at a time", first_fault_only, ("input",), "input.all-at-once"),
    ("faults in other words", text("Must be less than", "Has to be less than"), ("input",), "input.too-large"),
    ("nothing is refused", accepts_anything, ("input.choice",), "input.choice"),
    ("no Preference-Applied", without("preference-applied"), ("prefer",), "prefer.applied.wait"),
    ("a 202 that says processing", says_processing, ("prefer.over",), "prefer.over.state"),
    (
        "no deadline",
        every_prediction(lambda value: value.pop("deadline", None)),
        ("deadline.accepts",),
        "deadline.accepts.90",
    ),
    (
        "cancelled with two l",
        on(".*/cancel", text('"canceled"', '"cancelled"')),
        ("cancel.twice",),
        "cancel.twice",
    ),
    ("next is relative", page(relative_next), ("lists",), "lists.next.absolute"),
    ("previous is never told", page(lambda value: value.update(previous=None)), ("lists",), "lists.previous"),
    (
        "the oldest first",
        page(lambda value: value["results"].reverse()),
        ("lists.predictions",),
        "lists.predictions.newest-first",
    ),
    ("events without ids", on(EVENTS, text(r"id: [^\n]*\n", "")), ("streams",), "streams.ids"),
    ("a stream without done", on(EVENTS, text(r"event: done\n(.+\n)*\n", "")), ("streams",), "streams.one-done"),
    (
        "logs in a stream",
        on(EVENTS, text(r": hi\n\n", ": hi\n\nevent: logs\nid: 1:1\ndata: x\n\n")),
        ("streams",),
        "streams.names",
    ),
    ("no ranges", ignores_range, ("delivery",), "delivery.ranges.status"),
    ("files for same pages only", without("access-control-allow-origin"), ("delivery",), "delivery.cors"),
    ("another signing key", on(".*/secret", other_key), ("webhooks.signature",), "webhooks.signature.right"),
    (
        "a changed signature",
        in_webhooks(lambda e: replace(e, headers={**e.headers, "webhook-signature": "v1,AAAA"})),
        ("webhooks.signature",),
        "webhooks.signature.right",
    ),
    (
        "an id for each try",
        in_webhooks(lambda e: replace(e, headers={**e.headers, "webhook-id": f"msg_{e.headers['webhook-timestamp']}"})),
        ("webhooks.retry",),
        "webhooks.retry.id",
    ),
    (
        "webhooks of another prediction",
        in_webhooks(every_prediction(lambda value: value.update(id="x"))),
        ("webhooks.body",),
        "webhooks.body.id",
    ),
    (
        "deployments are 201",
        on("/v1/deployments", status(200, 201)),
        ("deployments.create",),
        "deployments.create.status",
    ),
    (
        "one release for ever",
        on("/v1/deployments/.+", text(r'"number":\d+', '"number":1')),
        ("deployments.patch",),
        "deployments.patch.number",
    ),
    ("files without a checksum", text('"etag":"[^"]*"', '"etag":""'), ("files.create",), "files.create.etag"),
    (
        "any destination will do",
        text("training destination", "destination"),
        ("trainings.destination",),
        "trainings.destination.unknown",
    ),
)


async def run(url: str, patterns: tuple[str, ...]) -> Result:
    target = Target(url=url, token=TOKEN, trust=ssl.create_default_context(), named=Named())
    return await verify(target, select(CHECKS, patterns), lambda _: None)


@pytest.mark.slow
@pytest.mark.parametrize(("mutation", "patterns", "wanted"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_broken_fact_is_found(yard: Yard, mutation: Mutation, patterns: tuple[str, ...], wanted: str) -> None:
    with proxy(yard.url, mutation) as url:
        result = asyncio.run(run(url, patterns))

    results = {finding.check.name: (finding.result, finding.detail) for finding in result.findings}
    assert results[wanted][0] == "failed", json.dumps(results[wanted])
    assert TOKEN not in results[wanted][1]


@pytest.mark.slow
def test_a_proxy_that_breaks_nothing_is_found_well(yard: Yard) -> None:
    """What fails above fails for what was broken there."""
    patterns = tuple(sorted({row[3] for row in TABLE}))
    with proxy(yard.url, lambda exchange: exchange) as url:
        result = asyncio.run(run(url, patterns))

    assert {finding.check.name: finding.detail for finding in result.findings if finding.result != "passed"} == {}


@pytest.mark.slow
def test_a_server_that_takes_no_pushes_is_tried_with_the_named_models(
    yard: Yard, canary_stream: str, picture_stream: str, trainable: str, tmp_path: Path
) -> None:
    """As any other server would be: what needs more of a model than the reference says is skipped."""

    def refuses_pushes(exchange: Exchange) -> Exchange:
        is_push = exchange.method == "POST" and exchange.path.endswith("/versions")
        return replace(exchange, status=405, body=b'{"detail":"Method not allowed."}\n') if is_push else exchange

    async def try_named(url: str) -> Result:
        folder = shutil.copytree(FOLDERS / "canary-stream", tmp_path / "official")
        (folder / "README.md").write_text("A version of its own.\n")
        official = yard.push(folder, "acme/official-canary", "--no-examples").partition(":")[0]
        with yard.http as http:
            http.put(f"/models/{official}/official", json={"is_official": True}).raise_for_status()
        named = Named(canary=canary_stream, files=picture_stream, train=trainable, official=official)
        target = Target(url=url, token=TOKEN, trust=ssl.create_default_context(), named=named)
        whole = [check for check in CHECKS if not check.name.startswith("files.too-large")]  # more than a proxy holds
        return await verify(target, whole, lambda _: None)

    with proxy(yard.url, refuses_pushes) as url:
        result = asyncio.run(try_named(url))

    assert {finding.check.name: finding.detail for finding in result.findings if finding.result == "failed"} == {}
    by_name = {finding.check.name: finding for finding in result.findings}
    passing = ("streams.joined", "delivery.ranges.bytes", "official.versions", "deployments.patch.each", "search.finds")
    assert {by_name[name].result for name in passing} == {"passed"}
    assert by_name["files.input.url"].result == "skipped"
    assert "takes no pushes" in by_name["schemas.output.str"].detail
    assert result.count("passed") > 400
    assert result.left == []
