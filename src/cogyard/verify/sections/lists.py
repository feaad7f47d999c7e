"""Lists: pages and cursors (§1.7), the list of predictions (§5.3), of models (§4.2)."""

import asyncio
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote, urlsplit

from cogyard.domain.values import Json, JsonObject
from cogyard.verify.check import Assertion, Check
from cogyard.verify.expect import absent, every, holds, keys, status, typed, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Evidence, Lab
from cogyard.verify.probe import canary
from cogyard.verify.running import attempt, created, end_of, succeeded
from cogyard.verify.sections.predictions import moment
from cogyard.verify.verdict import NotTried, require

PAGE = 100
MODELS_PAGE = 25
TRIES = 3

PAGED = ("/collections", "/deployments", "/files", "/models", "/predictions", "/trainings")


def _get(path: str) -> Evidence:
    async def evidence(lab: Lab) -> Answer:
        return (await lab.client.get(path)).expect(200)

    return evidence


def _rows(answer: Answer) -> list[JsonObject]:
    return [row for row in answer.array("results") if isinstance(row, dict)]


def _ids(answer: Answer) -> list[str]:
    return [str(row["id"]) for row in _rows(answer)]


# --- more than a page of predictions ----------------------------------------------------------------------------------


async def _many(lab: Lab) -> str:
    """A query that names more than a page of predictions, and no more than there are now."""
    listed = (await lab.client.get("/predictions")).expect(200)
    missing = PAGE + 1 - len(_rows(listed)) if listed.at("next") is None else 0
    if missing > 0:
        if lab.named.canary is not None:
            raise NotTried(f"needs {missing} more predictions of the account, which would cost money")
        reference = await lab.once(canary)
        await lab.once(succeeded)
        await asyncio.gather(*(_one(lab, reference) for _ in range(missing)))
    newest = (await lab.client.get("/predictions")).expect(200)
    before = moment(newest, "results.0.created_at") + timedelta(milliseconds=1)
    return f"created_before={quote(before.astimezone(UTC).isoformat())}"


async def _one(lab: Lab, reference: str) -> Answer:
    return await end_of(lab, (await attempt(lab, reference, {"text": "one of many"})).expect(201))


async def _first(lab: Lab) -> Answer:
    return (await lab.client.get(f"/predictions?{await lab.once(_many)}")).expect(200)


async def _second(lab: Lab) -> Answer:
    return (await lab.client.get((await lab.once(_first)).string("next"))).expect(200)


async def _back(lab: Lab) -> Answer:
    return (await lab.client.get((await lab.once(_second)).string("previous"))).expect(200)


async def _no_overlap(lab: Lab) -> None:
    first, second = _ids(await lab.once(_first)), _ids(await lab.once(_second))
    twice = [one for one in first if one in second]
    require(not twice, f"expected no row on two pages, got {twice[:3]}")


async def _back_is_first(lab: Lab) -> None:
    first, back = await lab.once(_first), await lab.once(_back)
    for _ in range(TRIES - 1):
        if _ids(first) != _ids(back):  # a row may have been deleted meanwhile
            first = (await lab.client.get(f"/predictions?{await lab.once(_many)}")).expect(200)
            second = (await lab.client.get(first.string("next"))).expect(200)
            back = (await lab.client.get(second.string("previous"))).expect(200)
    require(_ids(first) == _ids(back), "expected `previous` of the second page to lead to the first page")


async def _order_goes_on(lab: Lab) -> None:
    first, second = await lab.once(_first), await lab.once(_second)
    last = moment(first, f"results.{len(_rows(first)) - 1}.created_at")
    require(moment(second, "results.0.created_at") <= last, "expected the second page to be older than the first")


async def _own_host(lab: Lab) -> None:
    following = (await lab.once(_first)).string("next")
    require(
        following.startswith(f"{lab.client.base}/v1/"), f"expected next on the host that was asked, got {following}"
    )


async def _last_page(lab: Lab) -> Answer:
    page = await lab.once(_second)
    while isinstance(following := page.at("next"), str):
        page = (await lab.client.get(following)).expect(200)
    return page


def _newest_first(answer: Answer) -> bool:
    times = [moment(answer, f"results.{number}.created_at") for number in range(len(_rows(answer)))]
    return times == sorted(times, reverse=True)


def _has_cursor(answer: Answer) -> bool:
    return "cursor" in parse_qs(urlsplit(answer.string("next")).query)


def _keeps_filter(answer: Answer) -> bool:
    return "created_before" in parse_qs(urlsplit(answer.string("next")).query)


# --- filters ----------------------------------------------------------------------------------------------------------


