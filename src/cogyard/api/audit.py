"""The log of administrative acts (an extension)."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.request import parse_page
from cogyard.api.route import resource
from cogyard.api.yard import Yard
from cogyard.audit import PAGE_SIZE
from cogyard.domain.account import Caller, Scope
from cogyard.domain.audit import Act


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource."""
    return [resource("/audit", GET=yard.authenticated(_Audit(yard).list, Scope.admin))]


@dataclass(frozen=True, slots=True)
class _Audit:
    yard: Yard

    async def list(self, request: Request, caller: Caller) -> Response:
        query = request.query_params
        page = await self.yard.audit.list(
            caller, query.get("account"), query.get("action"), parse_page(request, PAGE_SIZE)
        )
        return self.yard.page(request, page, [_shown(act) for act in page.items])


def _shown(act: Act) -> dict[str, object]:
    return {
        "number": act.number,
        "at": act.at,
        "account": act.username,
        "member": act.member,
        "token": {"id": act.token, "name": act.token_name},
        "address": act.address,
        "action": act.action,
        "target": act.target,
        "status": act.status,
        "details": act.details,
    }
