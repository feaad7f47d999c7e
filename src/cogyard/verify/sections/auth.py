"""Who may ask (§1.1)."""

from cogyard.verify.check import Assertion, Check
from cogyard.verify.expect import header, holds, no_header, reason, status, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Evidence, Lab
from cogyard.verify.sections.operations import OPERATIONS

WRONG = "r8_" + "0" * 37


async def _bearer(lab: Lab) -> Answer:
    return await lab.client.get("/account", headers={"Authorization": f"Bearer {lab.client.token}"})


async def _legacy(lab: Lab) -> Answer:
    return await lab.client.get("/account", headers={"Authorization": f"Token {lab.client.token}"})


async def _nobody(lab: Lab) -> Answer:
    return await lab.client.get("/account", token=None)


async def _wrong(lab: Lab) -> Answer:
    return await lab.client.get("/account", token=WRONG)


async def _odd(lab: Lab) -> Answer:
    return await lab.client.get("/account", token="invalid")


async def _bad_body(lab: Lab) -> Answer:
    return await lab.client.send("POST", "/predictions", json=b"{", token=None)


def _without_token(method: str, path: str) -> Evidence:
    concrete = path.replace("{owner}", "nobody").replace("{name}", "nothing").replace("{slug}", "nothing")
    concrete = concrete.replace("{id}", "0" * 26)

    async def evidence(lab: Lab) -> Answer:
        body = b"" if method in ("GET", "DELETE") or concrete.endswith("/cancel") else b"{}"
        return await lab.client.send(method, concrete, json=body, token=None)

    return evidence


def _name(method: str, path: str) -> str:
    words = path.strip("/").replace("{", "").replace("}", "").replace("/", "-")
    return f"auth.required.{method.lower()}-{words}"


def _needs_token(method: str, path: str) -> Assertion:
    return status(_without_token(method, path), 401)


CHECKS: tuple[Check, ...] = (
    Check("auth.bearer", "§1.1", "`Authorization: Bearer <token>` is accepted.", status(_bearer, 200)),
    Check(
        "auth.legacy-token", "§1.1", "The old form `Authorization: Token <token>` is accepted.", status(_legacy, 200)
    ),
    Check("auth.no-token.status", "§1.1", "A request without a token is answered with 401.", status(_nobody, 401)),
    Check("auth.no-token.reason", "§1.1", "A 401 says `Unauthorized`.", reason(_nobody, "Unauthorized")),
    Check(
        "auth.no-token.title",
        "§1.1",
        "Without a token the title is `Unauthenticated`.",
        value(_nobody, "title", "Unauthenticated"),
    ),
    Check(
        "auth.no-token.detail",
        "§1.1",
        "Without a token the detail is `You did not pass an authentication token`.",
        value(_nobody, "detail", "You did not pass an authentication token"),
    ),
    Check("auth.no-token.body-status", "§1.4", "The body of a 401 repeats the status.", value(_nobody, "status", 401)),
    Check(
        "auth.no-token.content-type",
        "§1.1",
        "A 401 has the content type `application/problem+json`.",
        header(_nobody, "content-type", r"application/problem\+json(;.*)?"),
    ),
    Check(
        "auth.no-token.newline",
        "§1.4",
        "The body of a 401 ends with a newline.",
        holds(_nobody, lambda answer: answer.body.endswith(b"}\n"), "a newline after the JSON"),
    ),
    Check("auth.wrong-token.status", "§1.1", "A wrong token is answered with 401.", status(_wrong, 401)),
    Check(
        "auth.wrong-token.title",
        "§1.1",
        "With a wrong token the title is `Unauthenticated`.",
        value(_wrong, "title", "Unauthenticated"),
    ),
    Check(
        "auth.wrong-token.detail",
        "§1.1",
        "With a wrong token the detail says that it is not valid.",
        value(_wrong, "detail", "You did not pass a valid authentication token", "Invalid or expired API token."),
    ),
    Check(
        "auth.wrong-token.any-form",
        "§1.1",
        "A wrong token of any form is answered with 401, also one that does not begin with `r8_`.",
        status(_odd, 401),
    ),
    Check(
        "auth.before-limits",
        "§1.1",
        "A 401 has no rate limit headers, since the token is looked at first.",
        no_header(_wrong, "ratelimit-remaining"),
    ),
    Check(
        "auth.before-body",
        "§1.1",
        "A request without a token is answered with 401 even when its body is broken too.",
        status(_bad_body, 401),
    ),
    *(
        Check(_name(method, path), "§1.1", f"`{method} {path}` needs a token.", _needs_token(method, path))
        for method, path in OPERATIONS
        if path != "/account"
    ),
)
