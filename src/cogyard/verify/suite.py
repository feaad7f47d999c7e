"""All checks, in reading order, and one run of them."""

import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

from cogyard.domain.values import JsonObject
from cogyard.verify.check import Check, Finding
from cogyard.verify.http import connect
from cogyard.verify.lab import Lab, Named
from cogyard.verify.runner import try_all
from cogyard.verify.sections import (
    account,
    auth,
    cancel,
    collections,
    deadline,
    delivery,
    deployments,
    deployments_run,
    files,
    lists,
    models,
    models_change,
    official,
    predictions,
    predictions_create,
    predictions_input,
    prefer,
    schemas,
    search,
    streams,
    trainings,
    transport,
    versions,
    webhooks,
)

CHECKS: tuple[Check, ...] = (
    *auth.CHECKS,
    *transport.CHECKS,
    *account.CHECKS,
    *collections.CHECKS,
    *search.CHECKS,
    *models.CHECKS,
    *models_change.CHECKS,
    *versions.CHECKS,
    *schemas.CHECKS,
    *official.CHECKS,
    *predictions_create.CHECKS,
    *predictions_input.CHECKS,
    *predictions.CHECKS,
    *prefer.CHECKS,
    *deadline.CHECKS,
    *cancel.CHECKS,
    *lists.CHECKS,
    *streams.CHECKS,
    *delivery.CHECKS,
    *webhooks.CHECKS,
    *deployments.CHECKS,
    *deployments_run.CHECKS,
    *files.CHECKS,
    *trainings.CHECKS,
)


class NoServer(Exception):
    """Nothing answers at the address; the sentence says what happened."""


class NoEntry(Exception):
    """The server does not take the token."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run has found."""

    findings: Sequence[Finding]
    seconds: float
    #: sentences on what could not be cleared away
    left: Sequence[str]

    def count(self, result: str) -> int:
        """How many checks ended so."""
        return sum(finding.result == result for finding in self.findings)

    def as_json(self, url: str) -> JsonObject:
        """The machine-readable result."""
        return {
            "url": url,
            "passed": self.count("passed"),
            "failed": self.count("failed"),
            "skipped": self.count("skipped"),
            "seconds": round(self.seconds, 1),
            "checks": [finding.as_json() for finding in self.findings],
            "left": list(self.left),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The server that is tried."""

    url: str
    token: str
    trust: ssl.SSLContext
    named: Named


async def verify(target: Target, checks: Sequence[Check], report: Callable[[Finding], None]) -> Result:
    """Try the checks, and clear away what they made. Raises `NoServer`, `NoEntry`."""
    began = time.monotonic()
    async with connect(target.url, target.token, target.trust) as client:
        try:
            first = await client.get("/account")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise NoServer(str(error) or type(error).__name__) from None
        if first.status in (401, 403):
            raise NoEntry(first.text[:200])
        lab = Lab(client, target.named)
        try:
            findings = await try_all(lab, checks, report)
        finally:
            await lab.close()
    return Result(findings, time.monotonic() - began, lab.left)
