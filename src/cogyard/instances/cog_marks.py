"""The marks by which driver and wrapper tell each other of files, and resolving them.

A mark holds the nonce of its instance. The model can read that nonce, so a mark proves nothing: only a regular file
inside the instance's spool is ever taken.
"""

import stat
from collections.abc import Mapping
from pathlib import Path

import orjson

from cogyard.domain.values import Json, JsonObject
from cogyard.instances.driver import Produced


def whole_key(nonce: str) -> str:
    """Key that the wrapper puts a whole output under, and name of the metric by which it tells of other things."""
    return f"cogyard_{nonce}"


def mark_inputs(model_input: JsonObject, paths: Mapping[str, Path], nonce: str) -> JsonObject:
    """The input with the wrapper's marks where files stand."""
    marked: JsonObject = orjson.loads(orjson.dumps(model_input)) if paths else model_input
    for pointer, path in paths.items():
        keys = [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]
        place: Json = marked
        for key in keys[:-1]:
            place = _step(place, key)
        mark = f"cogyard-input:{nonce}:{path}"
        if isinstance(place, list):
            place[int(keys[-1])] = mark
        elif isinstance(place, dict):
            place[keys[-1]] = mark
    return marked


def resolve_output(value: Json, spool: Path, nonce: str) -> Produced:
    """Output with file names where the wrapper's marks stood."""
    prefix, paths = f"cogyard-output:{nonce}:", dict[str, Path]()

    def walk(item: Json, pointer: str) -> Json:
        if isinstance(item, str) and item.startswith(prefix):
            path = _spooled(spool.resolve(), item[len(prefix) :])
            if path is not None:
                paths[pointer] = path
                return path.name
        if isinstance(item, dict):
            return {key: walk(inner, f"{pointer}/{_escaped(key)}") for key, inner in item.items()}
        if isinstance(item, list):
            return [walk(inner, f"{pointer}/{index}") for index, inner in enumerate(item)]
        return item

    return Produced(value=walk(value, ""), paths=paths)


def _spooled(root: Path, name: str) -> Path | None:
    """The file `folder/name` of the spool; None when it is no such thing, or leads elsewhere."""
    parts = name.split("/")
    if len(parts) != 2 or any(part in ("", ".", "..") or "\0" in part for part in parts):
        return None
    path = root.joinpath(*parts)
    try:
        is_file = stat.S_ISREG(path.lstat().st_mode) and path.resolve(strict=True) == path
    except OSError:
        return None
    return path if is_file else None


def _step(place: Json, key: str) -> Json:
    if isinstance(place, list):
        return place[int(key)]
    return place[key] if isinstance(place, dict) else None


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
