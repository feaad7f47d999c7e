"""The documentation that the server itself hands out, as Markdown, and how it is found."""

from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cogyard.api.route import resource
from cogyard.domain.discovery import search_terms, words
from cogyard.domain.errors import NotFound

MOST_PAGES = 10


def routes() -> list[Route]:
    """The routes of this resource; they need no token."""
    return [resource("/docs/{page:path}", GET=_page)]


def find_pages(question: str) -> list[dict[str, str]]:
    """Pages that a question's words name, those with the most of them first (`api-contract.md` §3.5)."""
    asked = {term for group in search_terms(question) for term in group}
    hits = [(len(asked & found), title, href) for href, title, found in _index()]
    ranked = sorted((hit for hit in hits if hit[0]), key=lambda hit: (-hit[0], hit[1]))
    return [{"name": title, "href": href} for _, title, href in ranked[:MOST_PAGES]]


async def _page(request: Request) -> Response:
    name = request.path_params["page"].removesuffix(".md")
    found = _files().get(name)
    if found is None:
        raise NotFound
    return Response(found.read_bytes(), media_type="text/markdown; charset=utf-8")


@cache
def _files() -> dict[str, Path]:
    """Pages by name, without `.md`: of the installed package, or of the repository that it runs from."""
    package = Path(__file__).parents[1]
    for folder in (package / "docs", package.parents[1] / "docs"):
        if folder.is_dir():
            return {str(path.relative_to(folder).with_suffix("")): path for path in sorted(folder.rglob("*.md"))}
    return {}


@cache
def _index() -> list[tuple[str, str, frozenset[str]]]:
    """href, title, and the words of the title and the headings."""
    found = []
    for name, path in _files().items():
        headings = [line.lstrip("# ") for line in path.read_text().splitlines() if line.startswith("#")]
        title = headings[0] if headings else name
        found.append((f"/docs/{name}", title, frozenset(words(" ".join([name, *headings])))))
    return found
