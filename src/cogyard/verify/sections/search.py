"""Finding models: `GET /search` (§3.5) and `QUERY /models` (§3.6)."""

import orjson

from cogyard.domain.values import Json
from cogyard.verify.check import Check
from cogyard.verify.expect import absent, every, header, holds, keys, refused, status, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Evidence, Lab
from cogyard.verify.probe import canary
from cogyard.verify.verdict import NotTried, require


async def _word(lab: Lab) -> str:
    """A word that finds something. Raises `NotTried` where there is nothing to find."""
    rows = (await lab.client.get("/models")).expect(200).array("results")
    for row in rows:
        if isinstance(row, dict):
            return str(row["name"]).split("-")[0]
    raise NotTried("there are no public models")


async def _without(lab: Lab) -> Answer:
    return await lab.client.get("/search", token=None)


async def _nothing(lab: Lab) -> Answer:
    return (await lab.client.get("/search?query=zzqqxxyy", token=None)).expect(200)


async def _found(lab: Lab) -> Answer:
    return (await lab.client.get(f"/search?query={await lab.once(_word)}", token=None)).expect(200)


async def _with_token(lab: Lab) -> Answer:
    return await lab.client.get(f"/search?query={await lab.once(_word)}")


async def _one(lab: Lab) -> Answer:
    return (await lab.client.get(f"/search?query={await lab.once(_word)}&limit=1", token=None)).expect(200)


def _limit(text: str) -> Evidence:
    async def evidence(lab: Lab) -> Answer:
        return await lab.client.get(f"/search?query=model&limit={text}", token=None)

    return evidence


async def _private(lab: Lab) -> None:
    if lab.named.canary is not None:
        raise NotTried("needs a private model of the suite's own")
    name = (await lab.once(canary)).partition(":")[0].partition("/")[2]
    answer = (await lab.client.get(f"/search?query={name}")).expect(200)
    require(
        name not in answer.text.replace(answer.string("query"), "", 1), "expected the private model not to be found"
    )


def _hit(row: Json) -> bool:
    return isinstance(row, dict) and isinstance(row.get("model"), dict) and isinstance(row.get("metadata"), dict)


def _metadata(row: Json) -> bool:
    told = row.get("metadata") if isinstance(row, dict) else None
    return (
        isinstance(told, dict)
        and isinstance(told.get("tags"), list)
        and isinstance(told.get("generated_description"), str | None)
        and isinstance(told.get("score"), int | float | None)
    )


def _collection(row: Json) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(key), str) for key in ("name", "slug", "description"))


def _page(row: Json) -> bool:
    return isinstance(row, dict) and isinstance(row.get("name"), str) and str(row.get("href")).startswith("/")


# --- QUERY /models ----------------------------------------------------------------------------------------------------


def _query(kind: str, *, is_quoted: bool) -> Evidence:
    async def evidence(lab: Lab) -> Answer:
        word = await lab.once(_word)
        body = orjson.dumps(word) if is_quoted else word.encode()
        answer = await lab.client.send("QUERY", "/models", json=body, headers={"Content-Type": kind})
        return answer.expect(200)

    return evidence


_PLAIN = _query("text/plain", is_quoted=False)
_QUOTED = _query("text/plain", is_quoted=True)
_JSON = _query("application/json", is_quoted=True)


def _names(answer: Answer) -> list[str]:
    return [f"{row['owner']}/{row['name']}" for row in answer.array("results") if isinstance(row, dict)]


async def _quoted_same(lab: Lab) -> None:
    wanted, found = _names(await lab.once(_PLAIN)), _names(await lab.once(_QUOTED))
    require(found == wanted, f"expected {wanted}, got {found}")


async def _json_same(lab: Lab) -> None:
    wanted, found = _names(await lab.once(_PLAIN)), _names(await lab.once(_JSON))
    require(found == wanted, f"expected {wanted}, got {found}")


