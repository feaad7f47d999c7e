"""Every public method of the Python client 1.x, sync or async; prints what came of it as JSON."""

import io
import os
import pathlib
import tempfile

import every_method_python1_resources  # noqa: F401 - shows its part
import httpx
import replicate
from every_method import IS_ASYNC, ME, MODELS, each, receiver, refusal, statuses, title, until
from every_method_python1_client import client, contents, create, do, program, run, stream, stream_of, version
from replicate.client import Client
from replicate.helpers import FileOutput


@program.shows("run a version")
async def run_version():
    return (await run("canary", text="hi"))["text"]


@program.shows("run a model by its name")
async def run_name():
    created = await do(client.models.predictions, "create", "acme/official", {"text": "Ada"}, wait=True)
    output = await do(client, "run", "acme/official", input={"text": "Ada"})
    return {"text": "".join(output), "version": created.version}


@program.shows("run a model that yields")
async def run_iterator():
    whole = await run("stream", text="Ada")
    polled = await do(client, "run", MODELS["stream"], input={"text": "Ada"}, wait=False)
    return {"whole": "".join(await each(whole)), "polled": "".join(await each(polled))}


@program.shows("files in: file objects")
async def file_object():
    return (await run("canary", mode="read", file=io.BytesIO(b"a parcel")))["file"][1]


@program.shows("files in: paths")
async def file_path():
    path = pathlib.Path(tempfile.mkdtemp()) / "parcel.txt"
    path.write_text("a parcel")
    return (await run("canary", mode="read", file=path))["file"]


@program.shows("files in: URLs")
async def file_url():
    uploaded = await do(client.files, "create", io.BytesIO(b"a parcel"))
    return (await run("canary", mode="read", file=uploaded.urls["get"]))["file"][1]


@program.shows("files in: data URIs")
async def file_base64():
    model_input = {"mode": "read", "file": io.BytesIO(b"a parcel")}
    created = await create("canary", input=model_input, file_encoding_strategy="base64", wait=True)
    return {"sent": created.input["file"], "read": created.output["file"][1]}


@program.shows("files in: lists of files")
async def file_list():
    got = await run("canary", mode="read", files=[io.BytesIO(b"one"), io.BytesIO(b"two")])
    return [content for _, content in got["files"]]


@program.shows("files out: one file")
async def output_file():
    output = await run("picture", title="a yard")
    iterated = b"".join(await each(output))
    return {"read": title(await do(output, "read")), "iterated": title(iterated), "url": output.url[:8]}


@program.shows("files out: a list")
async def output_list():
    return await contents(await run("pictures", count=2))


@program.shows("files out: files in an object")
async def output_nested():
    album = await run("album", title="my album")
    return {"cover": await contents([album["cover"]]), "pages": await contents(album["pages"]), "title": album["title"]}


@program.shows("files out: plain URLs")
async def output_plain():
    url = await do(client, "run", MODELS["picture"], input={"title": "a yard"}, use_file_output=False)
    return title(await do(FileOutput(url, client), "read"))


@program.shows("stream text")
async def stream_text():
    told = await each(stream(text="Ada"))
    return {"text": "".join(map(str, told)), "end": told[-1].event.value}


@program.shows("stream a prediction that is there")
async def stream_prediction():
    created = await create("stream", input={"text": "Ada"}, stream=True)
    told = await each(stream_of(created))
    return "".join(map(str, told))


@program.shows("stream files")
async def stream_files():
    created = await create("picture-stream", input={"count": 2}, stream=True)
    told = await each(stream_of(created))
    return await contents([one.data for one in told if one.event.value == "output"])


@program.shows("stream a failure")
async def stream_failure():
    async def work():
        await each(stream(text="Ada", fail=True))

    return str(await refusal(work))


@program.shows("predictions: create, get, wait")
async def predictions():
    created = await create("canary", input={"text": "hi"})
    got = await do(client.predictions, "get", created.id)
    await do(created, "wait")
    await do(got, "reload")
    if got.status != "succeeded":
        await do(got, "wait")
    listed = await do(client.predictions, "list")
    return {
        "same": got.id == created.id,
        "status": created.status,
        "text": got.output["text"],
        "listed": created.id in [one.id for one in listed],
        "model": got.model,
    }


@program.shows("predictions: output as it comes")
async def output_iterator():
    created = await create("stream", input={"text": "Ada"})
    return "".join(await each(created.async_output_iterator() if IS_ASYNC else created.output_iterator()))


@program.shows("predictions: cancel")
async def cancel():
    by_id, by_itself = [await create("canary", input={"mode": "loop"}) for _ in range(2)]
    canceled = await do(client.predictions, "cancel", by_id.id)
    await do(by_itself, "cancel")
    for one in (canceled, by_itself):
        await do(one, "wait")
    return [canceled.status, by_itself.status]