def _written(time: datetime, form: str) -> str:
    plain = time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return {"z": f"{plain}Z", "offset": quote(f"{plain}+00:00"), "blank": f"{plain}+00:00"}[form]


def _finds(parameter: str, offset: timedelta, form: str, *, is_found: bool) -> Assertion:
    """Whether the filter keeps the prediction, with a time so much after its creation."""

    async def assertion(lab: Lab) -> None:
        one = await lab.once(created)
        time = moment(await lab.once(succeeded), "created_at") + offset
        other = "created_before" if parameter == "created_after" else "created_after"
        near = time + timedelta(seconds=2 if parameter == "created_after" else -2)
        query = f"{parameter}={_written(time, form)}&{other}={_written(near, 'z')}"
        answer = (await lab.client.get(f"/predictions?{query}")).expect(200)
        ids = [row["id"] for row in _rows(answer)]
        found = one.at("id") in ids
        require(found == is_found, f"expected the prediction {'' if is_found else 'not '}to be listed {answer.told}")

    return assertion


async def _nothing(lab: Lab) -> Answer:
    return (await lab.client.get("/predictions?created_before=2001-01-01T00:00:00Z")).expect(200)


async def _web(lab: Lab) -> Answer:
    await lab.once(created)
    return (await lab.client.get("/predictions?source=web")).expect(200)


async def _own(lab: Lab) -> Answer:
    await lab.once(succeeded)
    return (await lab.client.get("/predictions")).expect(200)


# --- models -----------------------------------------------------------------------------------------------------------


async def _models(lab: Lab) -> Answer:
    answer = (await lab.client.get("/models")).expect(200)
    if not _rows(answer):
        raise NotTried("there are no public models")
    return answer


def _sorted_models(query: str, path: str, *, is_descending: bool) -> Assertion:
    async def assertion(lab: Lab) -> None:
        await lab.once(_models)
        answer = (await lab.client.get(f"/models{query}")).expect(200)
        rows = range(len(_rows(answer)))
        if not all(answer.has(f"results.{number}.{path}") for number in rows):
            raise NotTried(f"the rows do not tell {path}")
        times = [moment(answer, f"results.{number}.{path}") for number in rows]
        wanted = sorted(times, reverse=is_descending)
        require(times == wanted, f"expected models by {path}, got {[str(time) for time in times]} {answer.told}")

    return assertion


async def _models_pages(lab: Lab) -> None:
    answer = (await lab.client.get("/models?sort_by=model_created_at&sort_direction=asc")).expect(200)
    if answer.at("next") is None:
        raise NotTried(f"there are no more than {MODELS_PAGE} public models")
    query = parse_qs(urlsplit(answer.string("next")).query)
    kept = (query.get("sort_by"), query.get("sort_direction"))
    require(kept == (["model_created_at"], ["asc"]), f"expected next to keep the order, got {answer.string('next')}")


async def _private_is_not_listed(lab: Lab) -> None:
    name = (await lab.once(canary)).partition(":")[0]
    if lab.named.canary is not None:
        raise NotTried("needs a private model of the suite's own")
    answer = (await lab.client.get("/models")).expect(200)
    names = [f"{row['owner']}/{row['name']}" for row in _rows(answer)]
    require(name not in names, f"expected the private model not to be listed {answer.told}")


def _is_public(row: Json) -> bool:
    return isinstance(row, dict) and row.get("visibility") == "public"


def _has_version(row: Json) -> bool:
    return isinstance(row, dict) and isinstance(row.get("latest_version"), dict)


