"""What the handlers share: the use cases, and how to meet a request (who calls, at which address, how to render)."""

import math
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from cogyard.accounts import Accounts
from cogyard.api.acts import action_of, details_of
from cogyard.api.errors import render
from cogyard.api.refusals import Refusals
from cogyard.api.request import base_url, page_url
from cogyard.api.wire import Wire, answer
from cogyard.audit import Audit
from cogyard.budgets import Budgets
from cogyard.collections import Collections
from cogyard.deployments import Deployments
from cogyard.domain.account import Caller, Scope
from cogyard.domain.errors import CogyardError, QueueFull, RateLimited
from cogyard.domain.prediction import StreamKind
from cogyard.domain.values import FileId, PredictionId, QueueId
from cogyard.hardware import HardwareKinds
from cogyard.hooks import Hooks
from cogyard.keeping import ModelKeeping
from cogyard.models import Models
from cogyard.overview import Overview
from cogyard.ports import Allowance, Clock, Limiter, Page, Rate
from cogyard.predictions import Predictions
from cogyard.secrets import Secrets
from cogyard.tokens import Tokens, require
from cogyard.trainings import Trainings
from cogyard.uploads import Uploads
from cogyard.usage import Usage

Handler = Callable[[Request, Caller], Awaitable[Response]]
"""A handler that knows its caller."""

REQUESTS, CREATES, POLLS = "requests", "creates", "polls"
"""The kinds of requests that are counted apart (§1.6)."""

PATIENCE = 0.5
"""Seconds after which an answer is no longer given on the word of the beginning."""

