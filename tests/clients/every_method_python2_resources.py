"""Accounts, models, files, deployments, trainings with the Python client 2.0 beta."""

import base64
import hashlib
import hmac
import os
import time

from every_method import ME, now, refusal, until
from every_method_python2_client import client, first, named, program, version


@program.shows("account")
async def account():
    found = await now(client.account.get())
    return {"type": found.type, "username": found.username}


@program.shows("hardware")
async def hardware():
    return sorted(one.sku for one in await now(client.hardware.list()))[:2]


@program.shows("models: list, get, search")
async def models():
    listed = await first(client.models.list(sort_by="model_created_at", sort_direction="desc"))
    found = await first(client.models.search(body="drawings of a picture"))
    got = await now(client.models.get(**named("acme/canary")))
    return {
        "listed": "acme/canary" in [f"{one.owner}/{one.name}" for one in listed.results],
        "found": "acme/picture" in [f"{one.owner}/{one.name}" for one in found.results],
        "description": got.description,
        "example": got.default_example["output"]["text"],
    }


@program.shows("models: create")
async def models_create():
    words = {"visibility": "private", "hardware": "cpu", "description": "A box."}
    created = await now(client.models.create(owner="cogyard", name=f"box-{ME}", **words))
    return {"description": created.description, "runs": created.run_count}


@program.shows("models: delete")
async def models_delete():
    deleted = await now(client.models.delete(**named(f"cogyard/box-{ME}")))
    gone = await refusal(lambda: now(client.models.get(**named(f"cogyard/box-{ME}"))))
    return {"deleted": deleted is None, "then": gone.status_code}


@program.shows("models: update, readme, examples")
async def models_update():
    name = f"cogyard/shelf-{ME}"
    await now(client.models.create(owner="cogyard", name=name.partition("/")[2], visibility="private", hardware="cpu"))
    updated = await now(client.models.update(**named(name), description="A shelf.", readme="# Shelf"))
    readme = await now(client.models.readme.get(**named(name)))
    examples = await first(client.models.examples.list(**named("acme/canary")))
    return {"description": updated.description, "readme": readme, "example": examples.results[0].input["text"]}


@program.shows("versions: list, get")
async def versions():
    listed = await first(client.models.versions.list(**named("acme/stream")))
    got = await now(client.models.versions.get(**named("acme/stream"), version_id=listed.results[0].id))
    output = got.openapi_schema["components"]["schemas"]["Output"]
    return {"listed": got.id == version("stream"), "output": output["type"]}


@program.shows("collections: list, get")
async def collections():
    listed = await first(client.collections.list())
    got = await now(client.collections.get(collection_slug="drawings"))
    models = [f"{one.owner}/{one.name}" for one in got.models]
    return {"listed": got.slug in [one.slug for one in listed.results], "name": got.name, "models": models}


@program.shows("search models, collections and pages")
async def search():
    found = await now(client.search(query="drawings", limit=5))
    return {
        "query": found.query,
        "model": "acme/picture" in [f"{one.model.owner}/{one.model.name}" for one in found.models],
        "collection": [one.slug for one in found.collections],
    }


@program.shows("files: create, list, get, delete")
async def files():
    content = ("parcel.txt", b"a parcel", "text/plain")
    created = await now(client.files.create(content=content, metadata={"colour": "yellow"}))
    listed = await first(client.files.list())
    got = await now(client.files.get(file_id=created.id))
    deleted = await now(client.files.delete(file_id=created.id))
    gone = await refusal(lambda: now(client.files.get(file_id=created.id)))
    return {
        "name": got.name,
        "size": got.size,
        "type": got.content_type,
        "metadata": got.metadata,
        "listed": created.id in [one.id for one in listed.results],
        "deleted": deleted is None,
        "then": gone.status_code,
    }


@program.shows("files: download", note="the signing key comes from `GET /v1/files/default/secret`, an extension")
async def download():
    created = await now(client.files.create(content=("parcel.txt", b"a parcel")))
    expiry = int(time.time()) + 60
    key = os.environ["FILES_KEY"].encode()
    signed = base64.b64encode(hmac.digest(key, f"cogyard {created.id} {expiry}".encode(), hashlib.sha256)).decode()
    wanted = {"file_id": created.id, "owner": "cogyard", "expiry": expiry}
    got = await now(client.files.download(**wanted, signature=signed))
    forged = await refusal(lambda: now(client.files.download(**wanted, signature="forged")))
    return {"read": (await now(got.read())).decode(), "forged": forged.body["detail"]}


@program.shows("deployments: create, list, get, update, delete")
async def deployments():
    where = {"deployment_owner": "cogyard", "deployment_name": f"desk-{ME}"}
    created = await deploy(f"desk-{ME}")
    listed = await first(client.deployments.list())
    updated = await now(client.deployments.update(**where, max_instances=2))
    got = await now(client.deployments.get(**where))
    deleted = await now(client.deployments.delete(**where))
    gone = await refusal(lambda: now(client.deployments.get(**where)))
    return {
        "releases": [created.current_release.number, updated.current_release.number],
        "max_instances": got.current_release.configuration.max_instances,
        "listed": created.name in [one.name for one in listed.results],
        "deleted": deleted is None,
        "then": gone.status_code,
    }


async def deploy(name):
    size = {"hardware": "cpu", "min_instances": 0, "max_instances": 1}
    return await now(client.deployments.create(name=name, model="acme/canary", version=version("canary"), **size))


@program.shows("deployments: predictions")
async def deployment_predictions():
    await deploy(f"line-{ME}")
    where = {"deployment_owner": "cogyard", "deployment_name": f"line-{ME}"}
    outputs = [
        await now(client.deployments.predictions.create(**where, input={"text": "hi"}, prefer="wait")) for _ in "ab"
    ]
    return [one.output["text"] for one in outputs]


async def train(name, **model_input):
    """A training of a new model."""
    await now(client.models.create(owner="cogyard", name=name, visibility="private", hardware="cpu"))
    words = await now(client.files.create(content=("words.txt", b"apple banana")))
    return await now(
        client.trainings.create(
            **named("acme/trainable"),
            version_id=version("trainable"),
            destination=f"cogyard/{name}",
            input={"words": words.urls.get, **model_input},
        )
    )


async def over(training):
    """The training, once it has ended."""
    got = await now(client.trainings.get(training_id=training.id))
    return got if got.status not in ("starting", "processing") else None


@program.shows("trainings: create, get, list, and the version that comes of it", note="files are uploaded first")
async def trainings():
    created = await train(f"learned-{ME}", rounds=2)
    got = await until(lambda: over(created))
    listed = await first(client.trainings.list())
    output = await now(client.run(got.output.version, input={"text": "banana split"}))
    return {"status": got.status, "listed": got.id in [one.id for one in listed.results], "output": output}


@program.shows("versions: delete")
async def version_delete():
    name = named(f"cogyard/learned-{ME}")
    model = await now(client.models.get(**name))
    answered = await now(client.models.versions.delete(**name, version_id=model.latest_version.id))

    async def is_gone():
        return not (await first(client.models.versions.list(**name))).results

    await until(is_gone)
    return {"answered": answered is None, "model": await now(client.models.delete(**name)) is None}


@program.shows("trainings: cancel", note="by id only")
async def training_cancel():
    made = [await train(f"{name}-{ME}", rounds=1000) for name in ("idle", "lazy")]
    for one in made:
        await now(client.trainings.cancel(training_id=one.id))
    return [(await until(lambda one=one: over(one))).status for one in made]
