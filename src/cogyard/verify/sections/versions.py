"""Versions: list, get, delete (§4.7)."""

import re
from dataclasses import dataclass

from cogyard.domain.values import Json
from cogyard.verify.check import Check
from cogyard.verify.expect import TIME, empty, every, generic_404, holds, like, refused, status, typed, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Evidence, Lab
from cogyard.verify.probe import DELETED_WITHIN, canary, folder, grammar, new_model, owner, push, sku
from cogyard.verify.running import attempt, end_of
from cogyard.verify.verdict import require
from cogyard.verify.waiting import until


def _path(reference: str) -> str:
    model, _, version = reference.partition(":")
    return f"/models/{model}/versions/{version}"


async def _got(lab: Lab) -> Answer:
    return (await lab.client.get(_path(await lab.once(canary)))).expect(200)


async def _unknown(lab: Lab) -> Answer:
    model = (await lab.once(canary)).partition(":")[0]
    return await lab.client.get(f"/models/{model}/versions/{'0' * 64}")


async def _of_other_model(lab: Lab) -> Answer:
    version = (await lab.once(canary)).partition(":")[2]
    model = (await lab.once(grammar)).partition(":")[0]
    return await lab.client.get(f"/models/{model}/versions/{version}")


async def _by_whole_reference(lab: Lab) -> Answer:
    reference = await lab.once(canary)
    return await lab.client.get(f"/models/{reference.partition(':')[0]}/versions/{reference}")


async def _of_unknown_model(lab: Lab) -> Answer:
    return await lab.client.get(f"/models/{await owner(lab)}/{lab.unique('unknown')}/versions")


# --- a model with two versions, the older of which is used and then deleted -------------------------------------------


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions of one model."""

    older: str
    newer: str


async def _pair(lab: Lab) -> Pair:
    await lab.once(grammar)  # skips early, and for the right reason, where nothing can be pushed
    model = (await new_model(lab, lab.unique("pair"))).expect(201)
    name = f"{model.string('owner')}/{model.string('name')}"
    older = await push(lab, name, folder("canary", {"EDITION = 1": f"EDITION = '{lab.suffix}'"}))
    return Pair(older, await push(lab, name, folder("canary", {"EDITION = 1": f"EDITION = '{lab.suffix} 2'"})))


async def _listed(lab: Lab) -> Answer:
    pair = await lab.once(_pair)
    return (await lab.client.get(f"/models/{pair.newer.partition(':')[0]}/versions")).expect(200)


async def _newest_first(lab: Lab) -> None:
    pair, found = await lab.once(_pair), (await lab.once(_listed)).array("results")
    ids = [row.get("id") for row in found if isinstance(row, dict)]
    wanted = [pair.newer.partition(":")[2], pair.older.partition(":")[2]]
    require(ids == wanted, f"expected the newer version first, got {ids}")


async def _latest(lab: Lab) -> None:
    pair = await lab.once(_pair)
    await lab.once(_listed)
    name, _, version = pair.newer.partition(":")
    found = (await lab.client.get(f"/models/{name}")).expect(200)
    require(found.at("latest_version.id") == version, f"expected the newer version as latest {found.told}")


async def _older_runs(lab: Lab) -> Answer:
    pair = await lab.once(_pair)
    await lab.once(_listed)
    created = (await attempt(lab, pair.older, {"text": "old"})).expect(201, 202)
    return await end_of(lab, created)


async def _deleted(lab: Lab) -> Answer:
    ran = await lab.once(_older_runs)
    require(ran.at("status") == "succeeded", f"expected a prediction of the older version to succeed {ran.told}")
    return await lab.client.send("DELETE", _path((await lab.once(_pair)).older), headers={"Accept": "*/*"})


def _disappears(evidence: Evidence) -> "Evidence":
    """The 404 that comes in place of something that was deleted."""

    async def gone(lab: Lab) -> Answer:
        (await lab.once(_deleted)).expect(202)

        async def look() -> Answer | None:
            found = await evidence(lab)
            return found if found.status == 404 else None

        return await until(look, DELETED_WITHIN, "the disappearance of what was deleted")

    return gone


async def _older(lab: Lab) -> Answer:
    return await lab.client.get(_path((await lab.once(_pair)).older))


async def _its_prediction(lab: Lab) -> Answer:
    return await lab.client.get(f"/predictions/{(await lab.once(_older_runs)).string('id')}")


async def _other_stays(lab: Lab) -> None:
    await lab.once(_gone)
    (await lab.client.get(_path((await lab.once(_pair)).newer))).expect(200)


async def _model_with_versions(lab: Lab) -> Answer:
    await lab.once(_gone)
    return await lab.client.send("DELETE", f"/models/{(await lab.once(_pair)).newer.partition(':')[0]}")


async def _deleted_unknown(lab: Lab) -> Answer:
    model = (await lab.once(canary)).partition(":")[0]
    return await lab.client.send("DELETE", f"/models/{model}/versions/{'0' * 64}")


async def _deployed(lab: Lab) -> Answer:
    """DELETE of a version that a deployment uses."""
    pair = await lab.once(_pair)
    await lab.once(_gone)
    name = lab.unique("holds")
    body: Json = {
        "name": name,
        "model": pair.newer.partition(":")[0],
        "version": pair.newer.partition(":")[2],
        "hardware": await sku(lab),
        "min_instances": 0,
        "max_instances": 1,
    }
    (await lab.client.post("/deployments", body)).expect(200, 201)

    async def undo() -> None:
        (await lab.client.send("DELETE", f"/deployments/{await owner(lab)}/{name}")).expect(204)

    lab.later(f"deployment {name}", undo)
    return await lab.client.send("DELETE", _path(pair.newer))


async def _base_of_training(lab: Lab) -> Answer:
    """DELETE of the version that the suite's trainings start from; it is refused, so nothing is lost."""
    from cogyard.verify.sections.trainings import succeeded

    ended = await lab.once(succeeded)
    return await lab.client.send("DELETE", f"/models/{ended.string('model')}/versions/{ended.string('version')}")


