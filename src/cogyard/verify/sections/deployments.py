"""Deployments: create, change, list, delete (§6)."""

from cogyard.domain.values import Json, JsonObject
from cogyard.verify.check import Assertion, Check
from cogyard.verify.expect import TIME, empty, generic_404, holds, keys, like, refused, status, typed, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Evidence, Lab
from cogyard.verify.probe import canary, owner, sku
from cogyard.verify.verdict import require

RELEASE = "current_release"
SETTINGS = f"{RELEASE}.configuration"


async def body(lab: Lab, word: str = "endpoint") -> JsonObject:
    """A deployment of the canary that keeps no instance."""
    model, _, version = (await lab.once(canary)).partition(":")
    return {
        "name": lab.unique(word),
        "model": model,
        "version": version,
        "hardware": await sku(lab),
        "min_instances": 0,
        "max_instances": 1,
    }


async def path_of(lab: Lab, name: Json) -> str:
    """Where a deployment of this account is."""
    return f"/deployments/{await owner(lab)}/{name}"


async def create(lab: Lab, wanted: JsonObject) -> Answer:
    """Whatever the server says; what was created is deleted at the end."""
    path = await path_of(lab, wanted.get("name"))

    async def undo() -> None:
        (await lab.client.send("DELETE", path)).expect(204, 404)

    lab.later(path.strip("/"), undo)
    return await lab.client.post("/deployments", wanted)


async def _created(lab: Lab) -> Answer:
    return (await create(lab, await body(lab))).expect(200, 201)


async def _path(lab: Lab) -> str:
    return await path_of(lab, (await lab.once(_created)).string("name"))


async def _got(lab: Lab) -> Answer:
    return (await lab.client.get(await _path(lab))).expect(200)


async def _unknown(lab: Lab) -> Answer:
    return await lab.client.get(await path_of(lab, lab.unique("unknown")))


async def _same_name(lab: Lab) -> Answer:
    return await create(lab, {**await body(lab), "name": (await lab.once(_created)).string("name")})


def _without(field: str) -> Evidence:
    async def evidence(lab: Lab) -> Answer:
        return await create(lab, {key: one for key, one in (await body(lab)).items() if key != field})

    return evidence


def _with(**changes: Json) -> Evidence:
    async def evidence(lab: Lab) -> Answer:
        return await create(lab, {**await body(lab), **changes})

    return evidence


async def _version_of_other_model(lab: Lab) -> Answer:
    return await create(lab, {**await body(lab), "model": f"{await owner(lab)}/{lab.unique('unknown')}"})


# --- a chain of releases ----------------------------------------------------------------------------------------------


async def _patched(lab: Lab) -> Answer:
    await lab.once(_got)
    return (await lab.client.send("PATCH", await _path(lab), json={"max_instances": 2})).expect(200)


async def _patched_twice(lab: Lab) -> Answer:
    await lab.once(_patched)
    return (await lab.client.send("PATCH", await _path(lab), json={"max_instances": 3})).expect(200)


async def _got_last(lab: Lab) -> Answer:
    await lab.once(_patched_twice)
    return (await lab.client.get(await _path(lab))).expect(200)


async def _out_of_range(lab: Lab) -> Answer:
    await lab.once(_patched_twice)
    return await lab.client.send("PATCH", await _path(lab), json={"min_instances": 6})


async def _crossed(lab: Lab) -> Answer:
    await lab.once(_patched_twice)
    return await lab.client.send("PATCH", await _path(lab), json={"min_instances": 4})


async def _refused_makes_no_release(lab: Lab) -> None:
    await lab.once(_out_of_range)
    await lab.once(_crossed)
    found = (await lab.client.get(await _path(lab))).expect(200)
    require(found.at(f"{RELEASE}.number") == 3, f"expected release 3 still, got {found.text[:300]}")


async def _patched_unknown(lab: Lab) -> Answer:
    return await lab.client.send("PATCH", await path_of(lab, lab.unique("unknown")), json={"max_instances": 1})


