"""What finding out who calls costs with 100,000 tokens: python bench/authentication.py [TOKENS].

A request pays for: the header, the digest of the secret, the look into the memory of bearers, the token's end, both
rate limits and the scope. The first request with a token after a start asks the database; its cost is shown too.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path

from cogyard.clock import SystemClock
from cogyard.domain.account import AccountKind, Role, Scope, Token
from cogyard.domain.values import TokenId
from cogyard.ids import new_token
from cogyard.limits import LocalLimiter
from cogyard.ports import Rate
from cogyard.store import open_store
from cogyard.tokens import Tokens, require

TOKENS = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
ACCOUNTS = 1_000
RATE = Rate("polls", 60_000_000)


async def measure() -> None:
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(Path(folder) / "cogyard.db", clock)
        now = clock.now()
        accounts = [
            await store.create_account(f"user{number}", AccountKind.user, "", now, Role.runner)
            for number in range(ACCOUNTS)
        ]
        secrets = [new_token() for _ in range(TOKENS)]
        bare = [
            Token(
                id=TokenId(0),
                account=accounts[number % ACCOUNTS].id,
                name=f"token {number}",
                prefix="",
                created_at=now,
                expires_at=now + timedelta(days=30),
            )
            for number in range(TOKENS)
        ]
        for start in range(0, TOKENS, 1000):
            made = zip(bare[start : start + 1000], secrets[start : start + 1000], strict=True)
            await asyncio.gather(*(store.create_token(token, secret) for token, secret in made))
        tokens, limiter = Tokens(store, clock, new_token), LocalLimiter(time.monotonic)

        async def request(header: str) -> None:
            caller = await tokens.authenticate([header])
            limiter.take([(f"account {caller.id}", RATE), (f"token {caller.token}", RATE)])
            require(caller, Scope.read)

        headers = [f"Bearer {secret}" for secret in secrets]
        random.Random(1).shuffle(headers)
        told("the first request of each token", await timed(request, headers[:5000]))
        for header in headers:
            await tokens.authenticate([header])
        await asyncio.sleep(2)  # the uses are being noted
        told("every later one", await timed(request, random.Random(2).choices(headers, k=200_000)))
        await store.close()


async def timed(request: Callable[[str], Awaitable[None]], headers: Sequence[str]) -> list[float]:
    """Seconds of each."""
    times = []
    for header in headers:
        start = time.perf_counter()
        await request(header)
        times.append(time.perf_counter() - start)
    return sorted(times)


def told(what: str, times: list[float]) -> None:
    """Print microseconds."""
    mean, middle, late = sum(times) / len(times), times[len(times) // 2], times[len(times) * 99 // 100]
    print(f"{what}: mean {mean * 1e6:.1f} µs, p50 {middle * 1e6:.1f} µs, p99 {late * 1e6:.1f} µs")


asyncio.run(measure())