CHECKS: tuple[Check, ...] = (
    *(
        Check(
            f"lists.envelope.{path.strip('/')}",
            "§1.7",
            f"`GET {path}` has `next`, `previous` and `results`, and `previous` is null on the first page.",
            holds(
                _get(path),
                lambda answer: (
                    {"next", "previous", "results"} <= set(answer.object())
                    and answer.at("previous") is None
                    and isinstance(answer.at("results"), list)
                ),
                "the envelope of a page",
            ),
        )
        for path in PAGED
    ),
    Check(
        "lists.page-size",
        "§1.7",
        "A page has 100 predictions.",
        holds(_first, lambda answer: len(_rows(answer)) == PAGE, "100 rows"),
    ),
    Check(
        "lists.next.absolute",
        "§1.7",
        "`next` is an absolute URL.",
        holds(_first, lambda answer: urlsplit(answer.string("next")).netloc, "scheme and host"),
    ),
    Check(
        "lists.next.cursor", "§1.7", "`next` has a query parameter `cursor`.", holds(_first, _has_cursor, "a cursor")
    ),
    Check(
        "lists.next.host", "§1.7", "`next` names the host that was asked, so that tokens go nowhere else.", _own_host
    ),
    Check(
        "lists.next.filter",
        "§1.7",
        "`next` keeps the other parameters.",
        holds(_first, _keeps_filter, "created_before in next"),
    ),
    Check("lists.next.status", "§1.7", "`next` can be followed.", status(_second, 200)),
    Check("lists.next.no-overlap", "§1.7", "No row is on two pages.", _no_overlap),
    Check("lists.next.order", "§5.3", "The order goes on from page to page.", _order_goes_on),
    Check("lists.previous", "§1.7", "`previous` leads back to the page before.", _back_is_first),
    Check("lists.last", "§1.7", "`next` of the last page is null.", value(_last_page, "next", None)),
    Check(
        "lists.empty",
        "§1.7",
        "An empty page has null at both ends.",
        value(_nothing, "", {"next": None, "previous": None, "results": []}),
    ),
    Check(
        "lists.predictions.newest-first",
        "§5.3",
        "Predictions are listed newest first.",
        holds(_first, _newest_first, "newest first"),
    ),
    Check(
        "lists.predictions.rows",
        "§5.3",
        "A row of predictions is a prediction.",
        keys(_own, "results.0", "id", "model", "version", "input", "output", "status", "created_at", "urls", "source"),
    ),
    Check(
        "lists.predictions.after-inclusive",
        "§5.3",
        "`created_after` includes its own time.",
        _finds("created_after", timedelta(), "z", is_found=True),
    ),
    Check(
        "lists.predictions.after",
        "§5.3",
        "`created_after` leaves out what is older.",
        _finds("created_after", timedelta(milliseconds=1), "z", is_found=False),
    ),
    Check(
        "lists.predictions.before-exclusive",
        "§5.3",
        "`created_before` excludes its own time.",
        _finds("created_before", timedelta(), "z", is_found=False),
    ),
    Check(
        "lists.predictions.before",
        "§5.3",
        "`created_before` keeps what is older.",
        _finds("created_before", timedelta(milliseconds=1), "z", is_found=True),
    ),
    Check(
        "lists.predictions.offset",
        "§5.3",
        "Times may be written with `+00:00`.",
        _finds("created_after", timedelta(), "offset", is_found=True),
    ),
    Check(
        "lists.predictions.blank",
        "§5.3",
        "A `+` that was not escaped is understood.",
        _finds("created_after", timedelta(), "blank", is_found=True),
    ),
    Check(
        "lists.predictions.web",
        "§5.3",
        "`source=web` leaves out what the API created.",
        every(
            _web, "results", lambda row: isinstance(row, dict) and row.get("source") == "web", "to come from the web"
        ),
    ),
    Check(
        "lists.models.public",
        "§4.2",
        "Only public models are listed.",
        every(_models, "results", _is_public, "to be public"),
    ),
    Check(
        "lists.models.page-size",
        "§4.2",
        "A page has 25 models at most.",
        holds(_models, lambda answer: len(_rows(answer)) <= MODELS_PAGE, "25 rows at most"),
    ),
    Check(
        "lists.models.with-versions",
        "§4.2",
        "Models without versions are not listed under the default order.",
        every(_models, "results", _has_version, "to have a version"),
    ),
    Check(
        "lists.models.rows",
        "§4.1",
        "A row of models is a model.",
        keys(
            _models,
            "results.0",
            "url",
            "owner",
            "name",
            "visibility",
            "run_count",
            "cover_image_url",
            "default_example",
            "latest_version",
        ),
    ),
    Check(
        "lists.models.no-versions-key",
        "§4.1",
        "A row of models has no key `versions`.",
        absent(_models, "results.0.versions"),
    ),
    Check(
        "lists.models.run-count",
        "§4.1",
        "`run_count` of a row is a whole number.",
        typed(_models, "results.0.run_count", int),
    ),
    Check("lists.models.private", "§4.2", "A private model is not listed.", _private_is_not_listed),
    Check(
        "lists.models.default-order",
        "§4.2",
        "By default the model with the newest version comes first.",
        _sorted_models("", "latest_version.created_at", is_descending=True),
    ),
    Check(
        "lists.models.ascending",
        "§4.2",
        "`sort_direction=asc` turns the order round.",
        _sorted_models("?sort_direction=asc", "latest_version.created_at", is_descending=False),
    ),
    Check(
        "lists.models.by-model",
        "§4.2",
        "`sort_by=model_created_at` goes by the model's age.",
        _sorted_models("?sort_by=model_created_at", "created_at", is_descending=True),
    ),
    Check(
        "lists.models.next-keeps-order", "§1.7", "`next` of models keeps `sort_by` and `sort_direction`.", _models_pages
    ),
)
