"""What all answers have in common: errors, headers, methods, and requests that are not in order (§1.2 to §1.4, §2)."""

import re

from cogyard.verify.check import Check
from cogyard.verify.expect import absent, generic_404, header, holds, no_header, reason, refused, status
from cogyard.verify.http import Answer
from cogyard.verify.lab import Lab
from cogyard.verify.probe import account
from cogyard.verify.running import created
from cogyard.verify.sections.operations import NO_TOKEN, OPERATIONS
from cogyard.verify.verdict import NotTried, require


async def _unknown_path(lab: Lab) -> Answer:
    return await lab.client.get("/no/such/path")


async def _models_put(lab: Lab) -> Answer:
    return await lab.client.send("PUT", "/models", json={})


async def _model_put(lab: Lab) -> Answer:
    return await lab.client.send("PUT", f"/models/{(await lab.once(account)).string('username')}/none", json={})


async def _head(lab: Lab) -> Answer:
    return await lab.client.send("HEAD", "/account")


async def _typed_get(lab: Lab) -> Answer:
    return await lab.client.get("/account", headers={"Content-Type": "application/json"})


async def _stainless(lab: Lab) -> Answer:
    headers = {
        "X-Stainless-Lang": "python",
        "X-Stainless-Package-Version": "2.0.0",
        "X-Stainless-Retry-Count": "0",
        "X-Stainless-Read-Timeout": "60",
        "Accept": "application/json",
    }
    return await lab.client.get("/account", headers=headers)


async def _accepts_text(lab: Lab) -> Answer:
    return await lab.client.get("/account", headers={"Accept": "text/plain"})


async def _prediction(lab: Lab) -> Answer:
    return await lab.client.get(f"/predictions/{(await lab.once(created)).string('id')}")


async def _half_json(lab: Lab) -> Answer:
    return await lab.client.send("POST", "/predictions", json=b'{"version": ')


async def _not_utf8(lab: Lab) -> Answer:
    return await lab.client.send("POST", "/predictions", json=b'{"version": "\xff\xfe"}')


async def _array(lab: Lab) -> Answer:
    return await lab.client.send("POST", "/predictions", json=b"[]")


async def _text(lab: Lab) -> Answer:
    return await lab.client.send("POST", "/predictions", json=b'"text"')


async def _nothing(lab: Lab) -> Answer:
    return await lab.client.send("POST", "/predictions", headers={"Content-Type": "application/json"})


async def _deep(lab: Lab) -> Answer:
    return await lab.client.send("POST", "/predictions", json=b'{"input":' + b"[" * 50_000)


async def _bad_models(lab: Lab) -> Answer:
    return await lab.client.send("POST", "/models", json=b"{,}")


async def _bad_deployments(lab: Lab) -> Answer:
    return await lab.client.send("POST", "/deployments", json=b"{,}")


async def _odd_id(lab: Lab) -> Answer:
    return await lab.client.get("/predictions/%00%ff")


async def _long_id(lab: Lab) -> Answer:
    return await lab.client.get("/predictions/" + "a" * 2000)


async def _document(lab: Lab) -> Answer:
    return await lab.client.get(f"{lab.client.base}/openapi.json", token=None)


def _lists_operations(answer: Answer) -> bool:
    paths = {re.sub(r"\{[^}]*\}", "{}", path): methods for path, methods in answer.object("paths").items()}
    for method, path in (*OPERATIONS, *NO_TOKEN):
        methods = paths.get(re.sub(r"\{[^}]*\}", "{}", path))
        named = {name.lower().removeprefix("x-") for name in methods} if isinstance(methods, dict) else set()
        if method.lower() not in named and method != "QUERY":  # OpenAPI 3.0 has no word for QUERY
            return False
    return True


def _allows(*methods: str) -> str:
    return "".join(rf"(?=.*\b{method}\b)" for method in methods) + ".*"


async def _limits_differ(lab: Lab) -> None:
    polls, others = await lab.once(_prediction), await lab.once(account)
    if "ratelimit-remaining" not in polls.headers or "ratelimit-remaining" not in others.headers:
        raise NotTried("the server tells no limits")
    left, other = (int(answer.headers["ratelimit-remaining"]) for answer in (polls, others))
    require(left > other, f"expected more polls left than other requests, got {left} and {other}")


async def _no_limit_is_no_fault(lab: Lab) -> None:
    answer = await lab.once(created)
    if "ratelimit-remaining" not in answer.headers:
        raise NotTried("the server does not limit how many predictions are created")
    await header(created, "ratelimit-remaining", r"\d+")(lab)


