"""Trainings (§8)."""

import re

from cogyard.domain.values import Json, JsonObject
from cogyard.verify.check import Check
from cogyard.verify.expect import (
    TIME,
    absent,
    generic_404,
    header,
    holds,
    invalid_field,
    keys,
    like,
    refused,
    status,
    typed,
    value,
)
from cogyard.verify.http import Answer
from cogyard.verify.lab import Evidence, Lab
from cogyard.verify.probe import canary, new_model, student
from cogyard.verify.running import attempt, create_at, end_of
from cogyard.verify.verdict import NotTried, require

NO_DESTINATION: Json = {"detail": "The specified training destination does not exist", "status": 404}

WORDS: JsonObject = {"words": "hello world"}


async def _own_student(lab: Lab) -> str:
    if lab.named.train is not None:
        raise NotTried("needs the suite's own model, whose training inputs are known")
    return await lab.once(student)


async def _path(lab: Lab, reference: str | None = None) -> str:
    model, _, version = (reference or await _own_student(lab)).partition(":")
    return f"/models/{model}/versions/{version}/trainings"


async def _destination(lab: Lab) -> str:
    model = (await new_model(lab, lab.unique("trained"))).expect(201)
    return f"{model.string('owner')}/{model.string('name')}"


async def train(lab: Lab, **changes: Json) -> Answer:
    """Whatever the server says to a training of the suite's own model."""
    body: JsonObject = {"destination": await lab.once(_destination), "input": WORDS, **changes}
    return await create_at(lab, await _path(lab), body)


async def _created(lab: Lab) -> Answer:
    return (await train(lab)).expect(201)


async def succeeded(lab: Lab) -> Answer:
    """A training that has ended well."""
    ended = await end_of(lab, await lab.once(_created), noun="trainings")
    require(ended.at("status") == "succeeded", f"expected the training to succeed, got {ended.text[:400]}")
    return ended


async def _failed(lab: Lab) -> Answer:
    created = (await train(lab, input={**WORDS, "fail": True})).expect(201)
    return await end_of(lab, created, noun="trainings")


async def _without_destination(lab: Lab) -> Answer:
    return await create_at(lab, await _path(lab), {"input": WORDS})


def _with(**changes: Json) -> Evidence:
    async def evidence(lab: Lab) -> Answer:
        return await train(lab, **changes)

    return evidence


async def _unknown_destination(lab: Lab) -> Answer:
    owner = (await lab.once(_destination)).partition("/")[0]
    return await train(lab, destination=f"{owner}/{lab.unique('unknown')}")


async def _without_input(lab: Lab) -> Answer:
    return await create_at(lab, await _path(lab), {"destination": await lab.once(_destination)})


async def _unknown_version(lab: Lab) -> Answer:
    model = (await _own_student(lab)).partition(":")[0]
    body: Json = {"destination": await lab.once(_destination), "input": WORDS}
    return await create_at(lab, await _path(lab, f"{model}:{'0' * 64}"), body)


async def _untrainable(lab: Lab) -> Answer:
    await _own_student(lab)
    body: Json = {"destination": await lab.once(_destination), "input": WORDS}
    return await create_at(lab, await _path(lab, await lab.once(canary)), body)


async def _version_in_body(lab: Lab) -> Answer:
    """Sent by the Go client; canceled, since it would run like the others."""
    return await train(lab, version="0" * 64, input={**WORDS, "seconds": 50})


async def _canceled(lab: Lab) -> Answer:
    created = (await lab.once(_version_in_body)).expect(201)
    answer = await lab.client.send("POST", f"/trainings/{created.string('id')}/cancel")
    return answer.expect(200)


async def _canceled_end(lab: Lab) -> Answer:
    return await end_of(lab, await lab.once(_canceled), 30, "trainings")


async def _unknown(lab: Lab) -> Answer:
    return await lab.client.get("/trainings/" + "0" * 26)


async def _cancel_unknown(lab: Lab) -> Answer:
    return await lab.client.send("POST", "/trainings/" + "0" * 26 + "/cancel")


async def _by_prediction_path(lab: Lab) -> Answer:
    return await lab.client.get(f"/predictions/{(await lab.once(_created)).string('id')}")


async def _by_url(lab: Lab) -> Answer:
    return await lab.client.get((await lab.once(_created)).string("urls.get"))


