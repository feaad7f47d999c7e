"""Collections of models (§3.3), and examples (§4.6), which only curators can make."""

import re

from cogyard.domain.values import Json, JsonObject
from cogyard.verify.check import Check
from cogyard.verify.expect import every, generic_404, holds, keys, maybe, typed, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Lab
from cogyard.verify.probe import canary
from cogyard.verify.running import succeeded
from cogyard.verify.verdict import NotTried, require


async def _list(lab: Lab) -> Answer:
    """The list, with one of ours in it where there is no other and we may make one."""
    answer = (await lab.client.get("/collections")).expect(200)
    if answer.array("results"):
        return answer
    slug = lab.unique("collection")
    made = await lab.client.post("/collections", {"slug": slug, "name": "Conformance", "description": "Of a check."})
    if made.status in (401, 403, 404, 405):
        raise NotTried("there are no collections, and this token may not make one")

    async def undo() -> None:
        (await lab.client.send("DELETE", f"/collections/{slug}")).expect(204)

    lab.later(f"collection {slug}", undo)
    made.expect(201)
    public = (await lab.client.get("/models")).expect(200).array("results")
    for row in public[:1]:
        if isinstance(row, dict):
            await lab.client.send("PUT", f"/collections/{slug}/models/{row['owner']}/{row['name']}")
    return (await lab.client.get("/collections")).expect(200)


async def _detail(lab: Lab) -> Answer:
    slug = (await lab.once(_list)).string("results.0.slug")
    return (await lab.client.get(f"/collections/{slug}")).expect(200)


async def _unknown(lab: Lab) -> Answer:
    return await lab.client.get("/collections/no-such-collection")


def _row(row: Json) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(key), str) for key in ("name", "slug", "description"))


def _slug(row: Json) -> bool:
    return isinstance(row, dict) and re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", str(row.get("slug"))) is not None


def _short(row: Json) -> bool:
    return isinstance(row, dict) and "models" not in row and "full_description" not in row


def _model(row: Json) -> bool:
    wanted = {"url", "owner", "name", "description", "visibility", "run_count", "latest_version", "default_example"}
    return isinstance(row, dict) and wanted <= set(row)


# --- examples ---------------------------------------------------------------------------------------------------------


async def _example(lab: Lab) -> str:
    """The model that got an example. Raises `NotTried` where the API has no way to make one."""
    ended = await lab.once(succeeded)
    if lab.named.canary is not None:
        raise NotTried("needs a model of the suite's own")
    name = (await lab.once(canary)).partition(":")[0]
    answer = await lab.client.post(f"/models/{name}/examples", {"prediction": ended.string("id")})
    if answer.status in (403, 404, 405):
        raise NotTried("the server has no way to make an example")
    answer.expect(201)
    return name


async def _examples(lab: Lab) -> Answer:
    return (await lab.client.get(f"/models/{await lab.once(_example)}/examples")).expect(200)


async def _model_with_example(lab: Lab) -> Answer:
    return (await lab.client.get(f"/models/{await lab.once(_example)}")).expect(200)


async def _default_is_first(lab: Lab) -> None:
    first, default = (
        (await lab.once(_examples)).object("results.0"),
        (await lab.once(_model_with_example)).object("default_example"),
    )
    require(first["id"] == default["id"], f"expected the first example as the default one, got {default['id']}")


def _is_prediction(row: JsonObject) -> bool:
    return {"id", "model", "version", "status", "input", "output", "urls"} <= set(row)


CHECKS: tuple[Check, ...] = (
    Check(
        "collections.list.row",
        "§3.3",
        "A collection has `name`, `slug` and `description`, all strings.",
        every(_list, "results", _row, "to have three strings"),
    ),
    Check(
        "collections.list.slug",
        "§3.3",
        "A slug is made of lower-case letters, digits and dashes.",
        every(_list, "results", _slug, "to have such a slug"),
    ),
    Check(
        "collections.list.short",
        "§3.3",
        "Rows of collections do not hold models.",
        every(_list, "results", _short, "without models"),
    ),
    Check(
        "collections.get.keys",
        "§3.3",
        "One collection has its models and its full description too.",
        keys(_detail, "", "name", "slug", "description", "full_description", "models"),
    ),
    Check(
        "collections.get.full-description",
        "§3.3",
        "`full_description` is Markdown or null.",
        maybe(_detail, "full_description", str),
    ),
    Check(
        "collections.get.models",
        "§3.3",
        "`models` is an array of whole models.",
        every(_detail, "models", _model, "to be a model"),
    ),
    Check(
        "collections.get.not-paginated",
        "§3.3",
        "The models of a collection come all at once.",
        holds(_detail, lambda answer: not answer.has("next"), "no next"),
    ),
    Check(
        "collections.get.unknown", "§3.3", "An unknown slug is answered with the generic 404.", generic_404(_unknown)
    ),
    Check(
        "models.examples.envelope",
        "§4.6",
        "Examples come as a page.",
        keys(_examples, "", "next", "previous", "results"),
    ),
    Check(
        "models.examples.row",
        "§4.6",
        "An example is a prediction.",
        holds(_examples, lambda answer: _is_prediction(answer.object("results.0")), "a prediction"),
    ),
    Check("models.examples.default", "§4.6", "The first example is the model's `default_example`.", _default_is_first),
    Check(
        "models.default-example.status",
        "§4.1",
        "`default_example` has a status of the five classic ones.",
        value(
            _model_with_example, "default_example.status", "starting", "processing", "succeeded", "failed", "canceled"
        ),
    ),
    Check(
        "models.default-example.version",
        "§4.1",
        "`default_example` is a whole prediction.",
        typed(_model_with_example, "default_example.version", str),
    ),
)
