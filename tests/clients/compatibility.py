"""The page that tells what each client got, made of what the programs told."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.clients.capabilities import CAPABILITIES, CLIENTS
from tests.yard import ROOT

PAGE = ROOT / "docs" / "compatibility.md"

INTRODUCTION = """# Compatibility with the official clients

Made by `tests/clients/test_every_method.py`, which calls every public method of each client against real models over
HTTPS and compares what came with what must come; it fails when this page says something else.

How to point a client here, and what Cogyard does in another way than Replicate:
[differences](reference/differences.md).
"""


def page(told: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The page; `told` is what the programs of each client told, one or two of them."""
    clients = [client for client in CLIENTS if client in told]
    lines = [INTRODUCTION, *_table(["client", "version", "public methods, all called", "ways"], _versions(told))]
    notes = {client: _notes(told[client]) for client in clients}
    rows = [
        [row.name, *("–" if client in row.none else notes[client][row.name] or "works" for client in clients)]
        for row in CAPABILITIES
    ]
    lines += ["", *_table(["what", *(CLIENTS[client] for client in clients)], rows)]
    return "\n".join([*lines, "", "–: the client has nothing of the kind.", ""])


def _versions(told: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[list[str]]:
    return [
        [
            f"{CLIENTS[client]}",
            str(programs[0]["version"]),
            str(len({method for program in programs for method in program["public"]})),
            " and ".join(program["way"] for program in programs),
        ]
        for client, programs in told.items()
    ]


def _notes(programs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {
        one["capability"]: f"works: {one['note']}" if one["note"] else "works"
        for program in programs
        for one in program["capabilities"]
    }


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
