"""Accounts, models, files, deployments, trainings with the Python client 1.x."""

import contextlib
import io

import replicate
from every_method import ME, refusal, until
from every_method_python1_client import client, do, program, version
from replicate.exceptions import ReplicateError


@program.shows("account")
async def account():
    found = await do(client.accounts, "current")
    return {"type": found.type, "username": found.username}


@program.shows("hardware")
async def hardware():
    return sorted(one.sku for one in await do(client.hardware, "list"))[:2]


@program.shows("models: list, get, search")
async def models():
    listed = await do(client.models, "list")
    found = await do(client.models, "search", "drawings of a picture")
    got = await do(client.models, "get", "acme/canary")
    example = got.default_example.output["text"]
    got.reload()
    with contextlib.suppress(replicate.exceptions.ReplicateException):
        got.predict()  # says that it is no more
    return {
        "listed": "acme/canary" in [one.id for one in listed],
        "found": "acme/picture" in [one.id for one in found],
        "description": got.description,
        "example": example,
    }


@program.shows("models: create")
async def models_create():
    words = {"visibility": "private", "hardware": "cpu", "description": "A box."}
    created = await do(client.models, "create", "cogyard", f"box-{ME}", **words)
    return {"description": created.description, "runs": created.run_count}


@program.shows("models: delete")
async def models_delete():
    deleted = await do(client.models, "delete", "cogyard", f"box-{ME}")
    gone = await refusal(lambda: do(client.models, "get", "cogyard", f"box-{ME}"))
    return {"deleted": deleted, "then": gone.status}


@program.shows("versions: list, get")
async def versions():
    model = await do(client.models, "get", "acme/stream")
    listed = await do(model.versions, "list")
    got = await do(model.versions, "get", listed[0].id)
    return {
        "listed": got.id == version("stream"),
        "output": got.openapi_schema["components"]["schemas"]["Output"]["type"],
    }


@program.shows("collections: list, get")
async def collections():
    listed = await do(client.collections, "list")
    got = await do(client.collections, "get", "drawings")
    return {
        "listed": "drawings" in [one.slug for one in listed],
        "name": got.name,
        "models": [one.id for one in got.models],
    }


@program.shows("files: create, list, get, delete")
async def files():
    content = io.BytesIO(b"a parcel")
    content.name = "parcel.txt"
    created = await do(client.files, "create", content, metadata={"colour": "yellow"})
    listed = await do(client.files, "list")
    got = await do(client.files, "get", created.id)
    deleted = await do(client.files, "delete", created.id)
    gone = await refusal(lambda: do(client.files, "get", created.id))
    return {
        "name": got.name,
        "size": got.size,
        "type": got.content_type,
        "metadata": got.metadata,
        "listed": created.id in [one.id for one in listed],
        "deleted": deleted,
        "then": gone.status,
    }


@program.shows("deployments: create, list, get, update, delete")
async def deployments():
    name = f"desk-{ME}"
    size = {"hardware": "cpu", "min_instances": 0, "max_instances": 1}
    created = await do(client.deployments, "create", name=name, model="acme/canary", version=version("canary"), **size)
    listed = await do(client.deployments, "list")
    updated = await do(client.deployments, "update", "cogyard", name, max_instances=2)
    got = await do(client.deployments, "get", f"cogyard/{name}")
    deleted = await do(client.deployments, "delete", "cogyard", name)
    gone = await refusal(lambda: do(client.deployments, "get", f"cogyard/{name}"))
    return {
        "releases": [created.current_release.number, updated.current_release.number],
        "max_instances": got.current_release.configuration.max_instances,
        "listed": created.id in [one.id for one in listed],
        "deleted": deleted,
        "then": gone.status,
    }


@program.shows("deployments: predictions")
async def deployment_predictions():
    size = {"hardware": "cpu", "min_instances": 0, "max_instances": 1}
    deployment = await do(
        client.deployments, "create", name=f"line-{ME}", model="acme/canary", version=version("canary"), **size
    )
    by_name = await do(client.deployments.predictions, "create", deployment.id, {"text": "hi"}, wait=True)
    by_itself = await do(deployment.predictions, "create", {"text": "hi"}, wait=True)
    return [by_name.output["text"], by_itself.output["text"]]


async def train(name, **model_input):
    """A training of a new model."""
    await do(client.models, "create", "cogyard", name, visibility="private", hardware="cpu")
    base = {"model": "acme/trainable", "version": version("trainable")}
    model_input = {"words": io.BytesIO(b"apple banana"), **model_input}
    return await do(client.trainings, "create", **base, input=model_input, destination=f"cogyard/{name}")


async def is_over(training):
    await do(training, "reload")
    return training.status not in ("starting", "processing")


@program.shows("trainings: create, get, list, and the version that comes of it")
async def trainings():
    created = await train(f"learned-{ME}", rounds=2)
    await until(lambda: is_over(created))
    got = await do(client.trainings, "get", created.id)
    listed = await do(client.trainings, "list")
    output = await do(client, "run", got.output["version"], input={"text": "banana split"})
    return {"status": got.status, "listed": created.id in [one.id for one in listed], "output": output}


@program.shows("versions: delete", note="answers False: the client takes 204 for yes, and Replicate answers 202")
async def version_delete():
    model = await do(client.models, "get", "cogyard", f"learned-{ME}")
    learned = model.latest_version.id
    answered = await do(model.versions, "delete", learned)
    await until(lambda: refused(lambda: do(model.versions, "get", learned)))
    return {"answered": answered, "model": await do(client.models, "delete", "cogyard", f"learned-{ME}")}


async def refused(work):
    try:
        await work()
        return False
    except ReplicateError as error:
        return error.status == 404


@program.shows("trainings: cancel")
async def training_cancel():
    by_id = await train(f"idle-{ME}", rounds=1000)
    by_itself = await train(f"lazy-{ME}", rounds=1000)
    canceled = await do(client.trainings, "cancel", by_id.id)
    await do(by_itself, "cancel")
    for one in (canceled, by_itself):
        await until(lambda one=one: is_over(one))
    return [canceled.status, by_itself.status]