async def _listed(lab: Lab) -> None:
    wanted = (await lab.once(_created)).string("id")
    answer = (await lab.client.get("/trainings")).expect(200)
    ids = [row.get("id") for row in answer.array("results") if isinstance(row, dict)]
    require(wanted in ids, f"expected {wanted} in the list {answer.told}")


async def _newest_first(lab: Lab) -> None:
    await lab.once(_created)
    rows = (await lab.client.get("/trainings")).expect(200).array("results")
    times = [str(row["created_at"]) for row in rows if isinstance(row, dict)]
    require(times == sorted(times, reverse=True), f"expected the newest first, got {times[:5]}")


async def _goal(lab: Lab) -> Answer:
    await lab.once(succeeded)
    return (await lab.client.get(f"/models/{await lab.once(_destination)}")).expect(200)


async def _is_latest(lab: Lab) -> None:
    new = (await lab.once(succeeded)).string("output.version").partition(":")[2]
    require((await lab.once(_goal)).at("latest_version.id") == new, "expected the new version as the latest")


async def _names_destination(lab: Lab) -> None:
    version = (await lab.once(succeeded)).string("output.version")
    pattern = re.escape(await lab.once(_destination)) + ":[0-9a-f]{64}"
    require(re.fullmatch(pattern, version), f"expected {pattern}, got {version}")


async def _weights(lab: Lab) -> Answer:
    return await lab.client.get((await lab.once(succeeded)).string("output.weights"), token=None)


async def _trained(lab: Lab) -> Answer:
    reference = (await lab.once(succeeded)).string("output.version")
    return await end_of(lab, (await attempt(lab, reference, {"text": "worldly"})).expect(201))


