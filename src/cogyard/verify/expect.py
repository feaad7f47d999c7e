"""The words that most checks are written in: what is expected of an answer, as an assertion over its evidence."""

import re
from collections.abc import Callable

from cogyard.domain.values import Json
from cogyard.verify.check import Assertion
from cogyard.verify.http import Answer
from cogyard.verify.lab import Evidence, Lab
from cogyard.verify.verdict import Broken, require, show

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3}|\.\d{6}|\.\d{9})?Z")
"""RFC 3339 in UTC, with 0, 3, 6 or 9 digits of a second."""

NOT_FOUND = "The requested resource could not be found."


def status(evidence: Evidence, *wanted: int) -> Assertion:
    """The answer has one of the statuses."""

    async def assertion(lab: Lab) -> None:
        (await lab.once(evidence)).expect(*wanted)

    return assertion


def refused(evidence: Evidence) -> Assertion:
    """The answer is a 4xx whose JSON body has a `detail` that is a string; which one is not documented."""

    async def assertion(lab: Lab) -> None:
        answer = await lab.once(evidence)
        require(400 <= answer.status < 500, f"expected a 4xx, got {answer.status}: {show(answer.text)} {answer.told}")
        require(isinstance(answer.at("detail"), str), f"expected a text in detail, got {show(answer.text)}")

    return assertion


def reason(evidence: Evidence, *wanted: str) -> Assertion:
    """The status line has one of the reason phrases."""

    async def assertion(lab: Lab) -> None:
        answer = await lab.once(evidence)
        require(answer.reason in wanted, f"expected {' or '.join(wanted)}, got {answer.reason!r} {answer.told}")

    return assertion


def header(evidence: Evidence, name: str, pattern: str) -> Assertion:
    """The answer has a header whose whole value matches, whatever its case."""

    async def assertion(lab: Lab) -> None:
        answer = await lab.once(evidence)
        found = answer.headers.get(name)
        matches = found is not None and re.fullmatch(pattern, found, re.IGNORECASE)
        require(matches, f"expected the header {name} to match {pattern!r}, got {show(found)} {answer.told}")

    return assertion


def no_header(evidence: Evidence, name: str) -> Assertion:
    """The answer has no such header."""

    async def assertion(lab: Lab) -> None:
        answer = await lab.once(evidence)
        found = answer.headers.get(name)
        require(found is None, f"expected no header {name}, got {show(found)} {answer.told}")

    return assertion


def value(evidence: Evidence, path: str, *wanted: Json) -> Assertion:
    """The value at the path is one of those wanted."""

    async def assertion(lab: Lab) -> None:
        answer = await lab.once(evidence)
        found = answer.at(path)
        is_one = any(_same(found, one) for one in wanted)
        options = " or ".join(show(one) for one in wanted)
        require(is_one, f"expected {path} to be {options}, got {show(found)} {answer.told}")

    return assertion


def _same(found: Json, wanted: Json) -> bool:
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)


def like(evidence: Evidence, path: str, pattern: str | re.Pattern[str]) -> Assertion:
    """The value at the path is a string that matches as a whole."""

    async def assertion(lab: Lab) -> None:
        answer = await lab.once(evidence)
        found = answer.string(path)
        matches = re.fullmatch(pattern, found)
        text = pattern if isinstance(pattern, str) else pattern.pattern
        require(matches, f"expected {path} to match {text!r}, got {show(found)} {answer.told}")

    return assertion


def typed(evidence: Evidence, path: str, *kinds: type) -> Assertion:
    """The value at the path is of one of the types; a boolean is no number, `type(None)` stands for null."""

    async def assertion(lab: Lab) -> None:
        answer = await lab.once(evidence)
        found = answer.at(path)
        is_one = isinstance(found, kinds) and (bool in kinds or not isinstance(found, bool))
        names = " or ".join("null" if kind is type(None) else kind.__name__ for kind in kinds)
        require(is_one, f"expected {path} to be {names}, got {show(found)} {answer.told}")

    return assertion


def maybe(evidence: Evidence, path: str, kind: type) -> Assertion:
    """The key at the path is missing, null, or of the type."""

    async def assertion(lab: Lab) -> None:
        answer = await lab.once(evidence)
        found = answer.at(path) if answer.has(path) else None
        is_one = found is None or (isinstance(found, kind) and (kind is bool or not isinstance(found, bool)))
        require(is_one, f"expected {path} to be {kind.__name__} or missing, got {show(found)} {answer.told}")

    return assertion


def absent(evidence: Evidence, *paths: str) -> Assertion:
    """The body has none of the keys."""

    async def assertion(lab: Lab) -> None:
        answer = await lab.once(evidence)
        answer.json()
        found = [path for path in paths if answer.has(path)]
        require(not found, f"expected no {', '.join(found)}, got {show(answer.json())} {answer.told}")

    return assertion


def keys(evidence: Evidence, path: str, *wanted: str) -> Assertion:
    """The object at the path has all the keys."""

    async def assertion(lab: Lab) -> None:
        answer = await lab.once(evidence)
        found = answer.object(path)
        missing = [key for key in wanted if key not in found]
        require(not missing, f"expected the keys {', '.join(missing)}, got {', '.join(found)} {answer.told}")

    return assertion


def holds(evidence: Evidence, is_so: Callable[[Answer], object], wanted: str) -> Assertion:
    """Something about the answer that the words above do not say; `wanted` says it."""

    async def assertion(lab: Lab) -> None:
        answer = await lab.once(evidence)
        require(is_so(answer), f"expected {wanted}, got {show(answer.text)} {answer.told}")

    return assertion


def generic_404(evidence: Evidence) -> Assertion:
    """The answer that everything unknown gets (§1.4)."""

    async def assertion(lab: Lab) -> None:
        answer = (await lab.once(evidence)).expect(404)
        wanted: Json = {"detail": NOT_FOUND, "status": 404}
        require(answer.json() == wanted, f"expected {show(wanted)}, got {show(answer.json())} {answer.told}")

    return assertion


def empty(evidence: Evidence, wanted: int) -> Assertion:
    """The answer has the status and no body."""

    async def assertion(lab: Lab) -> None:
        answer = (await lab.once(evidence)).expect(wanted)
        require(not answer.body, f"expected no body, got {show(answer.text)} {answer.told}")

    return assertion


def invalid_field(evidence: Evidence, kind: str, field: str, description: str) -> Assertion:
    """A 422 that names, maybe among others, this fault (§1.5)."""

    async def assertion(lab: Lab) -> None:
        answer = (await lab.once(evidence)).expect(422)
        wanted: Json = {"type": kind, "field": field, "description": description}
        faults = answer.array("invalid_fields")
        require(wanted in faults, f"expected {show(wanted)} in invalid_fields, got {show(faults)} {answer.told}")

    return assertion


def every(evidence: Evidence, path: str, is_so: Callable[[Json], object], wanted: str) -> Assertion:
    """Each row of the array at the path is so; `wanted` says how a row has to be."""

    async def assertion(lab: Lab) -> None:
        answer = await lab.once(evidence)
        for row in answer.array(path):
            if not is_so(row):
                raise Broken(f"expected every row {wanted}, got {show(row)} {answer.told}")

    return assertion
