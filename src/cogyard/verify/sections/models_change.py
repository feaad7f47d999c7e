"""Models: change, read, delete (§4.4 to §4.6)."""

from cogyard.domain.values import Json, JsonObject
from cogyard.verify.check import Assertion, Check
from cogyard.verify.expect import absent, empty, header, holds, keys, status, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Lab
from cogyard.verify.probe import new_model, owner
from cogyard.verify.sections.models import DESCRIPTION, path_of
from cogyard.verify.verdict import require, show


async def _created(lab: Lab) -> Answer:
    return (await new_model(lab, lab.unique("model"))).expect(201)


async def _described(lab: Lab) -> Answer:
    return (await new_model(lab, lab.unique("described"), description=DESCRIPTION)).expect(201)


async def _changed(lab: Lab) -> Answer:
    path = path_of(await lab.once(_described))
    body: JsonObject = {
        "description": "Changed",
        "readme": "# Changed\n\nGrün.",
        "weights_url": "https://example.com/w",
    }
    body |= {name: f"https://example.com/new-{name}" for name in ("github_url", "paper_url", "license_url")}
    return (await lab.client.send("PATCH", path, json=body)).expect(200)


async def _after_change(lab: Lab) -> Answer:
    await lab.once(_changed)
    return (await lab.client.get(path_of(await lab.once(_described)))).expect(200)


def _untouched(field: str, wanted: Json) -> Assertion:
    """A PATCH of the field is refused or does nothing."""

    async def assertion(lab: Lab) -> None:
        made = await lab.once(_created)
        answer = await lab.client.send("PATCH", path_of(made), json={field: wanted})
        require(answer.status < 500, f"expected the change of {field} to be refused or ignored, got {answer.status}")
        found = (await lab.client.get(path_of(made))).expect(200)
        kept = found.at(field) if found.has(field) else None
        before = made.at(field) if made.has(field) else None
        require(kept == before, f"expected {field} to stay {show(before)}, got {show(kept)} {answer.told}")

    return assertion


async def _patched_unknown(lab: Lab) -> Answer:
    return await lab.client.send(
        "PATCH", f"/models/{await owner(lab)}/{lab.unique('unknown')}", json={"description": "x"}
    )


async def _no_readme(lab: Lab) -> Answer:
    return await lab.client.get(path_of(await lab.once(_created)) + "/readme")


async def _readme(lab: Lab) -> Answer:
    await lab.once(_changed)
    return await lab.client.get(path_of(await lab.once(_described)) + "/readme", headers={"Accept": "text/plain"})


async def _no_examples(lab: Lab) -> Answer:
    return await lab.client.get(path_of(await lab.once(_created)) + "/examples")


async def _no_versions(lab: Lab) -> Answer:
    return await lab.client.get(path_of(await lab.once(_created)) + "/versions")


async def _deleted(lab: Lab) -> Answer:
    made = (await new_model(lab, lab.unique("short-lived"))).expect(201)
    return await lab.client.send("DELETE", path_of(made), headers={"Accept": "*/*"})


async def _gone(lab: Lab) -> None:
    made = (await new_model(lab, lab.unique("short-lived"))).expect(201)
    await lab.client.send("DELETE", path_of(made))
    (await lab.client.get(path_of(made))).expect(404)


async def _deleted_unknown(lab: Lab) -> Answer:
    return await lab.client.send("DELETE", f"/models/{await owner(lab)}/{lab.unique('unknown')}")


_EMPTY: Json = {"next": None, "previous": None, "results": []}


CHECKS: tuple[Check, ...] = (
    Check("models.patch.status", "§4.4", "A changed model is answered with 200.", status(_changed, 200)),
    Check(
        "models.patch.description",
        "§4.4",
        "PATCH changes `description`.",
        value(_after_change, "description", "Changed"),
    ),
    *(
        Check(
            f"models.patch.{field.replace('_', '-')}",
            "§4.4",
            f"PATCH changes `{field}`.",
            value(_after_change, field, f"https://example.com/new-{field}"),
        )
        for field in ("github_url", "paper_url", "license_url")
    ),
    Check(
        "models.patch.weights-url", "§4.1", "`weights_url` is accepted and not shown.", absent(_changed, "weights_url")
    ),
    Check(
        "models.patch.whole",
        "§4.4",
        "PATCH answers with the whole model.",
        keys(_changed, "", "url", "owner", "name", "visibility", "run_count", "latest_version", "default_example"),
    ),
    Check(
        "models.patch.not-visibility",
        "§4.4",
        "PATCH does not change the visibility.",
        _untouched("visibility", "public"),
    ),
    Check("models.patch.not-name", "§4.4", "PATCH does not change the name.", _untouched("name", "other")),
    Check(
        "models.patch.not-cover",
        "§4.4",
        "PATCH does not change the cover image.",
        _untouched("cover_image_url", "https://example.com/cover.png"),
    ),
    Check(
        "models.patch.unknown", "§4.4", "PATCH of an unknown model is answered with 404.", status(_patched_unknown, 404)
    ),
    Check("models.readme.none", "§4.5", "A model without README is answered with 404.", status(_no_readme, 404)),
    Check("models.readme.status", "§4.5", "A README is answered with 200.", status(_readme, 200)),
    Check(
        "models.readme.content-type",
        "§4.5",
        "A README is `text/plain`.",
        header(_readme, "content-type", r"text/plain(;.*)?"),
    ),
    Check(
        "models.readme.text",
        "§4.5",
        "A README comes as the Markdown that was given.",
        holds(_readme, lambda answer: answer.text == "# Changed\n\nGrün.", "the Markdown as it was given"),
    ),
    Check(
        "models.examples.none",
        "§4.6",
        "A model without examples has an empty page of them.",
        value(_no_examples, "", _EMPTY),
    ),
    Check(
        "models.versions.none",
        "§4.7",
        "A model without versions has an empty page of them.",
        value(_no_versions, "", _EMPTY),
    ),
    Check("models.delete.status", "§4.4", "A deleted model is answered with 204 and no body.", empty(_deleted, 204)),
    Check("models.delete.gone", "§4.4", "A deleted model is there no more.", _gone),
    Check(
        "models.delete.unknown",
        "§4.4",
        "DELETE of an unknown model is answered with 404.",
        status(_deleted_unknown, 404),
    ),
)