CHECKS: tuple[Check, ...] = (
    Check("search.required.status", "§3.5", "A search without `query` is answered with 400.", status(_without, 400)),
    Check(
        "search.required.body",
        "§1.4",
        "A search without `query` has a `detail` that says so in its answer, and nothing else.",
        value(_without, "", {"detail": 'Query parameter "query" is required'}),
    ),
    Check(
        "search.required.content-type",
        "§1.1",
        "The 400 of a search is `application/json`.",
        header(_without, "content-type", r"application/json(;.*)?"),
    ),
    Check("search.limit.zero", "§3.5", "A `limit` of 0 is refused.", refused(_limit("0"))),
    Check("search.limit.above", "§3.5", "A `limit` above 50 is refused.", refused(_limit("51"))),
    Check("search.limit.word", "§3.5", "A `limit` that is no number is refused.", refused(_limit("many"))),
    Check("search.public", "§1.1", "A search needs no token.", status(_nothing, 200)),
    Check("search.with-token", "§14", "A search takes a token too.", status(_with_token, 200)),
    Check(
        "search.keys",
        "§3.5",
        "The answer has query, models, collections and pages, also when nothing was found.",
        keys(_nothing, "", "query", "models", "collections", "pages"),
    ),
    Check("search.query", "§3.5", "The answer repeats the query.", value(_nothing, "query", "zzqqxxyy")),
    Check("search.nothing", "§3.5", "What nothing fits finds no models.", value(_nothing, "models", [])),
    Check("search.not-paginated", "§3.5", "The answer is not a page.", absent(_nothing, "next", "previous", "results")),
    Check(
        "search.finds",
        "§3.5",
        "A model is found by a word of its name.",
        holds(_found, lambda answer: answer.array("models"), "a model"),
    ),
    Check("search.hit", "§3.5", "A hit has `model` and `metadata`.", every(_found, "models", _hit, "to have both")),
    Check(
        "search.metadata",
        "§3.5",
        "`metadata` has a description, tags and a score.",
        every(_found, "models", _metadata, "to have such metadata"),
    ),
    Check(
        "search.model",
        "§3.5",
        "`model` of a hit is a model.",
        keys(_found, "models.0.model", "url", "owner", "name", "visibility", "run_count", "latest_version"),
    ),
    Check(
        "search.collections",
        "§3.5",
        "Collections are named with slug and description.",
        every(_found, "collections", _collection, "to have name, slug and description"),
    ),
    Check(
        "search.pages",
        "§3.5",
        "Pages have a name and a path.",
        every(_found, "pages", _page, "to have a name and a path"),
    ),
    Check(
        "search.limit",
        "§3.5",
        "`limit` caps the models.",
        holds(_one, lambda answer: len(answer.array("models")) == 1, "one model"),
    ),
    Check("search.private", "§3.5", "A private model is not found.", _private),
    Check(
        "search.older.envelope",
        "§3.6",
        "`QUERY /models` is answered with a page.",
        keys(_PLAIN, "", "next", "previous", "results"),
    ),
    Check(
        "search.older.finds",
        "§3.6",
        "`QUERY /models` finds a model by a word of its name.",
        holds(_PLAIN, lambda answer: answer.array("results"), "a model"),
    ),
    Check(
        "search.older.no-official",
        "§4.1",
        "Rows of `QUERY /models` have no `is_official`.",
        absent(_PLAIN, "results.0.is_official"),
    ),
    Check(
        "search.older.row",
        "§3.6",
        "Rows of `QUERY /models` are models.",
        keys(
            _PLAIN,
            "results.0",
            "url",
            "owner",
            "name",
            "description",
            "visibility",
            "run_count",
            "default_example",
            "latest_version",
        ),
    ),
    Check(
        "search.older.page-size",
        "§1.7",
        "`QUERY /models` finds 25 models at most.",
        holds(_PLAIN, lambda answer: len(answer.array("results")) <= 25, "25 rows at most"),
    ),
    Check("search.older.quoted", "§3.6", "The text may stand in quotes, as plain text.", _quoted_same),
    Check("search.older.json", "§3.6", "The text may be JSON.", _json_same),
)