CHECKS: tuple[Check, ...] = (
    Check("transport.unknown-path.status", "§1.4", "An unknown path is answered with 404.", status(_unknown_path, 404)),
    Check(
        "transport.unknown-path.body",
        "§1.4",
        "The body of a generic 404 is exactly its `detail` and its `status`.",
        generic_404(_unknown_path),
    ),
    Check("transport.unknown-path.no-title", "§1.4", "A generic 404 has no title.", absent(_unknown_path, "title")),
    Check(
        "transport.unknown-path.content-type",
        "§1.1",
        "A 404 has the content type `application/problem+json`.",
        header(_unknown_path, "content-type", r"application/problem\+json(;.*)?"),
    ),
    Check(
        "transport.unknown-path.newline",
        "§1.4",
        "The body of a generic 404 ends with a newline.",
        holds(_unknown_path, lambda answer: answer.body.endswith(b"}\n"), "a newline after the JSON"),
    ),
    Check(
        "transport.unknown-path.reason",
        "§13.4",
        "A 404 has its reason phrase, which clients put into their messages.",
        reason(_unknown_path, "Not Found", ""),
    ),
    Check(
        "transport.wrong-method", "§1.3", "A method that a path lacks is answered with 405.", status(_models_put, 405)
    ),
    Check(
        "transport.allow.models",
        "§1.3",
        "`/models` allows GET, POST and QUERY.",
        header(_models_put, "allow", _allows("GET", "POST", "QUERY")),
    ),
    Check(
        "transport.allow.model",
        "§1.3",
        "A model's path allows GET and DELETE.",
        header(_model_put, "allow", _allows("GET", "DELETE")),
    ),
    Check("transport.head.status", "§1.3", "HEAD is answered as GET is.", status(_head, 200)),
    Check(
        "transport.head.no-body",
        "§1.3",
        "The answer to HEAD has no body.",
        holds(_head, lambda answer: not answer.body, "no body"),
    ),
    Check(
        "transport.content-type-on-get",
        "§1.2",
        "A GET with a content type and without a body is in order: clients send that.",
        status(_typed_get, 200),
    ),
    Check(
        "transport.stainless-headers",
        "§1.2",
        "`X-Stainless-*` headers are ignored and not refused.",
        status(_stainless, 200),
    ),
    Check("transport.accept", "§1.2", "`Accept: text/plain` is not refused.", status(_accepts_text, 200)),
    Check(
        "transport.limits.remaining",
        "§1.3",
        "An answer tells in `ratelimit-remaining` how many requests are left.",
        header(account, "ratelimit-remaining", r"\d+"),
    ),
    Check(
        "transport.limits.reset",
        "§1.3",
        "An answer tells in `ratelimit-reset` in how many whole seconds the limit is fresh.",
        header(account, "ratelimit-reset", r"\d+"),
    ),
    Check(
        "transport.limits.creates",
        "§1.3",
        "The answer to a creation tells how many are left, as a whole number.",
        _no_limit_is_no_fault,
    ),
    Check(
        "transport.limits.polls",
        "§1.6",
        "Reading a prediction has a limit of its own, larger than that of other requests.",
        _limits_differ,
    ),
    Check(
        "transport.no-cors",
        "§1.3",
        "The API has no CORS headers: tokens do not belong in web pages.",
        no_header(account, "access-control-allow-origin"),
    ),
    Check("transport.bad-json.predictions", "§1.4", "Half a JSON document is refused with a 4xx.", refused(_half_json)),
    Check("transport.bad-json.not-utf8", "§1.4", "A body that is not UTF-8 is refused with a 4xx.", refused(_not_utf8)),
    Check("transport.bad-json.array", "§1.4", "An array as the body is refused with a 4xx.", refused(_array)),
    Check("transport.bad-json.text", "§1.4", "A string as the body is refused with a 4xx.", refused(_text)),
    Check("transport.bad-json.nothing", "§1.4", "No body is refused with a 4xx.", refused(_nothing)),
    Check("transport.bad-json.deep", "§1.4", "50,000 open brackets are refused with a 4xx.", refused(_deep)),
    Check(
        "transport.bad-json.models", "§1.4", "A new model that is no JSON is refused with a 4xx.", refused(_bad_models)
    ),
    Check(
        "transport.bad-json.deployments",
        "§1.4",
        "A new deployment that is no JSON is refused with a 4xx.",
        refused(_bad_deployments),
    ),
    Check(
        "transport.odd-id",
        "§1.4",
        "An id of bytes that are no text is answered with 400 or 404.",
        status(_odd_id, 400, 404),
    ),
    Check(
        "transport.long-id",
        "§1.4",
        "An id of 2,000 characters is answered with 404, or as too long.",
        status(_long_id, 400, 404, 414),
    ),
    Check(
        "transport.document.status",
        "§2",
        "`/openapi.json` is there, outside `/v1` and without a token.",
        status(_document, 200),
    ),
    Check(
        "transport.document.version",
        "§2",
        "`/openapi.json` is an OpenAPI 3 document.",
        holds(_document, lambda answer: re.fullmatch(r"3\.\d+\.\d+", answer.string("openapi")), "openapi: 3.x.y"),
    ),
    Check(
        "transport.document.operations",
        "§2",
        "`/openapi.json` describes every operation of the API.",
        holds(_document, _lists_operations, "all operations among the paths"),
    ),
    Check("transport.created.reason", "§13.4", "A 201 says `Created`.", reason(created, "Created", "")),
)
