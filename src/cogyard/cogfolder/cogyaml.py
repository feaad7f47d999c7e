"""`cog.yaml`, parsed and checked. Every fault names its line and what to write instead."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

import yaml

from cogyard.domain.batching import MOST, MOST_ITEMS, Batch, is_possible
from cogyard.domain.errors import BuildFailed
from cogyard.domain.values import Json, JsonObject

FILE = "cog.yaml"

OWN = "x-cogyard"
"""The key under which stands what Cog knows nothing of."""

PYTHON_VERSIONS = ("3.10", "3.11", "3.12", "3.13")
DEFAULT_PYTHON = "3.13"

MAX_BYTES = 256 * 1024

_BUILD_KEYS = frozenset(
    {
        "gpu", "cuda", "cudnn", "python_version", "python_packages", "python_requirements", "system_packages", "run",
        "pre_install", "sdk_version", "cog_runtime", "torch", "fast",
    }
)  # fmt: skip
_KEYS = frozenset(
    {"build", "image", "run", "predict", "train", "concurrency", "environment", "weights", "model", "tests", OWN}
)
_OWN_KEYS = frozenset({"batch"})
_BATCH_KEYS = frozenset({"input", "max", "max_items"})
_RESERVED = re.compile(
    r"(PATH|PYTHONPATH|PYTHONHOME|LD_LIBRARY_PATH|LD_PRELOAD|HF_ENDPOINT|"
    r"(CUDA|NVIDIA|R8|REPLICATE|PGET|KUBERNETES|COGYARD)_.*)"
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Line:
    """A value of the file and the line that it stands on."""

    text: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CogYaml:
    """What the file says, as far as Cogyard uses it."""

    predict: str | None
    train: str | None
    python_version: str
    python_version_line: int | None
    python_packages: Sequence[Line] = ()
    python_requirements: Line | None = None
    system_packages: Sequence[Line] = ()
    pre_install: Sequence[Line] = ()
    run: Sequence[Line] = ()
    environment: dict[str, str] = field(default_factory=dict)
    gpu: bool = False
    sdk_version: Line | None = None
    max_concurrency: int | None = None
    batch: Batch | None = None
    batch_line: int | None = None
    warnings: Sequence[str] = ()


def read_cog_yaml(folder: Path) -> CogYaml:
    """The folder's cog.yaml. Raises `BuildFailed`."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError):
        raise BuildFailed(
            "There is no cog.yaml in this folder. A Cog model has one beside its predict.py; the least that it holds "
            'is:\n\nbuild:\n  python_version: "3.11"\npredict: "predict.py:Predictor"'
        ) from None
    except UnicodeDecodeError:
        raise BuildFailed(f"{FILE}: the file is not UTF-8 text.") from None
    return parse_cog_yaml(text)


def parse_cog_yaml(text: str) -> CogYaml:
    """The parsed and checked text of a cog.yaml. Raises `BuildFailed`."""
    if len(text) > MAX_BYTES:
        raise BuildFailed(f"{FILE}: the file is larger than {MAX_BYTES // 1024} KiB.")
    return _Reader(text).read()


