"""What Cogyard shows of a model, from `cogyard.yaml` and the README beside its `cog.yaml`; Cog itself reads neither."""

from pathlib import Path

import yaml

from cogyard.domain.errors import BuildFailed
from cogyard.domain.values import Json, JsonObject

FILE = "cogyard.yaml"
MAX_README = 200_000

_TEXTS = ("description", "github_url", "paper_url", "license_url", "cover_image_url")


def read_metadata(folder: Path) -> JsonObject:
    """`description`, links, and `examples`, a list of `{input: {…}}`; `{}` without the file. Raises `BuildFailed`."""
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        value: Json = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BuildFailed(f"{FILE}:{line}: this is not valid YAML: {error.problem}.") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise BuildFailed(f"{FILE}: this is not valid YAML: {error}.") from None
    if not isinstance(value, dict):
        raise BuildFailed(f"{FILE}: the file must hold keys such as description and examples.")
    for name, given in value.items():
        if name in _TEXTS and not isinstance(given, str):
            raise BuildFailed(f"{FILE}: {name} must be a text.")
        if name not in (*_TEXTS, "examples"):
            raise BuildFailed(f"{FILE}: {name} is not a key of this file; it knows {', '.join(_TEXTS)} and examples.")
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
