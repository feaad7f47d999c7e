"""What was used (an extension): sums as JSON or CSV, and the figures of one prediction."""

import asyncio
import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.request import parse_choice
from cogyard.api.route import resource
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.domain.account import Caller, Scope
from cogyard.domain.errors import InvalidRequest
from cogyard.domain.money import MICRO, seconds, told
from cogyard.domain.usage import UsageBy, start_of
from cogyard.domain.values import AccountId, PredictionId, TokenId
from cogyard.usage import Report, Row, Wanted

FORMATS = ("json", "csv")

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Usage(yard)
    guarded = yard.authenticated
    return [
        resource("/usage", GET=guarded(handlers.report, Scope.read)),
        resource("/predictions/{id}/usage", GET=guarded(handlers.of_prediction, Scope.read)),
    ]


@dataclass(frozen=True, slots=True)
class _Usage:
    yard: Yard

    async def report(self, request: Request, caller: Caller) -> Response:
        form = parse_choice(request, "format", FORMATS, "json")
        report = await self.yard.usage.report(caller, _wanted(request))
        # thousands of rows take a while, in which others are to be answered
        return await asyncio.to_thread(_as_csv if form == "csv" else _as_json, report)

    async def of_prediction(self, request: Request, caller: Caller) -> Response:
        found, used = await self.yard.usage.of_prediction(caller, PredictionId(request.path_params["id"]))
        return answer(
            {
                "prediction": found.id,
                "status": found.status.value,
                "model": found.model,
                "deployment": found.deployment,
                "token": found.token,
                "hardware": found.hardware or None,
                "seconds": seconds(used.run_time),
                "unit": found.unit or None,
                "quantity": used.quantity / MICRO if found.unit else None,
                "price": None if found.price is None else f"{found.price:f}",
                "per": found.unit or "second",
                "cost": None if found.cost is None else told(found.cost),
                "currency": self.yard.usage.prices.currency,
            }
        )


def _wanted(request: Request) -> Wanted:
    """Raises `InvalidRequest` that names the parameter."""
    first, end = _day(request, "from"), _day(request, "to")
    if first is not None and end is not None and end <= first:
        raise InvalidRequest("to: must be a day after from; it is the first day that does not count any more.")
    return Wanted(by=_by(request), first=first, end=end, account=request.query_params.get("account"))


def _by(request: Request) -> tuple[UsageBy, ...]:
    names = [name.strip() for name in request.query_params.get("by", UsageBy.model.value).split(",")]
    for name in names:
        if name not in list(UsageBy):
            raise InvalidRequest(f"by: {name[:40]!r} is not one of {', '.join(UsageBy)}.")
    return tuple(UsageBy(name) for name in dict.fromkeys(names))


def _day(request: Request, name: str) -> date | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        if len(text) != len("2026-01-31"):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{name}: {text[:40]!r} is not a day. Write it as 2026-01-31.") from None


def _as_json(report: Report) -> Response:
    return answer(
        {
            "from": report.first.isoformat(),
            "to": None if report.wanted.end is None else report.wanted.end.isoformat(),
            "currency": report.currency,
            "total": _amounts(report.total),
            "results": [{**_key(report, row), **_amounts(row)} for row in report.rows],
        }
    )


def _key(report: Report, row: Row) -> dict[str, object]:
    told_by: dict[str, object] = {}
    for by, value in zip(report.wanted.by, row.key, strict=True):
        if by is UsageBy.day:
            told_by["day"] = start_of(int(value)).date().isoformat()
        elif by is UsageBy.account:
            told_by["account"] = report.accounts[AccountId(int(value))]
        elif by is UsageBy.token:
            told_by |= {"token": value, "token_name": report.tokens.get(TokenId(int(value)), "")}
        else:
            told_by[by.value] = value
    return told_by


def _amounts(row: Row) -> dict[str, object]:
    amounts = row.amounts
    return {
        "predictions": amounts.count,
        "seconds": seconds(amounts.run_time),
        "uptime_seconds": seconds(amounts.uptime),
        "units": {unit: seconds(quantity) for unit, quantity in row.units.items()},
        "cost": told(amounts.cost),
    }


def _as_csv(report: Report) -> Response:
    """A header, and a line for each sum; every sum has the same columns, whatever it counts."""
    columns = [name for by in report.wanted.by for name in (("token", "token_name") if by == "token" else (by.value,))]
    columns += ["predictions", "seconds", "uptime_seconds", "units", "cost", "currency"]
    text = io.StringIO()
    lines = csv.DictWriter(text, columns)
    lines.writeheader()
    for row in report.rows:
        values = {**_key(report, row), **_amounts(row), "currency": report.currency}
        values["units"] = _units(row.units)
        lines.writerow({name: _cell(value) for name, value in values.items()})
    name = f"usage-{report.first}.csv"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _units(units: Mapping[str, int]) -> str:
    return " ".join(f"{unit}={seconds(quantity)}" for unit, quantity in units.items())


def _cell(value: object) -> object:
    """A value that no spreadsheet takes for a formula: names of models and tokens are chosen by strangers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