async def _listed(lab: Lab) -> None:
    older, newer = await lab.once(_created), (await create(lab, await body(lab, "newer"))).expect(200, 201)
    names = [
        row.get("name") for row in (await lab.client.get("/deployments")).array("results") if isinstance(row, dict)
    ]
    wanted = [newer.at("name"), older.at("name")]
    found = [name for name in names if name in wanted]
    require(found == wanted, f"expected the newer deployment before the older one, got {found}")


async def _deleted(lab: Lab) -> Answer:
    made = (await create(lab, await body(lab, "short-lived"))).expect(200, 201)
    return await lab.client.send("DELETE", await path_of(lab, made.string("name")), headers={"Accept": "*/*"})


async def _gone(lab: Lab) -> None:
    made = (await create(lab, await body(lab, "short-lived"))).expect(200, 201)
    path = await path_of(lab, made.string("name"))
    (await lab.client.send("DELETE", path)).expect(204)
    (await lab.client.get(path)).expect(404)


async def _deleted_unknown(lab: Lab) -> Answer:
    return await lab.client.send("DELETE", await path_of(lab, lab.unique("unknown")))


def _is(path: str, key: str) -> Assertion:
    """What the answer shows is what was asked for."""

    async def assertion(lab: Lab) -> None:
        wanted = (await body(lab))[key]
        await value(_created, path, wanted)(lab)

    return assertion


async def _by_the_account(lab: Lab) -> None:
    await value(_created, f"{RELEASE}.created_by.username", await owner(lab))(lab)


async def _owned(lab: Lab) -> None:
    await value(_created, "owner", await owner(lab))(lab)


