"""Finding models: `GET /search` (`api-contract.md` §3.5) and the older `QUERY /models` (§3.6)."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.pages import find_pages
from cogyard.api.request import parse_json, parse_number, read_body
from cogyard.api.route import resource
from cogyard.api.shown import show_models
from cogyard.api.wire import answer
from cogyard.api.yard import Yard
from cogyard.domain.account import Caller
from cogyard.domain.catalog import Collection, Model
from cogyard.domain.discovery import describe_schema, search_terms, words
from cogyard.domain.errors import InvalidRequest
from cogyard.models import PAGE_SIZE
from cogyard.ports import Page

DEFAULT_LIMIT, LARGEST_LIMIT = 20, 50

MOST_COLLECTIONS = 10

LONGEST_QUESTION = 2000
"""Characters of a question that are looked at."""


def routes(yard: Yard) -> list[Route]:
    """The routes of this resource. `/search` needs no token, and takes one."""
    return [resource("/search", GET=yard.open(_Search(yard).search))]


@dataclass(frozen=True, slots=True)
class _Search:
    yard: Yard

    async def search(self, request: Request) -> Response:
        question = request.query_params.get("query", "")
        if not question.strip():
            # this resource's errors have no other key and are plain JSON (§1.4)
            return answer({"detail": 'Query parameter "query" is required'}, 400)
        try:
            limit = parse_number(request, "limit", 1, LARGEST_LIMIT, DEFAULT_LIMIT)
        except InvalidRequest as error:
            return answer({"detail": str(error)}, 400)
        found = await self.yard.models.search(question[:LONGEST_QUESTION], limit)
        return answer(
            {
                "query": question,
                "models": await self._hits(request, found),
                "collections": await self._collections(question),
                "pages": find_pages(question),
            }
        )

    async def _hits(self, request: Request, found: Sequence[tuple[Model, float]]) -> list[dict[str, object]]:
        shown = await show_models(self.yard, request, [model for model, _ in found], with_schemas=False)  # (§3.5)
        return [
            {"model": one, "metadata": await self._metadata(model, score)}
            for one, (model, score) in zip(shown, found, strict=True)
        ]

    async def _metadata(self, model: Model, score: float) -> dict[str, object]:
        latest = await self.yard.models.latest(model)
        described = None if latest is None else describe_schema(latest.openapi_schema)
        about = f"{model.description.rstrip('.')}. {described}" if model.description and described else described
        return {"generated_description": about, "tags": list(model.tags), "score": round(score, 4)}

    async def _collections(self, question: str) -> list[dict[str, object]]:
        asked = {term for group in search_terms(question) for term in group}
        hits = [one for one in await self.yard.collections.list() if asked & _words_of(one)]
        return [
            {
                "name": one.name,
                "slug": one.slug,
                "description": one.description,
                "models": [model.full_name for model in await self.yard.collections.models(one.slug)],
            }
            for one in hits[:MOST_COLLECTIONS]
        ]


def _words_of(collection: Collection) -> set[str]:
    return set(words(f"{collection.slug} {collection.name} {collection.description}"))


async def query_models(yard: Yard, request: Request, _caller: Caller) -> Response:
    """The raw text, or the text as a JSON string, whatever its content type says (§3.6)."""
    body = await read_body(request, yard.max_body_bytes)
    try:
        question = body.decode().strip()
    except UnicodeDecodeError:
        raise InvalidRequest("The request body is not UTF-8 text.") from None
    if len(question) > 1 and question[0] == question[-1] == '"':
        question = _unquoted(question)
    found = await yard.models.search(question[:LONGEST_QUESTION], PAGE_SIZE)
    models = [model for model, _ in found]
    shown = await show_models(yard, request, models)
    for row in shown:
        del row["is_official"]  # not in these rows (§4.1)
    return yard.page(request, Page(models), shown)


def _unquoted(question: str) -> str:
    """The text of a JSON string; what only looks like one, such as `"cat" or "dog"`, is the question itself."""
    try:
        parsed = parse_json(question.encode())
    except InvalidRequest:
        return question
    return parsed if isinstance(parsed, str) else question
