"""Every public method of the Python client 2.0 beta, sync or async; prints what came of it as JSON."""

import base64
import hashlib
import hmac
import io
import os
import pathlib
import tempfile
from datetime import UTC, datetime, timedelta

import every_method_python2_resources  # noqa: F401 - shows its part
import replicate
from every_method import IS_ASYNC, ME, MODELS, each, now, receiver, refusal, statuses, title, until
from every_method_python2_client import (
    client,
    contents,
    create,
    first,
    function,
    named,
    paths,
    program,
    run,
    use_,
    version,
)


@program.shows("run a version")
async def run_version():
    module = None if IS_ASYNC else replicate.run(MODELS["canary"], input={"text": "hi"})
    found = await run("canary", text="hi")
    assert module in (None, found)
    return found["text"]


@program.shows("run a model by its name")
async def run_name():
    created = await now(
        client.models.predictions.create(**named("acme/official"), input={"text": "Ada"}, prefer="wait")
    )
    output = await now(client.run("acme/official", input={"text": "Ada"}))
    return {"text": "".join(output), "version": created.version}


@program.shows("run a model that yields", note="gives a list")
async def run_iterator():
    whole = await run("stream", text="Ada")
    polled = await now(client.run(MODELS["stream"], input={"text": "Ada"}, wait=False))
    return {"whole": "".join(whole), "polled": "".join(polled)}


@program.shows("files in: file objects")
async def file_object():
    return (await run("canary", mode="read", file=io.BytesIO(b"a parcel")))["file"][1]


@program.shows("files in: paths", note="the client does not send the name")
async def file_path():
    path = pathlib.Path(tempfile.mkdtemp()) / "parcel.txt"
    path.write_text("a parcel")
    return (await run("canary", mode="read", file=path))["file"]


@program.shows("files in: URLs")
async def file_url():
    uploaded = await now(client.files.create(content=("parcel.txt", b"a parcel")))
    return (await run("canary", mode="read", file=uploaded.urls.get))["file"][1]


@program.shows("files in: data URIs")
async def file_base64():
    model_input = {"mode": "read", "file": io.BytesIO(b"a parcel")}
    created = await create("canary", input=model_input, file_encoding_strategy="base64", prefer="wait")
    return {"sent": created.input["file"], "read": created.output["file"][1]}


@program.shows("files in: lists of files")
async def file_list():
    got = await run("canary", mode="read", files=[io.BytesIO(b"one"), io.BytesIO(b"two")])
    return [content for _, content in got["files"]]


@program.shows("files out: one file")
async def output_file():
    output = await run("picture", title="a yard")
    iterated = b"".join(await each(output))
    return {"read": title(await now(output.read())), "iterated": title(iterated), "url": output.url[:8]}


@program.shows("files out: a list")
async def output_list():
    return await contents(await run("pictures", count=2))


@program.shows("files out: files in an object")
async def output_nested():
    album = await run("album", title="my album")
    return {
        "cover": await contents([album["cover"]]),
        "pages": await contents(album["pages"]),
        "title": album["title"],
    }


@program.shows("files out: plain URLs")
async def output_plain():
    url = await now(client.run(MODELS["picture"], input={"title": "a yard"}, use_file_output=False))
    return title(pathlib.Path(use_.URLPath(url)).read_bytes())


@program.shows("stream text", note="the client polls; its `stream` is deprecated in favour of `use`")
async def stream_text():
    told = await each(client.stream(MODELS["stream"], input={"text": "Ada"}))
    assert await each(replicate.stream(MODELS["stream"], input={"text": "Ada"}, use_async=IS_ASYNC)) == told
    return {"text": "".join(told), "end": "done"}


@program.shows("stream files", note="the client polls")
async def stream_files():
    draw = function(MODELS["picture-stream"], streaming=True)
    return paths(await each(await now(draw(count=2))))


@program.shows("stream a failure", note="raises at the end of what was polled")
async def stream_failure():
    say = function(MODELS["stream"], streaming=True)

    async def work():
        await each(await now(say(text="Ada", fail=True)))

    return str(await refusal(work))


