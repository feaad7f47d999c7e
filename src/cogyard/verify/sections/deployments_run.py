"""Predictions on a deployment (§6.2, §6.3).

The deployment that ran cannot be deleted for a quarter of an hour; it stays, disabled, and the next run takes it again.
"""

from cogyard.domain.values import JsonObject
from cogyard.verify.check import Check
from cogyard.verify.expect import generic_404, header, holds, like, refused, status, typed, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import PREFIX, Lab
from cogyard.verify.probe import full_canary, kept, sku
from cogyard.verify.running import create_at, end_of, is_processing
from cogyard.verify.sections.deployments import path_of
from cogyard.verify.verdict import NotTried, require

NAME = f"{PREFIX}deployment"


async def _reference(lab: Lab) -> str:
    """The canary in a model that stays, since the deployment stays that uses it."""
    await lab.once(full_canary)
    return await kept(lab, "canary", {"EDITION = 1": "EDITION = 'of a deployment'"})


async def _ready(lab: Lab) -> Answer:
    """The deployment, with room for one instance."""
    model, _, version = (await lab.once(_reference)).partition(":")
    path = await path_of(lab, NAME)
    limits: JsonObject = {"version": version, "min_instances": 0, "max_instances": 1}
    new: JsonObject = {"name": NAME, "model": model, "hardware": await sku(lab), **limits}
    if (await lab.client.get(path)).status == 404:
        answer = await lab.client.post("/deployments", new)
    else:
        answer = await lab.client.send("PATCH", path, json=limits)

    async def undo() -> None:
        (await lab.client.send("PATCH", path, json={"min_instances": 0, "max_instances": 0})).expect(200)
        lab.left.append(f"{path.strip('/')}: disabled, since what was used cannot be deleted at once")
        lab.left.append(f"model {model}: the deployment uses it")

    lab.later(path.strip("/"), undo)
    return answer.expect(200, 201)


async def _path(lab: Lab) -> str:
    await lab.once(_ready)
    return await path_of(lab, NAME) + "/predictions"


async def _created(lab: Lab) -> Answer:
    return (await create_at(lab, await _path(lab), {"input": {"text": "Ada"}})).expect(201)


async def _ended(lab: Lab) -> Answer:
    return await end_of(lab, await lab.once(_created))


async def _sync(lab: Lab) -> Answer:
    await lab.once(_ended)
    return await create_at(lab, await _path(lab), {"input": {"text": "Ada"}}, {"Prefer": "wait=10"})


async def _deadline(lab: Lab) -> Answer:
    return await create_at(lab, await _path(lab), {"input": {"text": "Ada"}}, {"Cancel-After": "5m"})


async def _with_version(lab: Lab) -> Answer:
    return await create_at(lab, await _path(lab), {"version": "0" * 64, "input": {"text": "Ada"}})


async def _without_input(lab: Lab) -> Answer:
    return await create_at(lab, await _path(lab), {})


async def _wrong_input(lab: Lab) -> Answer:
    return await create_at(lab, await _path(lab), {"input": {"text": 1}})


async def _unknown(lab: Lab) -> Answer:
    return await create_at(lab, await path_of(lab, lab.unique("unknown")) + "/predictions", {"input": {}})


async def _release(lab: Lab) -> None:
    answer, ready = await lab.once(_created), await lab.once(_ready)
    for key in ("model", "version"):
        wanted = ready.at(f"current_release.{key}")
        require(answer.at(key) == wanted, f"expected the {key} of the release, {wanted}, got {answer.at(key)}")


async def _names_it(lab: Lab) -> None:
    """Whether with or without the owner is not documented."""
    path = (await path_of(lab, NAME)).removeprefix("/deployments/")
    await value(_created, "deployment", NAME, path)(lab)


# --- disabled, after everything else ----------------------------------------------------------------------------------


async def _in_flight(lab: Lab) -> Answer:
    for evidence in (_sync, _deadline, _deleted, _with_version, _without_input, _wrong_input):
        await lab.once(evidence)
    answer = (await create_at(lab, await _path(lab), {"input": {"text": "Eve", "pause": 50}})).expect(201)
    return await is_processing(lab, answer)


async def _disabled(lab: Lab) -> Answer:
    await lab.once(_in_flight)
    changed = {"min_instances": 0, "max_instances": 0}
    return (await lab.client.send("PATCH", await path_of(lab, NAME), json=dict(changed))).expect(200)


async def _ended_in_flight(lab: Lab) -> Answer:
    await lab.once(_disabled)
    return await end_of(lab, await lab.once(_in_flight), 30)


async def _while_disabled(lab: Lab) -> Answer:
    await lab.once(_disabled)
    return await create_at(lab, await _path(lab), {"input": {"text": "Ada"}})


async def _deleted(lab: Lab) -> Answer:
    """DELETE of one that was just used."""
    ended = await lab.once(_ended)
    if ended.at("status") != "succeeded":
        raise NotTried("the deployment did not run")
    return await lab.client.send("DELETE", await path_of(lab, NAME))


CHECKS: tuple[Check, ...] = (
    Check(
        "deployments.run.status", "§5.1", "A prediction on a deployment is answered with 201.", status(_created, 201)
    ),
    Check("deployments.run.deployment", "§5.2", "A prediction on a deployment names the deployment.", _names_it),
    Check("deployments.run.release", "§6.2", "Model and version are those of the current release.", _release),
    Check(
        "deployments.run.output",
        "§6.2",
        "A prediction on a deployment runs.",
        value(_ended, "output", ["hello ", "there, ", "Ada"]),
    ),
    Check(
        "deployments.run.deployment-at-end",
        "§5.2",
        "`deployment` is still told at the end.",
        typed(_ended, "deployment", str),
    ),
    Check(
        "deployments.run.location",
        "§1.3",
        "`Location` is where it is polled.",
        header(_created, "location", "https?://.+/v1/predictions/[^/]+"),
    ),
    Check(
        "deployments.run.wait",
        "§9.4",
        "`Prefer: wait` works with deployments.",
        header(_sync, "preference-applied", "wait=10"),
    ),
    Check(
        "deployments.run.deadline",
        "§9.5",
        "`Cancel-After` works with deployments.",
        like(_deadline, "deadline", r"\d{4}-.*Z"),
    ),
    Check(
        "deployments.run.no-version",
        "§5.1",
        "The body of a prediction on a deployment takes no `version`.",
        status(_with_version, 422),
    ),
    Check(
        "deployments.run.needs-input",
        "§5.1",
        "The body of a prediction on a deployment needs an `input`.",
        status(_without_input, 422),
    ),
    Check(
        "deployments.run.checks-input",
        "§5.1",
        "The input is checked against the release's schema.",
        holds(
            _wrong_input,
            lambda answer: answer.status == 422 and answer.at("invalid_fields.0.field") == "input.text",
            "a 422 on input.text",
        ),
    ),
    Check(
        "deployments.run.unknown",
        "§1.4",
        "A prediction on an unknown deployment is answered with the generic 404.",
        generic_404(_unknown),
    ),
    Check("deployments.delete.used", "§6.2", "A deployment that was used lately cannot be deleted.", refused(_deleted)),
    Check(
        "deployments.disabled.in-flight",
        "§6.3",
        "What runs on a deployment that is disabled is canceled.",
        value(_ended_in_flight, "status", "canceled"),
    ),
    Check(
        "deployments.disabled.refuses", "§6.3", "A disabled deployment refuses predictions.", refused(_while_disabled)
    ),
)