CHECKS: tuple[Check, ...] = (
    Check("trainings.create.status", "§8.1", "A new training is answered with 201.", status(_created, 201)),
    Check(
        "trainings.create.id",
        "§9.1",
        "A training's id is of the kind of a prediction's.",
        like(_created, "id", "[0-9a-z]{26}"),
    ),
    Check(
        "trainings.create.state",
        "§9.2",
        "A new training is `starting`.",
        value(_created, "status", "starting", "processing"),
    ),
    Check("trainings.create.input", "§8.2", "A training shows its input.", value(_created, "input", WORDS)),
    Check(
        "trainings.create.output",
        "§8.2",
        "`output` of a training is null or missing before its end.",
        holds(_created, lambda answer: not answer.has("output") or answer.at("output") is None, "no output"),
    ),
    Check("trainings.create.error", "§5.2", "`error` of a training is null at first.", value(_created, "error", None)),
    Check(
        "trainings.create.model",
        "§8.2",
        "A training shows model and version that it starts from.",
        keys(_created, "", "model", "version"),
    ),
    Check(
        "trainings.create.urls",
        "§8.2",
        "A training's `urls` has get and cancel.",
        keys(_created, "urls", "get", "cancel"),
    ),
    Check("trainings.create.polled", "§14", "A training's `urls.get` can be polled.", status(_by_url, 200)),
    Check("trainings.create.source", "§8.2", "A training's `source` is `api`.", value(_created, "source", "api")),
    Check("trainings.create.no-stream", "§5.2", "A training has no stream.", absent(_created, "urls.stream")),
    Check(
        "trainings.create.version-in-body",
        "§8.1",
        "`version` in the body is ignored: a client sends it.",
        status(_version_in_body, 201),
    ),
    Check(
        "trainings.destination.missing",
        "§8.1",
        "Without a destination the answer is a 404 that says that it does not exist.",
        value(_without_destination, "", NO_DESTINATION),
    ),
    Check(
        "trainings.destination.unknown",
        "§8.1",
        "An unknown destination is answered with the same 404.",
        value(_unknown_destination, "", NO_DESTINATION),
    ),
    Check(
        "trainings.destination.malformed",
        "§8.1",
        "A destination that is no `owner/name` is answered with the same 404.",
        value(_with(destination="nonsense"), "", NO_DESTINATION),
    ),
    Check(
        "trainings.destination.foreign",
        "§8.1",
        "A destination of another owner is answered with the same 404.",
        value(_with(destination="nobody/nothing"), "", NO_DESTINATION),
    ),
    Check(
        "trainings.input.missing", "§8.1", "A training without input is refused with 422.", status(_without_input, 422)
    ),
    Check(
        "trainings.input.required",
        "§8.1",
        "The input is checked against `TrainingInput`.",
        invalid_field(_with(input={}), "required", "input", "words is required"),
    ),
    Check(
        "trainings.input.range",
        "§8.1",
        "The limits of training inputs are kept.",
        invalid_field(
            _with(input={**WORDS, "rounds": 10}), "number_lte", "input.rounds", "Must be less than or equal to 9"
        ),
    ),
    Check(
        "trainings.unknown-version",
        "§1.4",
        "A training of an unknown version is answered with the generic 404.",
        generic_404(_unknown_version),
    ),
    Check(
        "trainings.untrainable",
        "§8.1",
        "A training of a version without a train function is refused.",
        refused(_untrainable),
    ),
    Check(
        "trainings.get.unknown", "§1.4", "An unknown training is answered with the generic 404.", generic_404(_unknown)
    ),
    Check(
        "trainings.get.as-prediction",
        "§8.2",
        "A training is also found among the predictions.",
        status(_by_prediction_path, 200),
    ),
    Check("trainings.list.has", "§8.2", "A training is in the list of trainings.", _listed),
    Check("trainings.list.newest-first", "§8.2", "Trainings are listed newest first.", _newest_first),
    Check(
        "trainings.succeeded.status",
        "§9.2",
        "A training that ends well is `succeeded`.",
        value(succeeded, "status", "succeeded"),
    ),
    Check("trainings.succeeded.version", "§8.2", "`output.version` is `destination:id`.", _names_destination),
    Check(
        "trainings.succeeded.weights",
        "§8.2",
        "`output.weights` is a URL.",
        like(succeeded, "output.weights", "https?://.+"),
    ),
    Check(
        "trainings.succeeded.weights-bytes",
        "§8.2",
        "The weights can be fetched without a token.",
        holds(_weights, lambda answer: answer.status == 200 and answer.text == "hello world", "the weights"),
    ),
    Check(
        "trainings.succeeded.metrics",
        "§8.2",
        "A training has `predict_time` and `total_time`.",
        keys(succeeded, "metrics", "predict_time", "total_time"),
    ),
    Check(
        "trainings.succeeded.completed-at",
        "§9.2",
        "A training has a `completed_at` at the end.",
        like(succeeded, "completed_at", TIME),
    ),
    Check(
        "trainings.succeeded.logs",
        "§9.8",
        "`logs` holds what the training prints.",
        holds(succeeded, lambda answer: "round 1" in answer.string("logs"), "the printed line"),
    ),
    Check("trainings.succeeded.latest", "§8.2", "The new version is the destination's latest.", _is_latest),
    Check(
        "trainings.succeeded.schema",
        "§8.2",
        "The new version has a schema.",
        typed(_goal, "latest_version.openapi_schema", dict),
    ),
    Check(
        "trainings.succeeded.runs",
        "§8.2",
        "The new version runs with what was learned.",
        value(_trained, "output", "world"),
    ),
    Check(
        "trainings.failed.status",
        "§9.2",
        "A training whose function raises is `failed`.",
        value(_failed, "status", "failed"),
    ),
    Check(
        "trainings.failed.error",
        "§9.8",
        "`error` is the text of the exception.",
        holds(_failed, lambda answer: "cannot be learned" in answer.string("error"), "the exception's text"),
    ),
    Check("trainings.failed.output", "§8.2", "A failed training has no output.", value(_failed, "output", None)),
    Check(
        "trainings.cancel.status",
        "§8.2",
        "A cancel is answered with 200 and the training.",
        holds(_canceled, lambda answer: answer.status == 200 and answer.string("id"), "the training"),
    ),
    Check(
        "trainings.cancel.ends",
        "§9.2",
        "A canceled training is `canceled`.",
        value(_canceled_end, "status", "canceled"),
    ),
    Check(
        "trainings.cancel.unknown",
        "§1.4",
        "A cancel of an unknown training is answered with the generic 404.",
        generic_404(_cancel_unknown),
    ),
    Check(
        "trainings.create.content-type",
        "§1.3",
        "A training is answered with JSON.",
        header(_created, "content-type", r"application/json(;.*)?"),
    ),
)
