"""The Python client 1.x, and what both halves of its program use."""

import replicate
from every_method import IS_ASYNC, MODELS, Calls, Program, now, title
from replicate.client import Client
from replicate.helpers import FileOutput
from replicate.resource import Namespace, Resource


def subclasses(kind):
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


calls = Calls("replicate")
for kind in (Client, *subclasses(Namespace), *subclasses(Resource), FileOutput):
    calls.watch(kind, kind.__qualname__)
calls.watch(replicate.pagination, "replicate")
program = Program("python1", replicate.__about__.__version__, calls)
client = Client()


async def do(owner, method, *arguments, **more):
    """Call a method, or its async twin."""
    twin = {"read": "aread"}.get(method, f"async_{method}")
    found = getattr(owner, twin if IS_ASYNC and hasattr(owner, twin) else method)(*arguments, **more)
    return await now(found)


def stream(**model_input):
    return (client.async_stream if IS_ASYNC else client.stream)(MODELS["stream"], input=model_input)


def stream_of(prediction):
    return prediction.async_stream() if IS_ASYNC else prediction.stream()


async def run(name, **model_input):
    return await do(client, "run", MODELS[name], input=model_input)


def version(name):
    return MODELS[name].partition(":")[2]


async def create(name, **more):
    return await do(client.predictions, "create", version=version(name), **more)


async def contents(outputs):
    return [title(await do(one, "read")) for one in outputs]