_gone = _disappears(_older)
_prediction_gone = _disappears(_its_prediction)


def _has_id(row: Json) -> bool:
    return isinstance(row, dict) and re.fullmatch("[0-9a-f]{64}", str(row.get("id"))) is not None


CHECKS: tuple[Check, ...] = (
    Check("versions.get.id", "§4.7", "A version's id is 64 lower-case hex digits.", like(_got, "id", "[0-9a-f]{64}")),
    Check("versions.get.created-at", "§4.7", "A version has a `created_at`.", like(_got, "created_at", TIME)),
    Check(
        "versions.get.cog-version", "§4.7", "A version has a `cog_version`.", like(_got, "cog_version", r"\d+\.\d+.*")
    ),
    Check("versions.get.schema", "§4.7", "A version has an `openapi_schema`.", typed(_got, "openapi_schema", dict)),
    Check(
        "versions.get.unknown", "§4.7", "An unknown version is answered with the generic 404.", generic_404(_unknown)
    ),
    Check(
        "versions.get.of-other-model",
        "§4.7",
        "A version of another model is answered with 404.",
        status(_of_other_model, 404),
    ),
    Check(
        "versions.get.bare-id",
        "§4.7",
        "The path names a version by its bare id, never by `owner/name:id`.",
        status(_by_whole_reference, 404),
    ),
    Check(
        "versions.list.envelope",
        "§4.7",
        "The first page of versions has no `previous`.",
        value(_listed, "previous", None),
    ),
    Check(
        "versions.list.rows",
        "§4.7",
        "Rows of versions have 64 hex digits as id.",
        every(_listed, "results", _has_id, "to have an id"),
    ),
    Check("versions.list.newest-first", "§4.7", "Versions are listed newest first.", _newest_first),
    Check(
        "versions.list.unknown-model",
        "§4.7",
        "Versions of an unknown model are answered with 404.",
        status(_of_unknown_model, 404),
    ),
    Check("versions.latest", "§4.1", "The version that was added last is the model's latest.", _latest),
    Check(
        "versions.older-runs",
        "§5.1",
        "An older version still runs when it is named.",
        holds(_older_runs, lambda answer: answer.at("status") == "succeeded", "the prediction to succeed"),
    ),
    Check(
        "versions.delete.status", "§4.7", "A deleted version is answered with 202 and no body.", empty(_deleted, 202)
    ),
    Check("versions.delete.gone", "§4.7", "A deleted version is there no more, soon after.", status(_gone, 404)),
    Check(
        "versions.delete.predictions",
        "§4.7",
        "The predictions of a deleted version are deleted too.",
        status(_prediction_gone, 404),
    ),
    Check("versions.delete.others-stay", "§4.7", "Other versions of the model stay.", _other_stays),
    Check(
        "versions.delete.unknown",
        "§4.7",
        "DELETE of an unknown version is answered with 404.",
        status(_deleted_unknown, 404),
    ),
    Check(
        "versions.delete.deployed", "§4.7", "A version that a deployment uses cannot be deleted.", refused(_deployed)
    ),
    Check(
        "versions.delete.trained",
        "§4.7",
        "A version that a training started from cannot be deleted.",
        refused(_base_of_training),
    ),
    Check(
        "models.delete.with-versions", "§4.4", "A model with versions cannot be deleted.", refused(_model_with_versions)
    ),
)