@program.shows("predictions: create, get, wait", note="no `reload`: `get` gives a new one")
async def predictions():
    created = await create("canary", input={"text": "hi"})
    got = await now(client.predictions.get(prediction_id=created.id))
    ended = await now(client.predictions.wait(created.id))
    listed = await first(client.predictions.list())
    return {
        "same": got.id == created.id,
        "status": ended.status,
        "text": ended.output["text"],
        "listed": created.id in [one.id for one in listed.results],
        "model": got.model,
    }


@program.shows("predictions: output as it comes", note="through `use` with `streaming=True`")
async def output_iterator():
    say = function(MODELS["stream"], streaming=True)
    started = await now(say.create(text="Ada"))
    return "".join(await each(await now(started.output())))


@program.shows("predictions: cancel", note="by id only")
async def cancel():
    made = [await create("canary", input={"mode": "loop"}) for _ in range(2)]
    for one in made:
        await now(client.predictions.cancel(prediction_id=one.id))
    return [(await now(client.predictions.wait(one.id))).status for one in made]


@program.shows("Prefer: wait")
async def wait():
    whole = await create("canary", input={"text": "hi"}, prefer="wait")
    short = await create("canary", input={"mode": "loop"}, prefer="wait=1")
    at_once = await create("canary", input={"text": "hi"})
    await now(client.predictions.cancel(prediction_id=short.id))
    return {"wait": whole.status, "wait=1": short.status, "none": at_once.status}


@program.shows("Cancel-After")
async def cancel_after():
    created = await create("canary", input={"text": "hi"}, cancel_after="1m", prefer="wait")
    return {"seconds": round((created.deadline - created.created_at).total_seconds()), "status": created.status}


@program.shows("predictions: created after and before")
async def list_filters():
    one = await create("canary", input={"text": "hi"}, prefer="wait")
    at = one.created_at
    tick = timedelta(milliseconds=1)
    inside = await first(client.predictions.list(created_after=at - tick, created_before=at + tick))
    later = await first(client.predictions.list(created_after=datetime.now(UTC) + timedelta(hours=1)))
    return {"inside": one.id in [row.id for row in inside.results], "later": len(later.results)}


@program.shows("pagination", note="forwards only")
async def pagination():
    page = await first(client.predictions.list())
    more = page.has_next_page()
    second = await now(page.get_next_page())
    by_page = await each(page.iter_pages())
    rows = await each(client.predictions.list())
    seeds = {one.id for one in rows if one.input.get("text") == "seed"}
    assert more
    assert second.results[0].id == by_page[1].results[0].id
    twice = len(rows) - len({one.id for one in rows})
    return {"page": len(page.results), "seeds": len(seeds), "twice": twice}


@program.shows(
    "webhooks: the secret, and a delivery that the client's helper accepts",
    note="the client has no helper; its secret signs what came",
)
async def webhooks():
    secret = await now(client.webhooks.default.secret.get())
    with receiver() as (url, got):
        wanted = {"webhook": url, "webhook_events_filter": ["start", "completed"]}
        created = await create("canary", input={"text": "hi"}, **wanted)
        await until(lambda: "succeeded" in statuses(got))
    key = base64.b64decode(secret.key.removeprefix("whsec_"))
    for headers, body in got:
        told = {name.lower(): value for name, value in headers.items()}
        sentence = f"{told['webhook-id']}.{told['webhook-timestamp']}.{body}"
        signed = base64.b64encode(hmac.digest(key, sentence.encode(), hashlib.sha256)).decode()
        assert told["webhook-signature"] == f"v1,{signed}"
    return {"mine": created.id in got[0][1], "end": statuses(got)[-1]}


@program.shows("webhooks: events filter")
async def webhooks_filter():
    with receiver() as (url, got):
        await create("canary", input={"mode": "logs"}, webhook=url, webhook_events_filter=["completed"])
        await until(lambda: got)
    return statuses(got)