@program.shows("Prefer: wait")
async def wait():
    whole = await create("canary", input={"text": "hi"}, wait=True)
    short = await create("canary", input={"mode": "loop"}, wait=1)
    at_once = await create("canary", input={"text": "hi"}, wait=False)
    await do(client.predictions, "cancel", short.id)
    return {"wait": whole.status, "wait=1": short.status, "none": at_once.status}


@program.shows("pagination")
async def pagination():
    method = client.predictions.async_list if IS_ASYNC else client.predictions.list
    pages = await each((replicate.pagination.async_paginate if IS_ASYNC else replicate.pagination.paginate)(method))
    rows = [one for page in pages for one in page]
    seeds = {one.id for one in rows if one.input.get("text") == "seed"}
    back = await do(client.predictions, "list", pages[1].previous)
    assert [one.id for one in back] == [one.id for one in pages[0]]
    return {"page": len(pages[0]), "seeds": len(seeds), "twice": len(rows) - len({one.id for one in rows})}


@program.shows("webhooks: the secret, and a delivery that the client's helper accepts")
async def webhooks():
    secret = await do(client.webhooks.default, "secret")
    with receiver() as (url, got):
        created = await create(
            "canary", input={"text": "hi"}, webhook=url, webhook_events_filter=["start", "completed"]
        )
        await until(lambda: "succeeded" in statuses(got))
    for headers, body in got:
        replicate.webhooks.validate(headers=headers, body=body, secret=secret, tolerance=60)
    forged = {"headers": got[0][0], "body": got[0][1] + " "}
    error = await refusal(lambda: replicate.webhooks.validate(**forged, secret=secret))
    assert isinstance(error, replicate.webhook.InvalidSignatureError)
    return {"mine": created.id in got[0][1], "end": statuses(got)[-1]}


@program.shows("webhooks: events filter")
async def webhooks_filter():
    with receiver() as (url, got):
        await create("canary", input={"mode": "logs"}, webhook=url, webhook_events_filter=["completed"])
        await until(lambda: got)
    return statuses(got)


@program.shows("progress of a bar in the logs")
async def progress():
    created = await create("pictures", input={"count": 4}, wait=True)
    found = created.progress
    return [found.percentage, found.current, found.total]


@program.shows("errors: 401, 404, 422, 429")
async def errors():
    stranger = Client(api_token="invalid")
    limited = Client(base_url=os.environ["LIMITED"])
    unknown = {"version": "0" * 64, "input": {}}
    unauthenticated = await refusal(lambda: do(stranger.accounts, "current"))
    missing = await refusal(lambda: do(client.predictions, "get", "nothing"))
    invalid = await refusal(lambda: create("canary", input={"count": "many"}))
    await refusal(lambda: do(limited.predictions, "create", **unknown))
    throttled = await refusal(lambda: do(limited.predictions, "create", **unknown))
    return {
        "401": unauthenticated.detail,
        "404": missing.detail,
        "422": invalid.detail,
        "429": [throttled.status, throttled.detail.partition(".")[0]],
    }


@program.shows("errors: a model that fails")
async def model_error():
    error = await refusal(lambda: run("canary", mode="raise", text="the parcel is too heavy"))
    logs = error.prediction.logs.splitlines()
    return {"kind": type(error).__name__, "text": str(error), "logs": logs[0]}


@program.shows("retries: an answer that was lost", note="the client does not repeat a POST; it ran once")
async def retries():
    flaky = Client(base_url=os.environ["FLAKY"])
    lost = await refusal(
        lambda: do(flaky.predictions, "create", version=version("canary"), input={"text": f"lost {ME}"})
    )
    rows = [one for one in await do(client.predictions, "list") if one.input.get("text") == f"lost {ME}"]
    again = await do(flaky.predictions, "get", rows[0].id)
    return {"raised": isinstance(lost, httpx.RemoteProtocolError), "created": len(rows), "get": again.id == rows[0].id}


@program.shows("base URL: with and without /v1")
async def base_urls():
    root = os.environ["REPLICATE_BASE_URL"]
    found = [await do(Client(base_url=root + ending).accounts, "current") for ending in ("", "/", "/v1", "/v1/")]
    return [one.username for one in found]


@program.shows("timeouts: the client gives up, the prediction goes on")
async def timeouts():
    hasty = Client(timeout=httpx.Timeout(0.3))
    model_input = {"count": 2, "pause": 0.9}
    created = await do(hasty.predictions, "create", version=version("picture-stream"), input=model_input, stream=True)
    lost = await refusal(lambda: each(stream_of(created)))
    row = await do(client.predictions, "get", created.id)
    await do(row, "wait")
    return {"gave up": isinstance(lost, httpx.ReadTimeout), "status": row.status}


program.start()
