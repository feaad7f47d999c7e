"""Posts webhooks: within a time, to allowed addresses, following no redirect."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import aiohttp

from cogyard.fetch.addresses import AddressPolicy
from cogyard.fetch.session import Refused, open_session


class Poster:
    """Posts with one session; use as an async context."""

    def __init__(self, policy: AddressPolicy, seconds: float) -> None:
        self._policy = policy
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._session = open_session(self._policy, connections=0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int | None, str | None]:
        """The receiver's status code, or else a sentence that says why there is none."""
        if self._session is None:
            raise RuntimeError("the poster is not open")
        try:
            async with self._session.post(
                url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                return response.status, None
        except TimeoutError:
            return None, f"no answer within {self._seconds:g} seconds"
        except aiohttp.ClientConnectorError as error:
            cause = error.os_error
            return None, str(cause) if isinstance(cause, Refused) else f"no connection ({cause.strerror or cause})"
        except Refused as error:
            return None, str(error)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return None, f"{type(error).__name__} {error}".strip()
