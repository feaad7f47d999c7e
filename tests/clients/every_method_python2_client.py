"""The Python client 2.0 beta, strict: an answer that is not what the API's description says raises."""

import pathlib

import replicate
from every_method import IS_ASYNC, MODELS, Calls, Program, now, title
from replicate._base_client import BaseAsyncPage, BaseSyncPage
from replicate._resource import AsyncAPIResource, SyncAPIResource
from replicate.lib import _predictions_use as use_

calls = Calls("replicate")
Kind = replicate.AsyncReplicate if IS_ASYNC else replicate.Replicate
client = Kind(_strict_response_validation=True)
client.account, client.collections, client.files, client.hardware, client.predictions, client.trainings  # noqa: B018
client.deployments.predictions, client.models.examples, client.webhooks.default.secret  # noqa: B018
client.models.predictions, client.models.readme, client.models.versions  # noqa: B018 - imports them all
for kind in (AsyncAPIResource if IS_ASYNC else SyncAPIResource).__subclasses__():
    calls.watch(kind, f"{kind.__module__.partition('.resources.')[2]}.{kind.__name__}")
for kind in (use_.AsyncFunction, use_.AsyncRun) if IS_ASYNC else (use_.Function, use_.Run):
    calls.watch(kind, kind.__name__)
calls.watch(BaseAsyncPage if IS_ASYNC else BaseSyncPage, "Page")
calls.watch(Kind, Kind.__name__)
calls.watch(replicate.AsyncFileOutput if IS_ASYNC else replicate.FileOutput, "FileOutput")
for name in ("use", "stream") if IS_ASYNC else ("run", "use", "stream"):
    calls.public.add(f"replicate.{name}")
    setattr(replicate, name, calls.counted(getattr(replicate, name), f"replicate.{name}"))
program = Program("python2", replicate.__version__, calls)


async def run(name, **model_input):
    return await now(client.run(MODELS[name], input=model_input))


async def create(name, **more):
    return await now(client.predictions.create(version=MODELS[name], **more))


async def contents(outputs):
    return [title(await now(one.read())) for one in outputs]


def paths(outputs):
    """What the lazy paths of `use` hold."""
    return [title(pathlib.Path(one).read_bytes()) for one in outputs]


def version(name):
    return MODELS[name].partition(":")[2]


def named(name):
    owner, _, name = name.partition("/")
    return {"model_owner": owner, "model_name": name}


async def first(found):
    """The first page of a list."""
    return await now(found)


def function(reference, **more):
    """A model as a function."""
    return replicate.use(reference, use_async=IS_ASYNC, **more)
