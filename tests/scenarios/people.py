"""Users, organizations and tokens on a real server, for the tests of accounts."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.yard import TOKEN, Yard

ALL = ["read", "run", "write", "admin"]


@dataclass(frozen=True)
class People:
    """The people of a server; each call is made with somebody's token."""

    yard: Yard

    def ask(
        self, token: str | None, method: str, path: str, body: Any = None, prefer: str = "", **more: Any
    ) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        headers |= {"Prefer": prefer} if prefer else {}
        with httpx.Client(base_url=f"{self.yard.url}/v1", trust_env=False, timeout=60) as http:
            return http.request(method, path, json=body, headers=headers, **more)

    def admin(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return self.ask(TOKEN, method, path, body)

    def done(self, token: str, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(token, method, path, body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def user(self, username: str, role: str = "publisher") -> str:
        """A new user's token, with all that she may do."""
        self.done(TOKEN, "POST", "/users", {"username": username, "role": role})
        return self.token(TOKEN, account=username, scopes=[*{"viewer": ["read"], "runner": ALL[:2]}.get(role, ALL)])

    def token(self, by: str, **wanted: Any) -> str:
        made: str = self.done(by, "POST", "/tokens", {"name": "made", **wanted})["token"]
        return made

    def organization(self, username: str, **members: str) -> None:
        self.done(TOKEN, "POST", "/organizations", {"username": username})
        for member, role in members.items():
            self.done(TOKEN, "PUT", f"/organizations/{username}/members/{member}", {"role": role})

    def status(self, token: str | None, path: str = "/account") -> int:
        return self.ask(token, "GET", path).status_code
