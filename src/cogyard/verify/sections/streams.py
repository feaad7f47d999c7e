"""Streams of output, as server-sent events (§10.4)."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson

from cogyard.domain.values import JsonObject
from cogyard.verify.check import Check
from cogyard.verify.expect import absent, like, refused
from cogyard.verify.http import Answer
from cogyard.verify.lab import Lab
from cogyard.verify.probe import canary, full_canary, grammar, noter
from cogyard.verify.running import cancel_answer, canceled, created, end_of, run, sleeping, start, succeeded
from cogyard.verify.sections import delivery
from cogyard.verify.sse import Event, events
from cogyard.verify.verdict import Broken, NotTried, require

TEXT = "first line\nsecond line"


@dataclass(frozen=True, slots=True)
class Stream:
    """A whole stream, as it was read."""

    headers: dict[str, str]
    blocks: list[Event] = field(default_factory=list)

    @property
    def events(self) -> list[Event]:
        """Without comments."""
        return [block for block in self.blocks if not block.is_comment]

    @property
    def text(self) -> str:
        """The output, joined."""
        return "".join(event.data for event in self.events if event.name == "output")

    @property
    def end(self) -> Event:
        """The last event."""
        if not self.events:
            raise Broken("expected events, got an empty stream")
        return self.events[-1]


async def read(lab: Lab, url: str, last: str | None = None, *, token: str | None = None) -> Stream:
    """Read a stream to its end."""
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    if last is not None:
        headers["Last-Event-ID"] = last
    async with lab.client.open(url, headers, token=token) as response:
        require(response.status == 200, f"expected the stream to answer 200, got {response.status}")
        told = {name.lower(): value for name, value in response.headers.items()}
        return Stream(told, [block async for block in events(response)])


def _url(answer: Answer) -> str:
    if not answer.has("urls.stream"):
        raise Broken("expected urls.stream of a model that streams, got none")
    return answer.string("urls.stream")


async def _created(lab: Lab) -> Answer:
    return await start(lab, canary, {"text": TEXT})


async def _whole(lab: Lab) -> Stream:
    """Opened without a token, right after the creation."""
    return await read(lab, _url(await lab.once(_created)))


async def _late(lab: Lab) -> Stream:
    return await read(lab, _url(await lab.once(succeeded)))


async def _with_token(lab: Lab) -> None:
    stream = await read(lab, _url(await lab.once(succeeded)), token="")
    require(stream.end.name == "done", "expected the same stream with a token")


async def _failed(lab: Lab) -> Stream:
    return await read(lab, _url(await run(lab, full_canary, {"text": "Ada", "fail": True})))


async def _canceled(lab: Lab) -> Stream:
    await lab.once(cancel_answer)
    await lab.once(canceled)
    return await read(lab, _url(await lab.once(sleeping)))


async def _files(lab: Lab) -> Stream:
    return await read(lab, _url(await lab.once(delivery.made)))


async def _no_stream(lab: Lab) -> Answer:
    return await start(lab, grammar, {"word": "hello"})


async def _forged(lab: Lab) -> Answer:
    url = _url(await lab.once(succeeded))
    return await lab.client.get(url[:-3] + "aaa", token=None)


async def _files_answer(lab: Lab) -> Answer:
    return await lab.once(delivery.made)


def _content_type(stream: Stream) -> str:
    return stream.headers.get("content-type", "").partition(";")[0]


async def _is_event_stream(lab: Lab) -> None:
    found = _content_type(await lab.once(_whole))
    require(found == "text/event-stream", f"expected text/event-stream, got {found!r}")


async def _is_not_cached(lab: Lab) -> None:
    found = (await lab.once(_whole)).headers.get("cache-control", "")
    require("no-cache" in found or "no-store" in found, f"expected no-cache, got {found!r}")


async def _cors(lab: Lab) -> None:
    found = (await lab.once(_whole)).headers.get("access-control-allow-origin")
    require(found == "*", f"expected access-control-allow-origin *, got {found!r}")


async def _text_path(lab: Lab) -> None:
    path = urlsplit(_url(await lab.once(created))).path
    require(not path.startswith("/v1/files/"), f"expected a path of its own for text, got {path}")


async def _files_path(lab: Lab) -> None:
    path = urlsplit(_url(await lab.once(_files_answer))).path
    require(path.startswith("/v1/files/"), f"expected a path under /v1/files/, got {path}")


async def _comment_first(lab: Lab) -> None:
    blocks = (await lab.once(_whole)).blocks
    require(blocks and blocks[0].is_comment, f"expected a comment first, got {blocks[:1]}")


async def _ids(lab: Lab) -> None:
    for stream in (await lab.once(_whole), await lab.once(_late)):
        without = [event for event in stream.events if not event.id]
        require(not without, f"expected an id on every event, got {without[:1]}")


async def _id_form(lab: Lab) -> None:
    for event in (await lab.once(_whole)).events:
        require(re.fullmatch(r"\d+:\d+", event.id or ""), f"expected <seconds>:<number> as id, got {event.id!r}")


async def _ids_differ(lab: Lab) -> None:
    ids = [event.id for event in (await lab.once(_whole)).events]
    require(len(set(ids)) == len(ids), f"expected different ids, got {ids}")


async def _joined(lab: Lab) -> None:
    text = (await lab.once(_whole)).text
    require(text == f"hello there, {TEXT}", f"expected the whole text, got {text!r}")


async def _lines(lab: Lab) -> None:
    found = [event for event in (await lab.once(_whole)).events if len(event.lines) == 2]
    require(found and found[0].lines == tuple(TEXT.split("\n")), "expected two data lines for a text of two lines")


async def _as_output(lab: Lab) -> None:
    ended = await end_of(lab, await lab.once(_created))
    items = [event.data for event in (await lab.once(_whole)).events if event.name == "output"]
    require("".join(items) == "".join(map(str, ended.array("output"))), f"expected the output, got {items}")


async def _one_done(lab: Lab) -> None:
    names = [event.name for event in (await lab.once(_whole)).events]
    require(names.count("done") == 1, f"expected one done, got {names}")


async def _done_last(lab: Lab) -> None:
    end = (await lab.once(_whole)).end
    require(end.name == "done", f"expected done at last, got {end.name}")


async def _done_empty(lab: Lab) -> None:
    end = (await lab.once(_whole)).end
    require(end.data == "{}", f"expected {{}} in done, got {end.data!r}")


async def _known_names(lab: Lab) -> None:
    streams = [await lab.once(_whole)]
    names = {event.name for stream in streams for event in stream.events}
    require(names <= {"output", "error", "done"}, f"expected output, error and done only, got {sorted(names)}")


async def _backlog(lab: Lab) -> None:
    text = (await lab.once(_late)).text
    require(text == "hello there, Ada", f"expected the whole text after the end, got {text!r}")


async def _resumes(lab: Lab) -> None:
    whole = await lab.once(_late)
    rest = await read(lab, _url(await lab.once(succeeded)), whole.events[0].id)
    found, wanted = [event.data for event in rest.events], [event.data for event in whole.events[1:]]
    require(found == wanted, f"expected only what came after the first event, {wanted}, got {found}")


async def _same_ids(lab: Lab) -> None:
    again = await read(lab, _url(await lab.once(succeeded)))
    first, second = [event.id for event in (await lab.once(_late)).events], [event.id for event in again.events]
    require(first == second, f"expected the same ids each time, got {first} and {second}")


async def _is_live(lab: Lab) -> None:
    """The first piece comes while the prediction runs."""
    running = await start(lab, full_canary, {"text": "Ada", "pause": 1})
    async with lab.client.open(_url(running)) as response:
        async for event in events(response):
            if event.name == "output":
                break
        now = (await lab.client.get(f"/predictions/{running.string('id')}")).expect(200)
    require(
        now.at("status") == "processing", f"expected the first piece before the end, got it when {now.at('status')}"
    )


async def _failed_order(lab: Lab) -> None:
    names = [event.name for event in (await lab.once(_failed)).events]
    require(names[-2:] == ["error", "done"], f"expected error and then done, got {names}")


async def _failed_detail(lab: Lab) -> None:
    data = next((event.data for event in (await lab.once(_failed)).events if event.name == "error"), "{}")
    found = orjson.loads(data)
    told: JsonObject = found if isinstance(found, dict) else {}
    require("told to fail" in str(told.get("detail")), f"expected the error in detail, got {data!r}")


async def _failed_reason(lab: Lab) -> None:
    found = (await lab.once(_failed)).end.data
    require(orjson.loads(found) == {"reason": "error"}, f'expected {{"reason":"error"}}, got {found!r}')


async def _failed_output(lab: Lab) -> None:
    text = (await lab.once(_failed)).text
    require(text == "hello there, Ada", f"expected what came before the failure, got {text!r}")


async def _canceled_reason(lab: Lab) -> None:
    end = (await lab.once(_canceled)).end
    is_so = end.name == "done" and orjson.loads(end.data) == {"reason": "canceled"}
    require(is_so, f'expected done with {{"reason":"canceled"}}, got {end.name} {end.data!r}')


async def _file_events(lab: Lab) -> None:
    outputs = [event for event in (await lab.once(_files)).events if event.name == "output"]
    for event in outputs:
        require(re.fullmatch(r"(https?:|data:)\S+", event.data), f"expected one URL, got {event.data!r}")
    require(len(outputs) == len(delivery.urls(await lab.once(delivery.made))), "expected an event for each file")


async def _file_bytes(lab: Lab) -> None:
    first = next(event.data for event in (await lab.once(_files)).events if event.name == "output")
    if first.startswith("data:"):
        raise NotTried("the files came as data URIs")
    streamed = (await lab.client.get(first, token=None)).expect(200)
    shown = (await lab.client.get(delivery.urls(await lab.once(delivery.made))[0], token=None)).expect(200)
    require(streamed.body == shown.body, "expected the same file in the stream and in the output")


async def _whole_file_stream(lab: Lab) -> Answer:
    return await start(lab, noter, {}, more={"stream": True})


CHECKS: tuple[Check, ...] = (
    Check(
        "streams.url",
        "§5.2",
        "A model that can stream has `urls.stream`, whether it was asked for or not.",
        like(created, "urls.stream", "https?://.+"),
    ),
    Check(
        "streams.url.of-files",
        "§10.4",
        "A model that gives files as they come has `urls.stream` too.",
        like(_whole_file_stream, "urls.stream", "https?://.+"),
    ),
    Check(
        "streams.url.none",
        "§5.2",
        "A model that cannot stream has no `urls.stream`, not even null.",
        absent(_no_stream, "urls.stream"),
    ),
    Check("streams.url.of-text", "§10.4", "The path of a stream of text does not begin with `/v1/files/`.", _text_path),
    Check("streams.url.path-of-files", "§10.4", "The path of a stream of files begins with `/v1/files/`.", _files_path),
    Check("streams.forged", "§1.1", "A stream's URL that was changed opens nothing.", refused(_forged)),
    Check("streams.content-type", "§10.4", "A stream is `text/event-stream`.", _is_event_stream),
    Check("streams.not-cached", "§10.4", "A stream is not cached.", _is_not_cached),
    Check("streams.cors", "§10.4", "Web pages may open a stream from anywhere.", _cors),
    Check("streams.with-token", "§10.4", "A token does no harm when a stream is opened.", _with_token),
    Check("streams.comment", "§10.4", "A stream begins with a comment.", _comment_first),
    Check("streams.joined", "§10.4", "The output events, joined, are the whole text.", _joined),
    Check("streams.as-output", "§10.4", "A stream says what `output` says at the end.", _as_output),
    Check("streams.lines", "§10.4", "A text of several lines comes as several data lines.", _lines),
    Check("streams.ids", "§10.4", "Every event has an id, the first and the last too.", _ids),
    Check("streams.id-form", "§10.4", "An id is `<seconds>:<number>`.", _id_form),
    Check("streams.ids-differ", "§10.4", "No two events of a stream have the same id.", _ids_differ),
    Check("streams.same-ids", "§10.4", "Who reads again gets the same ids.", _same_ids),
    Check("streams.names", "§10.4", "Events are called output, error and done: clients fail on others.", _known_names),
    Check("streams.one-done", "§10.4", "There is exactly one `done`.", _one_done),
    Check("streams.done-last", "§10.4", "`done` is the last event, then the stream closes.", _done_last),
    Check("streams.done-empty", "§10.4", "On success `done` says `{}`.", _done_empty),
    Check("streams.live", "§10.4", "Output comes while the model runs.", _is_live),
    Check("streams.late", "§10.4", "Who comes late gets everything from the start.", _backlog),
    Check("streams.resume", "§10.4", "With `Last-Event-ID` only later events come.", _resumes),
    Check("streams.failed.order", "§10.4", "On failure `error` comes and then `done`.", _failed_order),
    Check("streams.failed.detail", "§10.4", "`error` tells the error as JSON with a `detail`.", _failed_detail),
    Check("streams.failed.reason", "§10.4", 'On failure `done` says `{"reason":"error"}`.', _failed_reason),
    Check("streams.failed.output", "§10.4", "What came before a failure is still streamed.", _failed_output),
    Check("streams.canceled", "§10.4", 'After a cancel `done` says `{"reason":"canceled"}`.', _canceled_reason),
    Check("streams.files.urls", "§10.4", "In a stream of files each output event is one URL.", _file_events),
    Check("streams.files.bytes", "§10.4", "A streamed URL delivers the file of the output.", _file_bytes),
)