@program.shows("errors: 401, 404, 422, 429")
async def errors():
    stranger, limited = client.copy(bearer_token="invalid"), client.with_options(base_url=os.environ["LIMITED"])
    unknown = {"version": "0" * 64, "input": {}}
    unauthenticated = await refusal(lambda: now(stranger.account.get()))
    missing = await refusal(lambda: now(client.predictions.get(prediction_id="nothing")))
    invalid = await refusal(lambda: create("canary", input={"count": "many"}))
    patient = limited.with_options(max_retries=0)
    await refusal(lambda: now(patient.predictions.create(**unknown)))
    throttled = await refusal(lambda: now(patient.predictions.create(**unknown)))
    assert isinstance(unauthenticated, replicate.AuthenticationError)
    assert isinstance(missing, replicate.NotFoundError)
    assert isinstance(invalid, replicate.UnprocessableEntityError)
    assert isinstance(throttled, replicate.RateLimitError)
    return {
        "401": unauthenticated.body["detail"],
        "404": missing.body["detail"],
        "422": invalid.body["detail"],
        "429": [throttled.status_code, throttled.body["detail"].partition(".")[0]],
    }


@program.shows("errors: a model that fails")
async def model_error():
    error = await refusal(lambda: run("canary", mode="raise", text="the parcel is too heavy"))
    logs = error.prediction.logs.splitlines()
    return {"kind": type(error).__name__, "text": str(error), "logs": logs[0]}


@program.shows("retries: an answer that was lost", note="the client repeats a POST; the server knows it: it ran once")
async def retries():
    flaky = client.copy(base_url=f"{os.environ['FLAKY']}/v1")
    created = await now(flaky.predictions.create(version=version("canary"), input={"text": f"lost {ME}"}))
    listed = await first(client.predictions.list())
    rows = [one for one in listed.results if one.input.get("text") == f"lost {ME}"]
    again = await now(flaky.predictions.get(prediction_id=created.id))
    return {"raised": False, "created": len(rows), "get": again.id == rows[0].id}


@program.shows("base URL: with and without /v1")
async def base_urls():
    root = os.environ["REPLICATE_BASE_URL"]
    root = root.removesuffix("/v1")
    found = [await now(client.copy(base_url=root + ending).account.get()) for ending in ("", "/", "/v1", "/v1/")]
    return [one.username for one in found]


@program.shows("timeouts: the client gives up, the prediction goes on")
async def timeouts():
    hasty = client.with_options(timeout=0.8, max_retries=0)
    model_input = {"count": 2, "pause": 0.81 if IS_ASYNC else 0.82}
    asked = {"version": version("picture-stream"), "input": model_input}
    lost = await refusal(lambda: now(hasty.predictions.create(**asked, prefer="wait")))
    listed = await first(client.predictions.list())
    row = next(one for one in listed.results if one.input.get("pause") == model_input["pause"])
    ended = await now(client.predictions.wait(row.id))
    return {"gave up": isinstance(lost, replicate.APITimeoutError), "status": ended.status}


@program.shows(
    "`use`: a model as a function", note="as `replicate.use`; the method of a client object raises, a fault of its own"
)
async def use():
    broken = await refusal(lambda: now(client.use(MODELS["canary"])))
    assert "must be a class" in str(broken)
    say, hello = function(MODELS["canary"]), function("acme/official")
    draw, bind = function(MODELS["picture"]), function(MODELS["album"])
    started = await now(say.create(mode="logs", text="line", count=2))
    lines = await now(started.output())
    picture = await now(draw(title="a yard"))
    album = await now(bind(count=1))
    again = await now(say(mode="read", file=picture))
    schema = await now(say.openapi_schema())
    return {
        "output": lines["lines"],
        "logs": (await now(started.logs())).splitlines(),
        "official": await now(hello(text="Ada")),
        "file": paths([picture]),
        "file in an object": paths([album["cover"], *album["pages"]]),
        "file into another": title(again["file"][1]),
        "schema": sorted(schema["components"]["schemas"]["Output"]),
    }


@program.shows("`use`: streaming")
async def use_streaming():
    say = function(MODELS["stream"], streaming=True)
    return "".join(await each(say(text="Ada")))


@program.shows("raw responses")
async def raw():
    found = await now(client.with_raw_response.search(query="drawings"))
    created = await now(
        client.predictions.with_raw_response.create(
            version=version("canary"), input={"text": "hi"}, extra_headers={"Prefer": "wait=5"}
        )
    )
    parsed = await now(created.parse())
    return {
        "status": [found.status_code, created.status_code],
        "applied": created.headers["preference-applied"],
        "text": parsed.output["text"],
    }


program.start()
