"""What the official clients can do, and what each of them must get when it does it here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CLIENTS = {"python1": "Python 1.x", "python2": "Python 2.0 beta", "javascript": "JavaScript"}
"""The clients by the names that their programs give."""


@dataclass(frozen=True)
class Capability:
    """One row: the evidence that every client gives, those that give another one, and those that have no such thing."""

    name: str
    evidence: Any
    #: client → its own evidence, where the client itself does it in another way
    instead: Mapping[str, Any] = field(default_factory=dict)
    #: clients that have nothing of the kind
    none: tuple[str, ...] = ()

    def expected(self, client: str) -> Any:
        return self.instead.get(client, self.evidence)


BASE64 = "data:application/octet-stream;base64,YSBwYXJjZWw="
ERRORS = {
    "401": "You did not pass a valid authentication token",
    "404": "The requested resource could not be found.",
    "422": "- input.count: Invalid type. Expected: integer, given: string\n",
    "429": [429, "Request was throttled"],
}
FILE = {"name": "parcel.txt", "size": 8, "type": "text/plain", "metadata": {"colour": "yellow"}}
LOST = {"raised": False, "created": 1, "get": True}
USED = {
    "output": 2,
    "logs": ["line 0", "line 1"],
    "official": "hello there, Ada",
    "file": ["a yard"],
    "file in an object": ["an album", "0"],
    "file into another": "a yard",
    "schema": ["title", "type"],
}

CAPABILITIES = (
    Capability("account", {"type": "user", "username": "cogyard"}),
    Capability("hardware", ["cpu", "cpu-small"]),
    Capability("run a version", "hi"),
    Capability("run a model by its name", {"text": "hello there, Ada", "version": "hidden"}),
    Capability("run a model that yields", {"whole": "hello there, Ada", "polled": "hello there, Ada"}),
    Capability("`use`: a model as a function", USED, none=("python1", "javascript")),
    Capability("`use`: streaming", "hello there, Ada", none=("python1", "javascript")),
    Capability("files in: file objects", "a parcel"),
    Capability(
        "files in: paths",
        ["parcel.txt", "a parcel"],
        instead={"python2": ["upload", "a parcel"]},
        none=("javascript",),
    ),
    Capability("files in: URLs", "a parcel"),
    Capability("files in: data URIs", {"sent": BASE64, "read": "a parcel"}),
    Capability("files in: lists of files", ["one", "two"]),
    Capability("files out: one file", {"read": "a yard", "iterated": "a yard", "url": "https://"}),
    Capability("files out: a list", ["0", "1"]),
    Capability("files out: files in an object", {"cover": ["my album"], "pages": ["0", "1"], "title": "my album"}),
    Capability("files out: plain URLs", "a yard"),
    Capability("stream text", {"text": "hello there, Ada", "end": "done"}),
    Capability("stream files", ["0", "1"]),
    Capability("stream a failure", '{"detail":"RuntimeError: no more"}', instead={"python2": "RuntimeError: no more"}),
    Capability("stream a prediction that is there", "hello there, Ada", none=("python2", "javascript")),
    Capability(
        "predictions: create, get, wait",
        {"same": True, "status": "succeeded", "text": "hi", "listed": True, "model": "acme/canary"},
    ),
    Capability("predictions: output as it comes", "hello there, Ada", none=("javascript",)),
    Capability("predictions: cancel", ["canceled", "canceled"]),
    Capability("predictions: abort by a signal", "canceled", none=("python1", "python2")),
    Capability("predictions: created after and before", {"inside": True, "later": 0}, none=("python1", "javascript")),
    Capability("Prefer: wait", {"wait": "succeeded", "wait=1": "starting", "none": "starting"}),
    Capability("Cancel-After", {"seconds": 60, "status": "succeeded"}, none=("python1", "javascript")),
    Capability("pagination", {"page": 100, "seeds": 101, "twice": 0}),
    Capability(
        "models: list, get, search",
        {"listed": True, "found": True, "description": "Does what it is told.", "example": "tweet"},
    ),
    Capability("models: create", {"description": "A box.", "runs": 0}),
    Capability("models: delete", {"deleted": True, "then": 404}, none=("javascript",)),
    Capability(
        "models: update, readme, examples",
        {"description": "A shelf.", "readme": "# Shelf", "example": "tweet"},
        none=("python1", "javascript"),
    ),
    Capability("versions: list, get", {"listed": True, "output": "array"}),
    Capability(
        "versions: delete",
        {"answered": True, "model": True},
        instead={"python1": {"answered": False, "model": True}},
        none=("javascript",),
    ),
    Capability("collections: list, get", {"listed": True, "name": "Drawings", "models": ["acme/picture"]}),
    Capability(
        "search models, collections and pages",
        {"query": "drawings", "model": True, "collection": ["drawings"]},
        none=("python1", "javascript"),
    ),
    Capability("files: create, list, get, delete", {**FILE, "listed": True, "deleted": True, "then": 404}),
    Capability("files: download", {"read": "a parcel", "forged": "File not found"}, none=("python1", "javascript")),
    Capability(
        "deployments: create, list, get, update, delete",
        {"releases": [1, 2], "max_instances": 2, "listed": True, "deleted": True, "then": 404},
    ),
    Capability("deployments: predictions", ["hi", "hi"]),
    Capability(
        "trainings: create, get, list, and the version that comes of it",
        {"status": "succeeded", "listed": True, "output": "banana"},
    ),
    Capability("trainings: cancel", ["canceled", "canceled"]),
    Capability(
        "webhooks: the secret, and a delivery that the client's helper accepts", {"mine": True, "end": "succeeded"}
    ),
    Capability("webhooks: events filter", ["succeeded"]),
    Capability("progress of a bar in the logs", [1, 4, 4], none=("python2",)),
    Capability("errors: 401, 404, 422, 429", ERRORS),
    Capability(
        "errors: a model that fails",
        {"kind": "ModelError", "text": "ValueError: the parcel is too heavy", "logs": "about to raise"},
        instead={"javascript": {"kind": "Error", "text": "Prediction failed: ValueError: the parcel is too heavy"}},
    ),
    Capability(
        "retries: an answer that was lost",
        LOST,
        instead={"python1": {**LOST, "raised": True}, "javascript": {**LOST, "created": 2}},
    ),
    Capability("timeouts: the client gives up, the prediction goes on", {"gave up": True, "status": "succeeded"}),
    Capability("base URL: with and without /v1", ["cogyard"] * 4),
    Capability("raw responses", {"status": [200, 201], "applied": "wait=5", "text": "hi"}, none=("python1",)),
)
