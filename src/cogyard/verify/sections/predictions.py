"""The prediction object (§5.2), its states (§9.2), metrics (§9.3), logs and errors (§9.8)."""

import re
from datetime import datetime

from cogyard.verify.check import Check
from cogyard.verify.expect import TIME, absent, generic_404, holds, keys, like, maybe, status, typed, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Lab
from cogyard.verify.probe import broken, canary, grammar
from cogyard.verify.running import created, end_of, failed, run, sleeping, start, succeeded
from cogyard.verify.verdict import NotTried, require, show

ID = r"[0-9a-z]{26}"


def moment(answer: Answer, path: str) -> datetime:
    """The time at a path; fractions of a microsecond are cut off."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", answer.string(path)))


async def _unknown(lab: Lab) -> Answer:
    return await lab.client.get("/predictions/" + "0" * 26)


async def _read_soon(lab: Lab) -> Answer:
    return (await lab.client.get(f"/predictions/{(await lab.once(created)).string('id')}")).expect(200)


async def _null_output(lab: Lab) -> Answer:
    return await run(lab, grammar, {"word": "hello", "mode": "null"})


async def _measured(lab: Lab) -> Answer:
    return await run(lab, grammar, {"word": "hello", "mode": "measure", "count": 7})


async def _empty_text(lab: Lab) -> Answer:
    return await run(lab, canary, {"text": ""})


async def _unset(lab: Lab) -> Answer:
    return await end_of(lab, (await start(lab, broken, {"text": "x"})).expect(201))


async def _version_and_model(lab: Lab) -> None:
    answer, reference = await lab.once(created), await lab.once(canary)
    found = f"{answer.at('model')}:{answer.at('version')}"
    if answer.at("version") == "hidden":
        raise NotTried("the canary is an official model")
    require(found == reference, f"expected {reference}, got {found}")


async def _ids_differ(lab: Lab) -> None:
    first, second = await lab.once(created), await start(lab, canary, {"text": "Ada"})
    require(first.at("id") != second.at("id"), "expected two ids, got the same one twice")


async def _now(lab: Lab, answer: Answer) -> Answer:
    """The prediction now."""
    return (await lab.client.get(f"/predictions/{answer.string('id')}")).expect(200)


async def _output_grows(lab: Lab) -> None:
    running = await start(lab, canary, {"text": "Ada", "pause": 0.3})
    seen: list[list[object]] = []
    while True:
        found = await _now(lab, running)
        output = found.at("output")
        items: list[object] = list(output) if isinstance(output, list) else []
        require(
            not seen or items[: len(seen[-1])] == seen[-1], f"expected output to grow, got {seen[-1:]} then {items}"
        )
        seen.append(items)
        if found.at("status") not in ("starting", "processing"):
            break
    require(seen[-1] == ["hello ", "there, ", "Ada"], f"expected the whole output, got {seen[-1]}")


def _url_texts(answer: Answer) -> bool:
    return all(
        isinstance(url, str) and url.startswith(("http://", "https://")) for url in answer.object("urls").values()
    )


def _joined(answer: Answer) -> bool:
    return "".join(map(str, answer.array("output"))).strip() == "hello there, Ada"


def _times_in_order(answer: Answer) -> bool:
    return moment(answer, "created_at") <= moment(answer, "started_at") <= moment(answer, "completed_at")


def _total_time(answer: Answer) -> bool:
    total = answer.at("metrics.total_time")
    lived = (moment(answer, "completed_at") - moment(answer, "created_at")).total_seconds()
    return isinstance(total, int | float) and abs(total - lived) < 0.5


def _predict_time(answer: Answer) -> bool:
    part, whole = answer.at("metrics.predict_time"), answer.at("metrics.total_time")
    return isinstance(part, int | float) and isinstance(whole, int | float) and 0 <= part <= whole + 0.01


async def _own_urls(lab: Lab) -> None:
    answer = await lab.once(created)
    for name in ("get", "cancel"):
        url = answer.string(f"urls.{name}")
        require(
            url.startswith(f"{lab.client.base}/v1/"), f"expected {name} on the host that was asked, got {show(url)}"
        )


async def _urls_stay(lab: Lab) -> None:
    first, last = await lab.once(created), await lab.once(succeeded)
    for name in ("get", "cancel", "web"):
        require(first.at(f"urls.{name}") == last.at(f"urls.{name}"), f"expected the same {name} URL at the end")


async def _polled_by_url(lab: Lab) -> Answer:
    return await lab.client.get((await lab.once(created)).string("urls.get"))


async def _same_created_at(lab: Lab) -> None:
    first, last = moment(await lab.once(created), "created_at"), moment(await lab.once(succeeded), "created_at")
    require(abs((first - last).total_seconds()) < 0.1, f"expected the same created_at, got {first} and {last}")


async def _no_logs_lost(lab: Lab) -> Answer:
    return await run(lab, grammar, {"word": "hello"})


CHECKS: tuple[Check, ...] = (
    Check(
        "predictions.object.id",
        "§9.1",
        "An id has 26 characters, lower-case letters and digits.",
        like(created, "id", ID),
    ),
    Check(
        "predictions.object.id-alphabet",
        "§9.1",
        "An id is base32 in lower case: that of Crockford, or the older one of RFC 4648.",
        like(created, "id", r"[0-9a-hjkmnp-tv-z]{25}[048cgmrw]|[a-z2-7]{25}[aeimquy4]"),
    ),
    Check("predictions.object.ids-differ", "§9.1", "Two predictions of the same input have two ids.", _ids_differ),
    Check("predictions.object.model", "§5.2", "`model` is `owner/name`.", like(created, "model", "[^/]+/[^/:]+")),
    Check(
        "predictions.object.version", "§5.2", "`model` and `version` are those that were asked for.", _version_and_model
    ),
    Check("predictions.object.input", "§5.2", "`input` is what was given.", value(created, "input", {"text": "Ada"})),
    Check("predictions.object.error", "§5.2", "`error` is there and null at first.", value(created, "error", None)),
    Check("predictions.object.logs", "§5.2", "`logs` is the empty text at first.", typed(created, "logs", str)),
    Check("predictions.object.data-removed", "§5.2", "`data_removed` is false.", value(created, "data_removed", False)),
    Check(
        "predictions.object.created-at",
        "§0.2",
        "`created_at` is a UTC time that ends in `Z`.",
        like(created, "created_at", TIME),
    ),
    Check("predictions.object.source", "§5.2", "`source` is `api`.", value(created, "source", "api")),
    Check("predictions.object.output-key", "§5.2", "`output` is there from the start.", keys(created, "", "output")),
    Check("predictions.object.metrics", "§5.2", "`metrics` is missing or an object.", maybe(created, "metrics", dict)),
    Check(
        "predictions.object.urls",
        "§5.2",
        "`urls` has get, cancel and web.",
        keys(created, "urls", "get", "cancel", "web"),
    ),
    Check(
        "predictions.object.no-null-url",
        "§5.2",
        "No URL in `urls` is null.",
        holds(created, _url_texts, "URLs that are texts"),
    ),
    Check(
        "predictions.object.get-url",
        "§5.2",
        "`urls.get` is `{base}/predictions/{id}`.",
        holds(
            created, lambda answer: answer.string("urls.get").endswith(f"/v1/predictions/{answer.at('id')}"), "that URL"
        ),
    ),
    Check(
        "predictions.object.cancel-url",
        "§5.2",
        "`urls.cancel` is `urls.get` and `/cancel`.",
        holds(created, lambda answer: answer.at("urls.cancel") == f"{answer.at('urls.get')}/cancel", "that URL"),
    ),
    Check(
        "predictions.object.web-url",
        "§5.2",
        "`urls.web` ends with `/p/{id}`.",
        holds(created, lambda answer: answer.string("urls.web").endswith(f"/p/{answer.at('id')}"), "that URL"),
    ),
    Check(
        "predictions.object.own-host",
        "§1.7",
        "URLs name the host that was asked, so that tokens go nowhere else.",
        _own_urls,
    ),
    Check("predictions.object.urls-stay", "§5.2", "The URLs stay the same to the end.", _urls_stay),
    Check("predictions.object.polled-by-url", "§1.3", "`urls.get` can be polled.", status(_polled_by_url, 200)),
    *(
        Check(
            f"predictions.object.no-{key.replace('_', '-')}",
            "§14",
            f"`{key}` is left out when it is not used.",
            absent(created, key),
        )
        for key in ("deployment", "deadline", "webhook", "webhook_events_filter")
    ),
    Check("predictions.get.status", "§5.4", "A prediction is answered with 200.", status(_read_soon, 200)),
    Check(
        "predictions.get.unknown",
        "§1.4",
        "An unknown prediction is answered with the generic 404.",
        generic_404(_unknown),
    ),
    Check("predictions.get.created-at", "§5.4", "`created_at` stays the same, but for milliseconds.", _same_created_at),
    Check(
        "predictions.succeeded.status",
        "§9.2",
        "A prediction that ends well is `succeeded`.",
        value(succeeded, "status", "succeeded"),
    ),
    Check(
        "predictions.succeeded.output",
        "§13.7",
        "The canary says `hello there, <text>`.",
        holds(succeeded, _joined, "that text"),
    ),
    Check(
        "predictions.succeeded.error",
        "§5.2",
        "`error` is null on success, never the empty text.",
        value(succeeded, "error", None),
    ),
    Check("predictions.succeeded.logs", "§9.8", "`logs` is one text.", typed(succeeded, "logs", str)),
    Check(
        "predictions.succeeded.input",
        "§5.2",
        "`input` is still there at the end.",
        value(succeeded, "input", {"text": "Ada"}),
    ),
    Check(
        "predictions.succeeded.started-at",
        "§9.2",
        "`started_at` is a time at the end.",
        like(succeeded, "started_at", TIME),
    ),
    Check(
        "predictions.succeeded.completed-at",
        "§9.2",
        "`completed_at` is a time at the end.",
        like(succeeded, "completed_at", TIME),
    ),
    Check(
        "predictions.succeeded.order",
        "§9.2",
        "A prediction was created, started and completed in this order.",
        holds(succeeded, _times_in_order, "times in order"),
    ),
    Check(
        "predictions.succeeded.predict-time",
        "§9.3",
        "`metrics.predict_time` is part of the total time.",
        holds(succeeded, _predict_time, "seconds"),
    ),
    Check(
        "predictions.succeeded.total-time",
        "§9.3",
        "`metrics.total_time` is the time from creation to completion.",
        holds(succeeded, _total_time, "that time"),
    ),
    Check(
        "predictions.succeeded.list",
        "§9.4",
        "The output of an iterator is the list of its items.",
        value(succeeded, "output", ["hello ", "there, ", "Ada"]),
    ),
    Check(
        "predictions.succeeded.empty-item",
        "§5.2",
        "An empty item of an iterator is kept.",
        value(_empty_text, "output", ["hello ", "there, ", ""]),
    ),
    Check(
        "predictions.succeeded.null-output",
        "§5.2",
        "A model may return nothing: `output` is null and it succeeded.",
        holds(
            _null_output,
            lambda answer: answer.at("output") is None and answer.at("status") == "succeeded",
            "null and succeeded",
        ),
    ),
    Check(
        "predictions.succeeded.own-metric",
        "§9.3",
        "A model can add metrics of its own.",
        value(_measured, "metrics.image_count", 7),
    ),
    Check(
        "predictions.succeeded.printed",
        "§9.8",
        "`logs` holds what the model prints.",
        holds(_no_logs_lost, lambda answer: "mode echo\n" in answer.string("logs"), "the printed line"),
    ),
    Check("predictions.running.output-grows", "§13.2", "Output of an iterator only grows.", _output_grows),
    Check(
        "predictions.running.status",
        "§9.2",
        "A prediction that runs is `processing`.",
        value(sleeping, "status", "processing"),
    ),
    Check(
        "predictions.running.started-at",
        "§9.2",
        "`started_at` comes with `processing`.",
        like(sleeping, "started_at", TIME),
    ),
    Check(
        "predictions.running.not-completed",
        "§9.2",
        "`completed_at` is missing or null while it runs.",
        maybe(sleeping, "completed_at", type(None)),
    ),
    Check(
        "predictions.failed.status",
        "§9.2",
        "A prediction whose model raises is `failed`.",
        value(failed, "status", "failed"),
    ),
    Check(
        "predictions.failed.error",
        "§9.8",
        "`error` is the text of the exception.",
        holds(failed, lambda answer: "no such word: nowhere" in answer.string("error"), "the exception's text"),
    ),
    Check(
        "predictions.failed.output",
        "§9.2",
        "A failed prediction without output has null there.",
        value(failed, "output", None),
    ),
    Check(
        "predictions.failed.logs",
        "§9.8",
        "What a model printed before it failed is kept.",
        holds(failed, lambda answer: "mode fail" in answer.string("logs"), "the printed line"),
    ),
    Check(
        "predictions.failed.completed-at",
        "§9.2",
        "A failed prediction has a `completed_at`.",
        like(failed, "completed_at", TIME),
    ),
    Check(
        "predictions.failed.metrics",
        "§9.3",
        "A failed prediction has a `predict_time`.",
        typed(failed, "metrics.predict_time", int, float),
    ),
    Check(
        "predictions.setup-failed.status",
        "§9.2",
        "A model that cannot be set up fails its predictions.",
        value(_unset, "status", "failed"),
    ),
    Check("predictions.setup-failed.error", "§9.2", "A failed setup is told in `error`.", typed(_unset, "error", str)),
)