CHECKS: tuple[Check, ...] = (
    Check(
        "deployments.create.status",
        "§6.2",
        "A new deployment is answered with 200, and not with 201.",
        status(_created, 200),
    ),
    Check("deployments.create.owner", "§6.2", "A deployment belongs to the account that made it.", _owned),
    Check(
        "deployments.create.keys",
        "§6.1",
        "A deployment has `owner`, `name` and `current_release`.",
        keys(_created, "", "owner", "name", RELEASE),
    ),
    Check(
        "deployments.create.number",
        "§6.1",
        "The first release has the number 1.",
        value(_created, f"{RELEASE}.number", 1),
    ),
    Check("deployments.create.model", "§6.1", "A release names its model.", _is(f"{RELEASE}.model", "model")),
    Check(
        "deployments.create.version",
        "§6.1",
        "A release names its version by the bare id.",
        _is(f"{RELEASE}.version", "version"),
    ),
    Check(
        "deployments.create.created-at",
        "§6.1",
        "A release has a `created_at`.",
        like(_created, f"{RELEASE}.created_at", TIME),
    ),
    Check("deployments.create.created-by", "§6.1", "A release names the account that made it.", _by_the_account),
    Check(
        "deployments.create.created-by-type",
        "§6.1",
        "The account that made a release has its type.",
        value(_created, f"{RELEASE}.created_by.type", "user", "organization"),
    ),
    Check(
        "deployments.create.created-by-name",
        "§6.1",
        "The account that made a release has its name, a string.",
        typed(_created, f"{RELEASE}.created_by.name", str),
    ),
    Check(
        "deployments.create.hardware", "§6.1", "A release tells its hardware.", _is(f"{SETTINGS}.hardware", "hardware")
    ),
    Check(
        "deployments.create.min-instances",
        "§6.1",
        "A release tells its `min_instances`.",
        value(_created, f"{SETTINGS}.min_instances", 0),
    ),
    Check(
        "deployments.create.max-instances",
        "§6.1",
        "A release tells its `max_instances`.",
        value(_created, f"{SETTINGS}.max_instances", 1),
    ),
    *(
        Check(
            f"deployments.create.needs-{field.replace('_', '-')}",
            "§6.2",
            f"A new deployment without `{field}` is refused.",
            refused(_without(field)),
        )
        for field in ("name", "model", "version", "hardware", "min_instances", "max_instances")
    ),
    Check(
        "deployments.create.min-below", "§6.2", "`min_instances` below 0 is refused.", refused(_with(min_instances=-1))
    ),
    Check(
        "deployments.create.min-above",
        "§6.2",
        "`min_instances` above 5 is refused.",
        refused(_with(min_instances=6, max_instances=10)),
    ),
    Check(
        "deployments.create.max-below", "§6.2", "`max_instances` below 0 is refused.", refused(_with(max_instances=-1))
    ),
    Check(
        "deployments.create.max-above", "§6.2", "`max_instances` above 20 is refused.", refused(_with(max_instances=21))
    ),
    Check(
        "deployments.create.crossed",
        "§6.2",
        "`max_instances` below `min_instances` is refused.",
        refused(_with(min_instances=3, max_instances=2)),
    ),
    Check(
        "deployments.create.text-count",
        "§6.2",
        "A number of instances that is a text is refused.",
        refused(_with(max_instances="1")),
    ),
    Check(
        "deployments.create.unknown-hardware", "§6.2", "Unknown hardware is refused.", refused(_with(hardware="abacus"))
    ),
    Check(
        "deployments.create.unknown-version", "§6.2", "An unknown version is refused.", refused(_with(version="0" * 64))
    ),
    Check("deployments.create.unknown-model", "§6.2", "An unknown model is refused.", refused(_version_of_other_model)),
    Check("deployments.create.same-name", "§6.2", "A name that is taken is refused.", refused(_same_name)),
    Check("deployments.get.number", "§6.1", "GET gives the current release.", value(_got, f"{RELEASE}.number", 1)),
    Check(
        "deployments.get.unknown",
        "§6.2",
        "An unknown deployment is answered with the generic 404.",
        generic_404(_unknown),
    ),
    Check(
        "deployments.patch.number", "§6.1", "A change makes the next release.", value(_patched, f"{RELEASE}.number", 2)
    ),
    Check(
        "deployments.patch.applied",
        "§6.2",
        "A change is shown in its answer.",
        value(_patched, f"{SETTINGS}.max_instances", 2),
    ),
    Check(
        "deployments.patch.rest-stays",
        "§6.2",
        "What a PATCH does not name stays.",
        value(_patched, f"{SETTINGS}.min_instances", 0),
    ),
    Check(
        "deployments.patch.each", "§6.1", "Every change makes a release.", value(_patched_twice, f"{RELEASE}.number", 3)
    ),
    Check(
        "deployments.patch.kept",
        "§6.2",
        "GET shows the last release.",
        holds(
            _got_last,
            lambda answer: answer.at(f"{RELEASE}.number") == 3 and answer.at(f"{SETTINGS}.max_instances") == 3,
            "release 3",
        ),
    ),
    Check("deployments.patch.out-of-range", "§6.2", "PATCH has the same ranges.", refused(_out_of_range)),
    Check(
        "deployments.patch.crossed",
        "§6.2",
        "PATCH may not set `min_instances` above `max_instances`.",
        refused(_crossed),
    ),
    Check("deployments.patch.refused", "§6.1", "A refused change makes no release.", _refused_makes_no_release),
    Check(
        "deployments.patch.unknown",
        "§6.2",
        "PATCH of an unknown deployment is answered with 404.",
        status(_patched_unknown, 404),
    ),
    Check("deployments.list.newest-first", "§6.2", "Deployments are listed newest first.", _listed),
    Check(
        "deployments.delete.status",
        "§6.2",
        "A deleted deployment is answered with 204 and no body.",
        empty(_deleted, 204),
    ),
    Check("deployments.delete.gone", "§6.2", "A deleted deployment is there no more.", _gone),
    Check(
        "deployments.delete.unknown",
        "§6.2",
        "DELETE of an unknown deployment is answered with 404.",
        status(_deleted_unknown, 404),
    ),
)