class _Reader:
    """Walks the file's nodes, so that every value knows its line."""

    def __init__(self, text: str) -> None:
        try:
            if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
                raise BuildFailed(f"{FILE}: anchors and aliases are not supported; write the values out.")
            self._value: Json = yaml.safe_load(text)
            self._root = yaml.compose(text, yaml.SafeLoader)
            _check_doubles(self._root)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise BuildFailed(f"{FILE}:{line}: this is not valid YAML: {error.problem}.") from None
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise BuildFailed(f"{FILE}: this is not valid YAML: {error}.") from None

    def read(self) -> CogYaml:
        if not isinstance(self._value, dict):
            raise BuildFailed(f"{FILE}:1: the file must hold keys such as build and predict.")
        build = self._mapping("build")
        warnings = [self._unknown(key) for key in self._value if key not in _KEYS]
        warnings += [self._unknown("build", key) for key in build if key not in _BUILD_KEYS]
        own = self._mapping(OWN)
        warnings += [self._unknown(OWN, key) for key in own if key not in _OWN_KEYS]
        if self._value.get("weights"):
            warnings.append(f"{self._at('weights')}: weights are not fetched; use build.run or setup() for now.")
        predict, train = self._reference("run") or self._reference("predict"), self._reference("train")
        if predict is None and train is None:
            raise BuildFailed(f'{FILE}: nothing says what to run; add predict: "predict.py:Predictor".')
        if predict is None:
            raise BuildFailed(f'{FILE}: a model needs predict too; add predict: "predict.py:Predictor".')
        packages, requirements = self._lines("build", "python_packages"), self._text("build", "python_requirements")
        if packages and requirements:
            raise BuildFailed(
                f"{self._at('build', 'python_requirements')}: build.python_requirements and build.python_packages "
                "cannot both be set; keep one of them."
            )
        return CogYaml(
            predict=predict,
            train=train,
            python_version=self._python_version(),
            python_version_line=self._line("build", "python_version"),
            python_packages=packages,
            python_requirements=requirements,
            system_packages=self._lines("build", "system_packages"),
            pre_install=self._commands("build", "pre_install"),
            run=self._commands("build", "run"),
            environment=self._environment(),
            gpu=bool(build.get("gpu", False)),
            sdk_version=self._text("build", "sdk_version"),
            max_concurrency=self._max_concurrency(),
            batch=self._batch(own.get("batch")),
            batch_line=self._line(OWN, "batch", "input"),
            warnings=[warning for warning in warnings if warning],
        )

    def _python_version(self) -> str:
        found = self._scalar("build", "python_version")
        version = DEFAULT_PYTHON if found is None else found.text
        if ".".join(version.split(".")[:2]) not in PYTHON_VERSIONS or not re.fullmatch(r"\d+\.\d+(\.\d+)?", version):
            options = ", ".join(f'"{known}"' for known in PYTHON_VERSIONS)
            raise BuildFailed(
                f"{self._at('build', 'python_version')}: build.python_version: {version} is not supported; "
                f"write one of {options}, in quotes."
            )
        return version

    def _reference(self, key: str) -> str | None:
        found = self._text(key)
        if found is None:
            return None
        file, colon, name = found.text.partition(":")
        if not file.endswith(".py") or (colon and not name.isidentifier()):
            raise BuildFailed(
                f"{FILE}:{found.line}: {key}: {found.text!r} names no predictor; write file.py:ClassName."
            )
        return found.text

    def _max_concurrency(self) -> int | None:
        concurrency = self._mapping("concurrency")
        if "max" not in concurrency:
            return None
        value = concurrency["max"]
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 1000:
            raise BuildFailed(f"{self._at('concurrency', 'max')}: concurrency.max must be a number from 1 to 1000.")
        return value

    def _batch(self, declared: Json) -> Batch | None:
        if declared is None:
            return None
        if not isinstance(declared, dict):
            raise BuildFailed(f"{self._at(OWN, 'batch')}: {OWN}.batch must hold keys of its own: input and max.")
        for key in declared:
            if key not in _BATCH_KEYS:
                known = ", ".join(sorted(_BATCH_KEYS))
                raise BuildFailed(f"{self._at(OWN, 'batch', key)}: {OWN}.batch has no {key}; its keys are {known}.")
        name, most, items = declared.get("input"), declared.get("max"), declared.get("max_items")
        if not isinstance(name, str) or not name:
            raise BuildFailed(
                f"{self._at(OWN, 'batch')}: {OWN}.batch.input must name the input that is a list, such as texts."
            )
        if not _is_whole(most) or not is_possible(most):
            raise BuildFailed(
                f"{self._at(OWN, 'batch', 'max')}: {OWN}.batch.max must say how many predictions run together at "
                f"most, a number from 2 to {MOST}."
            )
        if items is not None and not (_is_whole(items) and is_possible(most, items)):
            raise BuildFailed(
                f"{self._at(OWN, 'batch', 'max_items')}: {OWN}.batch.max_items must be a number from 2 to "
                f"{MOST_ITEMS}; leave it out for no limit."
            )
        return Batch(input=name, max=most, max_items=items)

    def _environment(self) -> dict[str, str]:
        value = self._value.get("environment") if isinstance(self._value, dict) else None
        pairs: list[tuple[str, str]] = []
        if isinstance(value, dict):
            pairs = [(key, _plain(entry)) for key, entry in value.items()]
        elif isinstance(value, list):
            pairs = [(text.partition("=")[0], text.partition("=")[2]) for text in map(_plain, value)]
        elif value is not None:
            raise BuildFailed(f"{self._at('environment')}: environment must be a list of NAME=value.")
        for name, _ in pairs:
            if not _VARIABLE.fullmatch(name) or _RESERVED.fullmatch(name):
                raise BuildFailed(f"{self._at('environment')}: environment: {name} cannot be set for a model.")
        return dict(pairs)

    # --- nodes ----------------------------------------------------------------------------------------------------

    def _node(self, *keys: str) -> yaml.Node | None:
        node = self._root
        for key in keys:
            if not isinstance(node, yaml.MappingNode):
                return None
            node = next((value for name, value in node.value if name.value == key), None)
        return node

    def _line(self, *keys: str) -> int | None:
        node = self._node(*keys)
        return None if node is None else int(node.start_mark.line) + 1

    def _at(self, *keys: str) -> str:
        line = self._line(*keys)
        return f"{FILE}:{line}" if line else FILE

    def _unknown(self, *given: object) -> str:
        keys = [str(key) for key in given]
        return f"{self._at(*keys)}: {'.'.join(keys)} is not a key of cog.yaml that Cogyard knows; it is ignored."

    def _mapping(self, key: str) -> JsonObject:
        value = self._value.get(key) if isinstance(self._value, dict) else None
        if value is not None and not isinstance(value, dict):
            raise BuildFailed(f"{self._at(key)}: {key} must hold keys of its own.")
        return value or {}

    def _scalar(self, *keys: str) -> Line | None:
        node = self._node(*keys)
        if node is None or node.tag == "tag:yaml.org,2002:null":
            return None
        if not isinstance(node, yaml.ScalarNode):
            raise BuildFailed(f"{self._at(*keys)}: {'.'.join(keys)} must be a single value.")
        return Line(str(node.value), node.start_mark.line + 1)

    def _text(self, *keys: str) -> Line | None:
        found = self._scalar(*keys)
        return None if found is None or not found.text.strip() else Line(found.text.strip(), found.line)

    def _lines(self, *keys: str) -> list[Line]:
        """A list of texts, with their lines."""
        node = self._node(*keys)
        if node is None or node.tag == "tag:yaml.org,2002:null":
            return []
        if not isinstance(node, yaml.SequenceNode) or not all(isinstance(item, yaml.ScalarNode) for item in node.value):
            raise BuildFailed(f"{self._at(*keys)}: {'.'.join(keys)} must be a list of texts.")
        return [_entry(item, keys) for item in node.value]

    def _commands(self, *keys: str) -> list[Line]:
        """A list of commands: texts, or mappings with `command`."""
        node = self._node(*keys)
        if node is None or node.tag == "tag:yaml.org,2002:null":
            return []
        if not isinstance(node, yaml.SequenceNode):
            raise BuildFailed(f"{self._at(*keys)}: {'.'.join(keys)} must be a list of commands.")
        commands: list[Line] = []
        for item in node.value:
            line = item.start_mark.line + 1
            if isinstance(item, yaml.MappingNode):
                named = {name.value: value for name, value in item.value}
                if "mounts" in named:
                    raise BuildFailed(f"{FILE}:{line}: mounts of secrets are not supported in {'.'.join(keys)}.")
                item = named.get("command")
            if not isinstance(item, yaml.ScalarNode):
                raise BuildFailed(f"{FILE}:{line}: an entry of {'.'.join(keys)} must be a command.")
            commands.append(_entry(item, keys))
        return commands


def _entry(item: yaml.ScalarNode, keys: Sequence[str]) -> Line:
    """An entry of a list, which must say something."""
    text, line = str(item.value).strip(), item.start_mark.line + 1
    if not text or item.tag == "tag:yaml.org,2002:null":
        raise BuildFailed(f"{FILE}:{line}: an entry of {'.'.join(keys)} is empty; write it out or remove it.")
    return Line(text, line)


def _check_doubles(node: yaml.Node | None) -> None:
    """A key that stands twice is a mistake, of which YAML's reader would silently take the last."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for name, value in node.value:
            if name.value in seen:
                line = name.start_mark.line + 1
                raise BuildFailed(f"{FILE}:{line}: {name.value} stands here a second time; keep one of them.")
            seen.add(name.value)
            _check_doubles(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_doubles(item)


def _is_whole(value: Json) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _plain(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
