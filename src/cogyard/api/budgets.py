"""Budgets (an extension): list, set, delete."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.acts import note
from cogyard.api.request import path_number, read_json
from cogyard.api.route import resource
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.budgets import NewBudget
from cogyard.domain.account import Caller, Scope
from cogyard.domain.budget import Budget, BudgetKind, Period, Spending
from cogyard.domain.errors import InvalidResource
from cogyard.domain.money import MICRO, seconds, to_nano, told
from cogyard.domain.values import NO_TOKEN, AccountId, Json, JsonObject, TokenId
from cogyard.validation import check_object

MOST = 10**9
"""Largest limit, in the currency or in seconds."""

_LONGEST = 40
"""Characters of a limit; one that was cut off there would be another."""

_NEW: JsonObject = {
    "type": "object",
    "properties": {
        "account": {"type": "string"},
        "token": {"type": ["integer", "null"], "minimum": 1, "maximum": 2**53},
        "kind": {"type": "string", "enum": [kind.value for kind in BudgetKind]},
        "period": {"type": "string", "enum": [period.value for period in Period]},
        "limit": {"type": ["string", "number"]},
    },
    "required": ["kind", "period", "limit"],
    "additionalProperties": False,
}


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    handlers = _Budgets(yard)
    guarded = yard.authenticated
    return [
        resource("/budgets", GET=guarded(handlers.list, Scope.read), PUT=guarded(handlers.put, Scope.admin)),
        resource("/budgets/{id}", DELETE=guarded(handlers.delete, Scope.admin)),
    ]


@dataclass(frozen=True, slots=True)
class _Budgets:
    yard: Yard

    async def list(self, request: Request, caller: Caller) -> Response:
        found = await self.yard.budgets.list(caller, request.query_params.get("account"))
        return answer({"results": await self._shown(found)})

    async def put(self, request: Request, caller: Caller) -> Response:
        wanted = _wanted(check_object(await read_json(request, self.yard.max_body_bytes), _NEW))
        made = await self.yard.budgets.put(caller, wanted)
        [shown] = await self._shown([made])
        note(request, **{name: shown[name] for name in ("id", "account", "token", "kind", "period", "limit")})
        return answer(shown)

    async def delete(self, request: Request, caller: Caller) -> Response:
        gone = await self.yard.budgets.delete(caller, path_number(request))
        note(request, kind=gone.kind.value, period=gone.period.value, limit=_amount(gone, gone.limit))
        return Response(status_code=204)

    async def _shown(self, found: Sequence[Spending]) -> Sequence[JsonObject]:
        accounts, tokens = await self.yard.budgets.names(found)
        return [_told(one, accounts, tokens, self.yard.budgets.currency) for one in found]


def _told(
    spending: Spending, accounts: Mapping[AccountId, str], tokens: Mapping[TokenId, str], currency: str
) -> JsonObject:
    budget = spending.budget
    is_for_token = budget.token != NO_TOKEN
    return {
        "id": budget.id,
        "account": accounts[budget.account],
        "token": budget.token if is_for_token else None,
        "token_name": tokens.get(budget.token) if is_for_token else None,
        "kind": budget.kind.value,
        "period": budget.period.value,
        "limit": _amount(budget, budget.limit),
        "spent": _amount(budget, spending.spent),
        "held": _amount(budget, spending.held),
        "left": _amount(budget, spending.left),
        "currency": currency if budget.kind is BudgetKind.money else None,
        "ends_at": spending.ends_at.isoformat().replace("+00:00", "Z"),
    }


def _amount(budget: Budget, value: int) -> str:
    """A decimal number: money, or seconds."""
    return told(value) if budget.kind is BudgetKind.money else str(seconds(value))


def _wanted(body: JsonObject) -> NewBudget:
    """Raises `InvalidResource`."""
    account, token, kind = body.get("account"), body.get("token"), BudgetKind(str(body["kind"]))
    limit = _limit(body["limit"])
    return NewBudget(
        account=account if isinstance(account, str) else None,
        token=TokenId(int(token)) if isinstance(token, int | float) else NO_TOKEN,
        kind=kind,
        period=Period(str(body["period"])),
        limit=to_nano(limit) if kind is BudgetKind.money else to_nano(limit) // (10**9 // MICRO),
    )


def _limit(given: Json) -> Decimal:
    try:
        text = str(given)
        limit = Decimal(text if len(text) <= _LONGEST else "nan")
    except InvalidOperation:
        limit = Decimal("nan")
    if not limit.is_finite() or not 0 <= limit <= MOST:
        raise InvalidResource("limit", f"must be a number from 0 to {MOST}")
    return limit
