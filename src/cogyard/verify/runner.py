"""Tries checks, many at once; each ends by itself, whatever the others do."""

import asyncio
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

import aiohttp

from cogyard.verify.check import Check, Finding
from cogyard.verify.lab import Lab
from cogyard.verify.verdict import Broken, NotTried

AT_ONCE = 48

SECONDS_PER_CHECK = 180.0

UNEXPECTED_SHAPE = (AttributeError, IndexError, KeyError, TypeError, ValueError)
"""What reading an answer raises that looks nothing like the reference."""


def select(checks: Sequence[Check], globs: Sequence[str]) -> list[Check]:
    """Those whose name fits one of the patterns; all without any. `prefer` stands for `prefer.*` too."""
    if not globs:
        return list(checks)
    return [
        check
        for check in checks
        if any(fnmatchcase(check.name, glob) or check.name.startswith(f"{glob}.") for glob in globs)
    ]


async def try_all(lab: Lab, checks: Sequence[Check], report: Callable[[Finding], None]) -> list[Finding]:
    """The findings in the order of the checks; `report` hears of each as it comes."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(check: Check) -> Finding:
        async with turns:
            finding = await try_one(lab, check)
        report(finding)
        return finding

    return list(await asyncio.gather(*(one(check) for check in checks)))


async def try_one(lab: Lab, check: Check) -> Finding:
    """How one check ends."""
    try:
        async with asyncio.timeout(SECONDS_PER_CHECK):
            await check.assertion(lab)
    except Broken as error:
        return Finding(check, "failed", str(error))
    except NotTried as error:
        return Finding(check, "skipped", str(error))
    except TimeoutError:
        return Finding(check, "failed", f"nothing came within {SECONDS_PER_CHECK:g} s")
    except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
        return Finding(check, "failed", f"the connection broke: {error or type(error).__name__}")
    except UNEXPECTED_SHAPE as error:
        return Finding(check, "failed", f"the answer has an unexpected shape: {type(error).__name__}: {error}")
    return Finding(check, "passed")
