"""Models: create and get (§4.1 to §4.4)."""

import re
from functools import partial

from cogyard.domain.values import JsonObject
from cogyard.verify.check import Check
from cogyard.verify.expect import (
    absent,
    generic_404,
    holds,
    keys,
    maybe,
    refused,
    status,
    typed,
    value,
)
from cogyard.verify.http import Answer
from cogyard.verify.lab import Evidence, Lab
from cogyard.verify.probe import canary, new_model, owner, remove_model, sku
from cogyard.verify.verdict import require

DESCRIPTION = "A model that a conformance check made"


async def _created(lab: Lab) -> Answer:
    return (await new_model(lab, lab.unique("model"))).expect(201)


async def _described(lab: Lab) -> Answer:
    links = {name: f"https://example.com/{name}" for name in ("github_url", "paper_url", "license_url")}
    return (await new_model(lab, lab.unique("described"), description=DESCRIPTION, **links)).expect(201)


async def _again(lab: Lab) -> Answer:
    return await new_model(lab, (await lab.once(_created)).string("name"))


def path_of(answer: Answer) -> str:
    """Where a model is."""
    return f"/models/{answer.string('owner')}/{answer.string('name')}"


async def _got(lab: Lab) -> Answer:
    return (await lab.client.get(path_of(await lab.once(_created)))).expect(200)


async def _got_canary(lab: Lab) -> Answer:
    model, _, _ = (await lab.once(canary)).partition(":")
    return (await lab.client.get(f"/models/{model}")).expect(200)


async def _is_same(lab: Lab) -> None:
    made, found = (await lab.once(_created)).object(), (await lab.once(_got)).object()
    differing = [key for key in made if made[key] != found.get(key)]
    require(not differing, f"expected the same model, got other values of {', '.join(differing)}")


async def _unknown(lab: Lab) -> Answer:
    return await lab.client.get(f"/models/{await owner(lab)}/{lab.unique('unknown')}")


async def _unknown_owner(lab: Lab) -> Answer:
    return await lab.client.get(f"/models/{lab.unique('nobody')}/nothing")


async def _body(lab: Lab) -> JsonObject:
    return {"owner": await owner(lab), "name": lab.unique("not"), "visibility": "private", "hardware": await sku(lab)}


async def _try(lab: Lab, body: JsonObject) -> Answer:
    name = f"{body.get('owner')}/{body.get('name')}"
    lab.later(f"model {name}", partial(remove_model, lab, name))
    return await lab.client.post("/models", body)


def _without(field: str) -> Evidence:
    async def evidence(lab: Lab) -> Answer:
        return await _try(lab, {key: one for key, one in (await _body(lab)).items() if key != field})

    return evidence


async def _bad_hardware(lab: Lab) -> Answer:
    return await _try(lab, {**await _body(lab), "hardware": "abacus"})


async def _bad_visibility(lab: Lab) -> Answer:
    return await _try(lab, {**await _body(lab), "visibility": "secret"})


async def _bad_name(lab: Lab) -> Answer:
    return await _try(lab, {**await _body(lab), "name": "with/slash"})


async def _other_owner(lab: Lab) -> Answer:
    return await _try(lab, {**await _body(lab), "owner": lab.unique("nobody")})


_OPTIONS = re.compile(r"abacus is not a valid hardware SKU\. Your options are: ([a-z0-9, -]+)\.")


def _names_options(answer: Answer) -> bool:
    found = _OPTIONS.fullmatch(answer.string("errors.0.detail"))
    options = found[1].split(", ") if found else []
    return bool(options) and options == sorted(options)


def _is_family_b(answer: Answer) -> bool:
    told = answer.string("errors.0.detail")
    return answer.string("detail") == f"The following errors occurred:\n- hardware: {told}"


