"""Output files and how they are delivered (§9.6)."""

from urllib.parse import urlsplit

from cogyard.verify.check import Assertion, Check
from cogyard.verify.expect import header, holds, status
from cogyard.verify.http import Answer
from cogyard.verify.lab import Lab
from cogyard.verify.probe import noter
from cogyard.verify.running import run, start
from cogyard.verify.verdict import NotTried, require


async def made(lab: Lab) -> Answer:
    """A prediction that gave files."""
    ended = await run(lab, noter, {})
    require(ended.at("status") == "succeeded", f"expected the files probe to succeed, got {ended.text[:300]}")
    return ended


def urls(answer: Answer) -> list[str]:
    """The files of an output: a list of them, or one."""
    output = answer.at("output")
    return [str(one) for one in output] if isinstance(output, list) else [str(output)]


async def _url(lab: Lab) -> str:
    return urls(await lab.once(made))[0]


async def _got(lab: Lab) -> Answer:
    return await lab.client.get(await _url(lab), token=None)


async def _with_token(lab: Lab) -> Answer:
    return await lab.client.get(await _url(lab))


async def _part(lab: Lab) -> Answer:
    return await lab.client.get(await _url(lab), token=None, headers={"Range": "bytes=2-5"})


async def _tail(lab: Lab) -> Answer:
    return await lab.client.get(await _url(lab), token=None, headers={"Range": "bytes=-3"})


async def _head(lab: Lab) -> Answer:
    return await lab.client.send("HEAD", await _url(lab), token=None)


async def _forged(lab: Lab) -> Answer:
    """The same file under an address of which one character was changed."""
    url = await _url(lab)
    last = "a" if url[-1] != "a" else "b"
    return await lab.client.get(url[:-1] + last, token=None)


async def _sync(lab: Lab) -> Answer:
    await lab.once(made)
    return await start(lab, noter, {}, {"Prefer": "wait"})


async def _is_note(lab: Lab) -> None:
    if lab.named.files is not None:
        raise NotTried("only the suite's own files have known contents")
    for number, url in enumerate(urls(await lab.once(made))):
        answer = (await lab.client.get(url, token=None)).expect(200)
        require(answer.body == f"this is note {number}\n".encode(), f"expected note {number}, got {answer.text[:80]!r}")


async def _is_part(lab: Lab) -> None:
    whole, part = (await lab.once(_got)).expect(200), (await lab.once(_part)).expect(206)
    require(part.body == whole.body[2:6], f"expected {whole.body[2:6]!r}, got {part.body[:80]!r}")


def _ends_with_name(name: str) -> Assertion:
    async def assertion(lab: Lab) -> None:
        if lab.named.files is not None:
            raise NotTried("only the suite's own files have known names")
        path = urlsplit(await _url(lab)).path
        require(path.endswith(f"/{name}"), f"expected a path that ends with /{name}, got {path}")

    return assertion


CHECKS: tuple[Check, ...] = (
    Check(
        "delivery.urls",
        "§9.6",
        "A file in an output is shown as an http or https URL.",
        holds(made, lambda answer: all(url.startswith(("http://", "https://")) for url in urls(answer)), "URLs"),
    ),
    Check(
        "delivery.distinct",
        "§9.6",
        "Each file has a URL of its own.",
        holds(made, lambda answer: len(set(urls(answer))) == len(urls(answer)), "different URLs"),
    ),
    Check("delivery.name", "§9.6", "The path of a file's URL ends with its name.", _ends_with_name("note-0.txt")),
    Check("delivery.without-token", "§9.6", "A file is delivered without a token.", status(_got, 200)),
    Check("delivery.with-token", "§9.6", "A token does no harm when a file is fetched.", status(_with_token, 200)),
    Check("delivery.bytes", "§9.6", "What is delivered is what the model wrote, in its order.", _is_note),
    Check(
        "delivery.content-type",
        "§9.6",
        "A file has its real content type.",
        header(_got, "content-type", r"(?!application/octet-stream).+/.+"),
    ),
    Check(
        "delivery.content-length",
        "§9.6",
        "`Content-Length` is the file's size.",
        holds(_got, lambda answer: answer.headers.get("content-length") == str(len(answer.body)), "its size"),
    ),
    Check(
        "delivery.cors",
        "§9.6",
        "Web pages may read a file from anywhere.",
        header(_got, "access-control-allow-origin", r"\*"),
    ),
    Check(
        "delivery.caching",
        "§9.6",
        "A file may be kept for an hour.",
        header(_got, "cache-control", r"public, ?max-age=3600"),
    ),
    Check("delivery.etag", "§1.3", "A file has an `ETag`.", header(_got, "etag", r'(W/)?".+"')),
    Check(
        "delivery.last-modified",
        "§1.3",
        "A file has a `Last-Modified`.",
        header(_got, "last-modified", r"\w{3}, \d\d \w{3} \d{4} .* GMT"),
    ),
    Check(
        "delivery.ranges.offered", "§9.6", "Parts of a file may be asked for.", header(_got, "accept-ranges", "bytes")
    ),
    Check("delivery.ranges.status", "§9.6", "A part of a file is answered with 206.", status(_part, 206)),
    Check(
        "delivery.ranges.named",
        "§9.6",
        "A part of a file says which part it is.",
        header(_part, "content-range", r"bytes 2-5/\d+"),
    ),
    Check("delivery.ranges.bytes", "§9.6", "A part of a file holds the bytes that were asked for.", _is_part),
    Check(
        "delivery.ranges.tail",
        "§9.6",
        "The last bytes of a file may be asked for.",
        holds(_tail, lambda answer: answer.status == 206 and len(answer.body) == 3, "the last 3 bytes"),
    ),
    Check(
        "delivery.head",
        "§9.6",
        "HEAD of a file tells its size and sends no body.",
        holds(
            _head,
            lambda answer: answer.status == 200 and not answer.body and answer.headers.get("content-length"),
            "a size and no body",
        ),
    ),
    Check(
        "delivery.capability",
        "§9.6",
        "A URL that was changed opens nothing: the URL is the right.",
        status(_forged, 400, 401, 403, 404),
    ),
    Check(
        "delivery.sync",
        "§9.4",
        "A synchronous answer has all files, as URLs or data URIs.",
        holds(
            _sync,
            lambda answer: answer.status == 201 and all(url.startswith(("http", "data:")) for url in urls(answer)),
            "all files",
        ),
    ),
)