READING = frozenset({"GET", "HEAD", "QUERY"})
"""Methods that change nothing."""

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """URLs that carry their own right. The `open_…` functions give None for what we did not sign, or not for now."""

    sign_output: Callable[[FileId, str, datetime], str]
    verify_output: Callable[[FileId, str, datetime], bool]
    stream_path: Callable[[PredictionId, StreamKind], str]
    open_stream: Callable[[str], PredictionId | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Yard:
    """Everything behind the API."""

    accounts: Accounts
    secrets: Secrets
    tokens: Tokens
    audit: Audit
    usage: Usage
    budgets: Budgets
    overview: Overview
    keeping: ModelKeeping
    models: Models
    collections: Collections
    deployments: Deployments
    predictions: Predictions
    trainings: Trainings
    hooks: Hooks
    uploads: Uploads
    links: Links
    #: the kinds of hardware of this machine
    kinds: HardwareKinds
    #: why predictions of a queue wait, in a sentence; None where nothing is known
    reason: Callable[[QueueId], str | None]
    clock: Clock
    limiter: Limiter
    #: requests of each kind that an account may make in a minute; a kind that is missing is not limited
    rates: Mapping[str, Rate]
    #: the same for each of its tokens
    token_rates: Mapping[str, Rate]
    #: a folder for bodies that are too large for memory
    spool: Path
    output_ttl: timedelta
    max_body_bytes: int
    max_push_bytes: int
    public_url: str | None
    #: hosts of others that this server stands in for, if any
    borrowed_hosts: Collection[str]
    #: sentences that say why the server is not ready; empty when it is
    not_ready: Callable[[], list[str]]
    #: creates that were refused for now, whose retries are new ones
    refusals: Refusals = field(default_factory=Refusals)

    def authenticated(self, handler: Handler, scope: Scope, kind: str = REQUESTS) -> Endpoint:
        """The endpoint that runs `handler` for a caller whose token has the scope, within the rate limits of its kind.

        Every answer but a 401 tells what is left of the limits (§1.3). What changes more than the caller's own
        predictions and files is an act: it is in the audit log before it is done.
        """
        is_act = scope in (Scope.write, Scope.admin)

        async def endpoint(request: Request) -> Response:
            bearer, began = request.headers.getlist("authorization"), time.monotonic()
            caller = await self.tokens.authenticate(bearer)
            request = self._checked_again(request, bearer, caller)

            async def permitted(request: Request, caller: Caller) -> Response:
                require(caller, scope)
                return await handler(request, caller)

            async def respond() -> Response:
                if is_act and request.method not in READING:
                    return await self._act(permitted, request, caller)
                try:
                    return await permitted(request, caller)
                except QueueFull:
                    self.refusals.note(request, self.clock.now())
                    raise

            allowance = self._take(caller, kind)
            if kind == CREATES and allowance is not None and not allowance.is_allowed:
                self.refusals.note(request, self.clock.now())
            answered = await _within(allowance, respond)
            if not is_act and time.monotonic() - began > PATIENCE:
                await self.tokens.authenticate(bearer)  # what came of a long wait is not told to who is out by now
            return answered

        return endpoint

    def _checked_again(self, request: Request, bearer: list[str], caller: Caller) -> Request:
        """The request, whose caller is asked for anew once its body is there: a slow one outlives no right."""

        async def receive() -> Message:
            message = await request.receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                await self.tokens.check_same(bearer, caller)
            return message

        return Request(request.scope, receive)

    def open(self, handler: Endpoint) -> Endpoint:
        """The endpoint of a route that needs no token and takes one; others are told apart by their addresses."""

        async def endpoint(request: Request) -> Response:
            if headers := request.headers.getlist("authorization"):
                allowance = self._take(await self.tokens.authenticate(headers), REQUESTS)
            else:
                who = "nobody" if request.client is None else f"address {request.client.host}"
                rate = self.rates.get(REQUESTS)
                allowance = None if rate is None else self.limiter.take([(who, rate)])
            return await _within(allowance, lambda: handler(request))

        return endpoint

    def _take(self, caller: Caller, kind: str) -> Allowance | None:
        """Count a request of the account and of its token; None where neither has a limit."""
        named = ((f"account {caller.id}", self.rates), (f"token {caller.token}", self.token_rates))
        claims = [(who, rates[kind]) for who, rates in named if kind in rates]
        return self.limiter.take(claims) if claims else None

    async def _act(self, handler: Handler, request: Request, caller: Caller) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        address = None if request.client is None else request.client.host
        number = await self.audit.begin(caller, action_of(request), request.scope["path"] + query, address)
        try:
            response = await handler(request, caller)
        except CogyardError as error:
            response = render(error)
        except Exception:
            await self.audit.end(number, 500, details_of(request))
            raise
        await self.audit.end(number, response.status_code, details_of(request))
        return response

    def base(self, request: Request) -> str:
        """`scheme://host` for the URLs of this answer; who came by a borrowed name knows no other address."""
        is_borrowed = request.headers.get("host", "").partition(":")[0].lower() in self.borrowed_hosts
        return base_url(request, None if is_borrowed else self.public_url)

    def wire(self, request: Request) -> Wire:
        """The renderer for this request's client."""
        return Wire(
            base=self.base(request),
            clock=self.clock,
            output_ttl=self.output_ttl,
            sign_output=self.links.sign_output,
            stream_path=self.links.stream_path,
            reason=self.reason,
        )

    def page(self, request: Request, page: Page[object], results: list[dict[str, object]]) -> Response:
        """The envelope of a list (§1.7)."""
        base = self.base(request)
        return answer(
            {
                "next": page_url(request, base, page.next, reverse=False),
                "previous": page_url(request, base, page.previous, reverse=True),
                "results": results,
            }
        )


async def _within(allowance: Allowance | None, respond: Callable[[], Awaitable[Response]]) -> Response:
    """The answer, or a refusal where there is no room for the request, with what is left told in its head."""
    try:
        if allowance is not None and not allowance.is_allowed:
            raise RateLimited(math.ceil(allowance.wait))
        response = await respond()
    except CogyardError as error:
        response = render(error)
    if allowance is not None:
        response.headers["ratelimit-remaining"] = str(allowance.remaining)
        response.headers["ratelimit-reset"] = str(max(math.ceil(allowance.wait), 1))
    return response
