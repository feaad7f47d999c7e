"""What Cogyard shows of a model, from `cogyard.yaml` and the README beside its `cog.yaml`; Cog itself reads neither."""

import re
from pathlib import Path

import yaml

from cogyard.domain.errors import BuildFailed
from cogyard.domain.values import Json, JsonObject

FILE = "cogyard.yaml"
MAX_README = 200_000

_TEXTS = ("description", "github_url", "paper_url", "license_url", "cover_image_url")
_OTHERS = ("tags", "price", "examples")
_TAG = re.compile(r"[a-z0-9][a-z0-9 -]{0,39}")
MOST_TAGS = 20


def read_metadata(folder: Path) -> JsonObject:
    """`description`, links, `tags`, `price` and `examples`, a list of `{input: {…}}`; `{}` without the file.

    Raises `BuildFailed`.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        value: Json = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BuildFailed(f"{FILE}:{line}: this is not valid YAML: {error.problem}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BuildFailed(f"{FILE}: this is not valid YAML: {error}.") from None
    if not isinstance(value, dict):
        raise BuildFailed(f"{FILE}: the file must hold keys such as description and examples.")
    for name, given in value.items():
        if name in _TEXTS and not isinstance(given, str):
            raise BuildFailed(f"{FILE}: {name} must be a text.")
        if name not in (*_TEXTS, *_OTHERS):
            raise BuildFailed(f"{FILE}: {name} is not a key of this file; it knows {', '.join((*_TEXTS, *_OTHERS))}.")
    _check_tags(value.get("tags", []))
    _check_price(value.get("price"))
    examples = value.get("examples", [])
    if not isinstance(examples, list) or not all(_is_example(entry) for entry in examples):
        raise BuildFailed(f"{FILE}: examples must be a list of entries with an input, as in - input: {{text: hi}}.")
    return value


def read_readme(folder: Path) -> str | None:
    """The README's text; None without one."""
    for name in ("README.md", "readme.md", "Readme.md"):
        path = folder / name
        if path.is_file():
            return path.read_text(encoding="utf-8", errors="replace")[:MAX_README]
    return None


def _is_example(entry: Json) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("input"), dict) and set(entry) == {"input"}


def _check_tags(tags: Json) -> None:
    if not isinstance(tags, list) or len(tags) > MOST_TAGS:
        raise BuildFailed(f"{FILE}: tags must be a list of at most {MOST_TAGS} words, as in [image, upscale].")
    for tag in tags:
        if not isinstance(tag, str) or not _TAG.fullmatch(tag):
            raise BuildFailed(f"{FILE}: {tag!r} is not a tag: use lower-case letters, digits, '-' and blanks.")


def _check_price(price: Json) -> None:
    if price is None:
        return
    told = price if isinstance(price, dict) else {}
    amount, is_known = told.get("amount"), set(told) <= {"unit", "amount", "currency"}
    if not is_known or not isinstance(amount, int | float) or amount < 0 or not isinstance(told.get("unit"), str):
        raise BuildFailed(f"{FILE}: price must name a unit and an amount, as in {{unit: image_count, amount: 0.01}}.")