CHECKS: tuple[Check, ...] = (
    Check("models.create.status", "§4.3", "A new model is answered with 201.", status(_created, 201)),
    Check(
        "models.create.owner", "§4.3", "A new model belongs to the account that made it.", typed(_created, "owner", str)
    ),
    Check(
        "models.create.visibility", "§4.1", "A model shows its visibility.", value(_created, "visibility", "private")
    ),
    Check("models.create.run-count", "§4.3", "A new model's `run_count` is 0.", value(_created, "run_count", 0)),
    Check(
        "models.create.no-version",
        "§4.1",
        "`latest_version` is null without versions.",
        value(_created, "latest_version", None),
    ),
    Check(
        "models.create.no-example",
        "§4.1",
        "`default_example` is null without examples.",
        value(_created, "default_example", None),
    ),
    Check(
        "models.create.description", "§4.1", "`description` is null when unset.", value(_created, "description", None)
    ),
    *(
        Check(
            f"models.create.{field.replace('_', '-')}",
            "§4.1",
            f"`{field}` is null when unset.",
            value(_created, field, None),
        )
        for field in ("github_url", "paper_url", "license_url")
    ),
    Check(
        "models.create.cover", "§4.1", "`cover_image_url` is null or a string.", maybe(_created, "cover_image_url", str)
    ),
    Check(
        "models.create.url",
        "§4.1",
        "A model's `url` ends with its owner and name.",
        holds(
            _created,
            lambda answer: (
                re.fullmatch(r"https?://[^/]+/[^/]+/[^/]+", answer.string("url"))
                and answer.string("url").endswith(f"/{answer.string('owner')}/{answer.string('name')}")
            ),
            "a url that ends with owner/name",
        ),
    ),
    Check("models.create.official", "§4.1", "A new model is not official.", value(_created, "is_official", False)),
    Check(
        "models.create.created-at",
        "§4.1",
        "`created_at`, where it is sent, is a time.",
        maybe(_created, "created_at", str),
    ),
    *(
        Check(
            f"models.create.no-{key.replace('_', '-')}", "§4.1", f"`{key}` is no key of a model.", absent(_created, key)
        )
        for key in ("versions", "metadata", "readme", "weights_url", "hardware")
    ),
    *(
        Check(
            f"models.create.given-{field.replace('_', '-')}",
            "§4.3",
            f"`{field}` is kept when it is given.",
            value(_described, field, f"https://example.com/{field}"),
        )
        for field in ("github_url", "paper_url", "license_url")
    ),
    Check(
        "models.create.given-description",
        "§4.3",
        "`description` is kept when it is given.",
        value(_described, "description", DESCRIPTION),
    ),
    *(
        Check(
            f"models.create.needs-{field}",
            "§4.3",
            f"A new model without `{field}` is refused.",
            refused(_without(field)),
        )
        for field in ("owner", "name", "visibility", "hardware")
    ),
    Check("models.create.conflict.status", "§1.4", "A name that is taken is answered with 409.", status(_again, 409)),
    Check(
        "models.create.conflict.detail",
        "§1.4",
        "The 409 says in its first error that the model is there already.",
        value(_again, "errors.0.detail", "A model with that name and owner already exists."),
    ),
    Check(
        "models.create.conflict.body-status",
        "§1.4",
        "The body of the 409 repeats the status.",
        value(_again, "status", 409),
    ),
    Check(
        "models.create.hardware.status", "§4.3", "Unknown hardware is answered with 400.", status(_bad_hardware, 400)
    ),
    Check(
        "models.create.hardware.title",
        "§1.4",
        "A 400 of models has the title `Validation failed`.",
        value(_bad_hardware, "title", "Validation failed"),
    ),
    Check(
        "models.create.hardware.pointer",
        "§1.4",
        "A 400 of models points to the field.",
        value(_bad_hardware, "errors.0.pointer", "/hardware"),
    ),
    Check(
        "models.create.hardware.options",
        "§1.4",
        "The 400 for unknown hardware lists the valid SKUs, sorted.",
        holds(
            _bad_hardware, _names_options, "`abacus is not a valid hardware SKU. Your options are: …` with sorted SKUs"
        ),
    ),
    Check(
        "models.create.hardware.detail",
        "§1.4",
        "The detail of a 400 of models repeats each error on a line of its own.",
        holds(_bad_hardware, _is_family_b, "`The following errors occurred:` and the error on the next line"),
    ),
    Check(
        "models.create.bad-visibility",
        "§4.3",
        "A visibility but public and private is refused.",
        refused(_bad_visibility),
    ),
    Check("models.create.bad-name", "§9.1", "A name with a slash is refused.", refused(_bad_name)),
    Check("models.create.other-owner", "§4.3", "A model of another owner is refused.", refused(_other_owner)),
    Check("models.get.same", "§4.4", "GET gives the model as it was created.", _is_same),
    Check(
        "models.get.schema",
        "§4.4",
        "GET gives the latest version with its schema.",
        typed(_got_canary, "latest_version.openapi_schema", dict),
    ),
    Check(
        "models.get.latest",
        "§4.7",
        "The latest version has `id`, `created_at`, `cog_version` and `openapi_schema`.",
        keys(_got_canary, "latest_version", "id", "created_at", "cog_version", "openapi_schema"),
    ),
    Check("models.get.run-count", "§4.1", "`run_count` is a whole number.", typed(_got_canary, "run_count", int)),
    Check("models.get.unknown", "§4.4", "An unknown model is answered with the generic 404.", generic_404(_unknown)),
    Check(
        "models.get.unknown-owner",
        "§4.4",
        "A model of an unknown owner is answered with the generic 404.",
        generic_404(_unknown_owner),
    ),
)
