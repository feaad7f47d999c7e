"""Official models, which run by name alone (§4.8)."""

from cogyard.domain.values import Json
from cogyard.verify.check import Check
from cogyard.verify.expect import generic_404, header, holds, like, status, typed, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Lab
from cogyard.verify.probe import canary, grammar, pushed
from cogyard.verify.running import create_at, end_of
from cogyard.verify.verdict import NotTried


async def official(lab: Lab) -> str:
    """An official model that takes the canary's input. Raises `NotTried` where there is none."""
    if lab.named.official is not None:
        return lab.named.official
    await lab.once(grammar)  # skips early, and for the right reason, where nothing can be pushed
    name = (await pushed(lab, "canary", {"EDITION = 1": f"EDITION = 'official {lab.suffix}'"})).partition(":")[0]
    answer = await lab.client.send("PUT", f"/models/{name}/official", json={"is_official": True})
    if answer.status in (401, 403, 404, 405):
        raise NotTried("this token may not make models official; pass --official owner/name")

    async def undo() -> None:
        (await lab.client.send("PUT", f"/models/{name}/official", json={"is_official": False})).expect(200)

    lab.later(f"official model {name}", undo)
    answer.expect(200)
    return name


async def _model(lab: Lab) -> Answer:
    return (await lab.client.get(f"/models/{await lab.once(official)}")).expect(200)


async def _versions(lab: Lab) -> Answer:
    return await lab.client.get(f"/models/{await lab.once(official)}/versions")


async def _created(lab: Lab) -> Answer:
    path = f"/models/{await lab.once(official)}/predictions"
    return (await create_at(lab, path, {"input": {"text": "Ada"}})).expect(201, 202)


async def _ended(lab: Lab) -> Answer:
    return await end_of(lab, await lab.once(_created))


async def _sync(lab: Lab) -> Answer:
    path = f"/models/{await lab.once(official)}/predictions"
    await lab.once(_ended)
    return (await create_at(lab, path, {"input": {"text": "Ada"}}, {"Prefer": "wait"})).expect(201, 202)


async def _by_version_field(lab: Lab) -> Answer:
    body: Json = {"version": await lab.once(official), "input": {"text": "Ada"}}
    return await create_at(lab, "/predictions", body)


async def _with_version(lab: Lab) -> Answer:
    path = f"/models/{await lab.once(official)}/predictions"
    return await create_at(lab, path, {"version": "0" * 64, "input": {"text": "Ada"}})


async def _without_input(lab: Lab) -> Answer:
    return await create_at(lab, f"/models/{await lab.once(official)}/predictions", {})


async def _with_deadline(lab: Lab) -> Answer:
    path = f"/models/{await lab.once(official)}/predictions"
    return await create_at(lab, path, {"input": {"text": "Ada"}}, {"Cancel-After": "5m"})


async def _community_by_path(lab: Lab) -> Answer:
    model = (await lab.once(grammar)).partition(":")[0]
    return await create_at(lab, f"/models/{model}/predictions", {"input": {"word": "hello"}})


async def _community_by_field(lab: Lab) -> Answer:
    model = (await lab.once(grammar)).partition(":")[0]
    return await create_at(lab, "/predictions", {"version": model, "input": {"word": "hello"}})


async def _unknown_by_path(lab: Lab) -> Answer:
    model = (await lab.once(canary)).partition("/")[0] + "/" + lab.unique("unknown")
    return await create_at(lab, f"/models/{model}/predictions", {"input": {}})


CHECKS: tuple[Check, ...] = (
    Check("official.model.is-official", "§4.1", "An official model says so.", value(_model, "is_official", True)),
    Check(
        "official.model.latest",
        "§4.8",
        "An official model shows its latest version with the schema.",
        typed(_model, "latest_version.openapi_schema", dict),
    ),
    Check(
        "official.versions", "§4.8", "The versions of an official model are answered with 404.", status(_versions, 404)
    ),
    Check("official.create.status", "§4.8", "An official model runs by its path.", status(_created, 201)),
    Check(
        "official.create.version",
        "§4.8",
        "Predictions of official models show `hidden` as their version.",
        value(_created, "version", "hidden"),
    ),
    Check(
        "official.create.model",
        "§5.2",
        "Predictions of official models show the model's name.",
        like(_created, "model", "[^/]+/[^/:]+"),
    ),
    Check(
        "official.get.version", "§4.8", "The version is still `hidden` at the end.", value(_ended, "version", "hidden")
    ),
    Check(
        "official.get.status",
        "§9.2",
        "A prediction of an official model succeeds.",
        value(_ended, "status", "succeeded"),
    ),
    Check(
        "official.sync.applied",
        "§9.4",
        "`Prefer: wait` works with official models.",
        header(_sync, "preference-applied", "wait"),
    ),
    Check(
        "official.by-name.status",
        "§4.8",
        "`POST /predictions` takes `owner/name` of an official model.",
        status(_by_version_field, 201),
    ),
    Check(
        "official.by-name.version",
        "§4.8",
        "A prediction that was created by name shows `hidden` too.",
        value(_by_version_field, "version", "hidden"),
    ),
    Check(
        "official.body.no-version",
        "§5.1",
        "The model's path takes no `version` in the body.",
        status(_with_version, 422),
    ),
    Check("official.body.input", "§5.1", "The model's path needs an `input`.", status(_without_input, 422)),
    Check(
        "official.deadline",
        "§5.1",
        "`Cancel-After` works with official models.",
        holds(_with_deadline, lambda answer: answer.status in (201, 202) and answer.string("deadline"), "a deadline"),
    ),
    Check(
        "official.community.by-path",
        "§4.8",
        "The path of an ordinary model takes no predictions: generic 404.",
        generic_404(_community_by_path),
    ),
    Check(
        "official.community.by-name",
        "§5.1",
        "`owner/name` of an ordinary model is refused with 422.",
        status(_community_by_field, 422),
    ),
    Check(
        "official.unknown",
        "§1.4",
        "The path of an unknown model is answered with the generic 404.",
        generic_404(_unknown_by_path),
    ),
)
