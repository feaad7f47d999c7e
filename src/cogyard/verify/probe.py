"""The models that checks run: named by the user, or Cog folders of ours that are pushed and deleted again."""

import io
import tarfile
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable

import orjson

from cogyard.domain.values import Json, JsonObject
from cogyard.verify.http import Answer
from cogyard.verify.lab import PREFIX, Lab
from cogyard.verify.verdict import Broken, NotTried
from cogyard.verify.waiting import until

DELETED_WITHIN = 30.0
"""Seconds that a server may take to delete a version after it has said that it will."""


async def account(lab: Lab) -> Answer:
    """Who the token belongs to."""
    return (await lab.client.get("/account")).expect(200)


async def owner(lab: Lab) -> str:
    """The account's name, which owns what is made here."""
    return (await lab.once(account)).string("username")


async def hardware(lab: Lab) -> Answer:
    """The kinds of machines."""
    return (await lab.client.get("/hardware")).expect(200)


async def sku(lab: Lab) -> str:
    """The cheapest kind of machine that a model can name."""
    answer = await lab.once(hardware)
    skus = [str(row.get("sku")) for row in answer.array() if isinstance(row, dict)]
    return next((name for name in ("cpu", "cpu-small", *skus) if name in skus), "cpu")


async def new_model(lab: Lab, name: str, **more: Json) -> Answer:
    """A private model without versions; deleted at the end."""
    whose = await owner(lab)
    body: JsonObject = {"owner": whose, "name": name, "visibility": "private", "hardware": await sku(lab), **more}
    lab.later(f"model {whose}/{name}", partial(remove_model, lab, f"{whose}/{name}"))
    return await lab.client.post("/models", body)


async def remove_model(lab: Lab, model: str) -> None:
    """Delete a model and its versions. Raises `Broken` when the server refuses."""
    listed = await lab.client.get(f"/models/{model}/versions")
    for row in listed.array("results") if listed.status == 200 else []:
        version = row.get("id") if isinstance(row, dict) else None
        (await lab.client.send("DELETE", f"/models/{model}/versions/{version}")).expect(202, 404)

    async def is_gone() -> bool:
        return (await lab.client.send("DELETE", f"/models/{model}")).status in (204, 404)

    await until(is_gone, DELETED_WITHIN, f"the deletion of {model}")


def folder(name: str, changes: Mapping[str, str] | None = None) -> dict[str, bytes]:
    """A Cog folder of ours by its name, with texts in it replaced."""
    found: dict[str, bytes] = {}
    source: Traversable = files("cogyard.verify") / "probes" / name
    for entry in source.iterdir():
        if entry.is_file() and entry.name.endswith((".py", ".yaml")):
            text = entry.read_text(encoding="utf-8")
            for old, new in (changes or {}).items():
                text = text.replace(old, new)
            found[entry.name] = text.encode()
    return found


def pack(content: Mapping[str, bytes]) -> bytes:
    """A folder as a tar file packed with gzip."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in sorted(content.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


async def push(lab: Lab, model: str, content: Mapping[str, bytes]) -> str:
    """Make a version of a folder: `owner/name:version`. Raises `NotTried` where the server takes no pushes."""
    answer = await lab.client.send(
        "POST", f"/models/{model}/versions", json=pack(content), headers={"Content-Type": "application/gzip"}
    )
    if answer.status in (404, 405, 415, 501):
        raise NotTried("the server takes no pushes of Cog folders")
    answer.expect(200)
    events = [orjson.loads(line) for line in answer.body.splitlines() if line.strip()]
    last = events[-1] if events else {}
    if last.get("event") != "version":
        raise Broken(f"the push of {model} failed: {last.get('detail')}")
    return f"{model}:{last['version']['id']}"


async def pushed(lab: Lab, name: str, changes: Mapping[str, str] | None = None) -> str:
    """A fresh private model with one of our folders as its version; deleted at the end."""
    model = (await new_model(lab, lab.unique(name))).expect(201)
    return await push(lab, f"{model.string('owner')}/{model.string('name')}", folder(name, changes))


async def kept(lab: Lab, name: str, changes: Mapping[str, str] | None = None) -> str:
    """The same in a model that stays, since what is done with it cannot be deleted; a later run takes it again."""
    whose = await owner(lab)
    body: JsonObject = {"owner": whose, "name": PREFIX + name, "visibility": "private", "hardware": await sku(lab)}
    (await lab.client.post("/models", body)).expect(201, 409)
    return await push(lab, f"{whose}/{PREFIX}{name}", folder(name, changes))


async def canary(lab: Lab) -> str:
    """A model that streams `hello there, <text>` (§13.7)."""
    return lab.named.canary or await or_say(lab, "canary", "--canary owner/name:version, a model that keeps §13.7")


async def full_canary(lab: Lab) -> str:
    """Our own canary, which can also dawdle and fail."""
    if lab.named.canary is not None:
        raise NotTried("needs the suite's own canary, which can be told to dawdle and to fail")
    return await lab.once(canary)


async def grammar(lab: Lab) -> str:
    """A model with one input of every kind."""
    return await or_say(lab, "grammar", "nothing: only the suite's own model has an input of every kind")


async def noter(lab: Lab) -> str:
    """A model that gives files as they come."""
    return lab.named.files or await or_say(lab, "files", "--files owner/name:version, a model that gives files")


async def broken(lab: Lab) -> str:
    """A model whose setup fails."""
    return await or_say(lab, "broken", "nothing: only the suite's own model has a setup that fails")


async def student(lab: Lab) -> str:
    """A model that can be trained. It stays, since the base of a training cannot be deleted (§4.7)."""
    if lab.named.train is not None:
        return lab.named.train
    try:
        reference = await kept(lab, "student")
        lab.left.append(f"model {reference.partition(':')[0]}: the base of a training cannot be deleted")
        return reference
    except NotTried as error:
        raise NotTried(f"{error}; pass --train owner/name:version, a model that can be trained") from None


async def or_say(lab: Lab, name: str, hint: str) -> str:
    """A pushed model. Raises `NotTried` with what to pass where nothing can be pushed."""
    try:
        return await pushed(lab, name)
    except NotTried as error:
        raise NotTried(f"{error}; pass {hint}") from None
