"""Runs `by_import` with a model's own interpreter, in a child that can do little harm."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from cogyard.cogfolder.schema.document import build_document
from cogyard.cogfolder.schema.errors import SchemaError
from cogyard.cogfolder.schema.facts import FunctionFacts, InputFacts
from cogyard.domain.values import Json, JsonObject

SCRIPT = Path(__file__).with_name("by_import.py")

MEMORY_BYTES = 8 * 2**30
FILE_BYTES = 2**30


def derive_schema_by_import(
    folder: Path, python: Path, predict: str | None, train: str | None = None, *, timeout: float = 60.0
) -> JsonObject:
    """The document, from a run of the model's module (not of its setup) by the interpreter `python`. Blocking.

    The child works on a copy of the folder, without network where the machine allows that, within limits of time
    (`timeout`, seconds) and memory. Raises `SchemaError`.
    """
    with tempfile.TemporaryDirectory(prefix="cogyard-schema-") as temporary:
        root = Path(temporary)
        shutil.copytree(folder, root / "model", symlinks=True)
        (root / "home").mkdir()
        (root / "tmp").mkdir()
        answers = [
            None if reference is None else _ask(root, python, reference, mode, timeout)
            for reference, mode in ((predict, "predict"), (train, "train"))
        ]
        return build_document(*answers)


def _ask(root: Path, python: Path, reference: str, mode: str, timeout: float) -> FunctionFacts:
    result = root / f"{mode}.json"
    command = [*_without_network(), str(python), str(SCRIPT), reference, mode, str(result)]
    environment = {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "HOME": str(root / "home"),
        "TMPDIR": str(root / "tmp"),
        "LANG": "C.UTF-8",
        "COGYARD_SCHEMA_LIMITS": f"{MEMORY_BYTES} {FILE_BYTES} {int(timeout) + 1}",
    }
    with subprocess.Popen(
        command,
        cwd=root / "model",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        try:
            _, printed = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill(child)
            raise SchemaError(
                reference.partition(":")[0], None, f"importing it took longer than {timeout:g} seconds."
            ) from None
        finally:
            _kill(child)
    if not result.is_file():
        lines = [line for line in printed.decode(errors="replace").splitlines() if line.strip()]
        problem = f"importing it failed: {lines[-1] if lines else f'exit code {child.returncode}'}"
        raise SchemaError(reference.partition(":")[0], None, problem)
    return _facts(json.loads(result.read_text()))


def _kill(child: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _without_network() -> list[str]:
    """A prefix that takes the network away, where this user may do so."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return []
    tried = subprocess.run([unshare, "--net", "true"], check=False, capture_output=True)
    return [unshare, "--net"] if tried.returncode == 0 else []


def _facts(answer: Json) -> FunctionFacts:
    if not isinstance(answer, dict) or "error" in answer:
        told = answer if isinstance(answer, dict) else {}
        line = told.get("line")
        raise SchemaError(str(told.get("file")), line if isinstance(line, int) else None, str(told.get("error")))
    inputs, output = answer["inputs"], answer["output"]
    if not isinstance(inputs, list) or not isinstance(output, dict):
        raise SchemaError("by_import", None, "gave an unusable answer.")
    return FunctionFacts(
        inputs=[InputFacts(**entry) for entry in inputs if isinstance(entry, dict)],  # type: ignore[arg-type]
        output=output,
        is_streaming=answer.get("is_streaming") is True,
    )
