"""Writes docs/reference/settings.md, commands.md and contract-checks.md: python scripts/make_reference.py"""

import os
import subprocess
import sys
from pathlib import Path

from pydantic_core import PydanticUndefined

from cogyard.settings import Settings
from cogyard.verify.reference import SECTIONS
from cogyard.verify.suite import CHECKS

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
COMMANDS = (
    "",
    "serve",
    "push",
    "run",
    "doctor",
    "stand-in",
    "models",
    "models settings",
    "predictions",
    "ps",
    "top",
    "queue",
    "machine",
    "logs",
    "instances",
    "token",
    "token create",
    "user",
    "user create",
    "org",
    "audit",
    "usage",
    "budgets",
    "budgets set",
    "verify contract",
)


def settings_page() -> str:
    """Every setting with its names, default and help."""
    lines = [
        "# Settings",
        "",
        "Made by `scripts/make_reference.py`. A flag of `cogyard serve` wins over the environment, that over `cogyard.toml` in",
        "the data folder, that over the default. Durations are seconds, sizes bytes.",
        "",
        "| flag | variable | default | what it is |",
        "| --- | --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, PydanticUndefined) else f"`{field.default}`"
        flag = f"`--{name.replace('_', '-')}`"
        lines.append(f"| {flag} | `COGYARD_{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """The help of every command."""
    parts = [
        "# Commands\n\nMade by `scripts/make_reference.py`. `--json` works with every command.\n\n"
        "Exit codes: 0 ok, 1 failed, 2 usage or invalid input, 3 not found, 4 not allowed, 5 server or network,\n"
        "6 timed out, 130 interrupted, 141 nobody read the result to its end.\n"
    ]
    for command in COMMANDS:
        arguments = [*command.split(), "--help"]
        environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
        shown = subprocess.run(
            [sys.executable, "-m", "cogyard", *arguments], env=environment, capture_output=True, text=True, check=True
        ).stdout
        text = "\n".join(line.rstrip() for line in shown.strip("\n").splitlines())
        parts.append(f"\n## cogyard {command}".rstrip() + f"\n\n```text\n{text}\n```\n")
    return "".join(parts)


def contract_checks_page() -> str:
    """Every check of the conformance suite, under the part of the reference that it comes from."""
    lines = [
        "# Contract checks",
        "",
        f"Made by `scripts/make_reference.py`. The {len(CHECKS)} facts that `cogyard verify contract` tries; a name, or a",
        "pattern such as `prefer.*`, selects with `--only`. [How to use it](../guides/verify-a-server.md).",
    ]
    for section, title in SECTIONS.items():
        lines += ["", f"## {section} {title}", "", "| check | fact |", "| --- | --- |"]
        for check in CHECKS:
            if check.section == section:
                fact = check.fact.replace("|", "\\|")
                lines.append(f"| `{check.name}` | {fact} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (REFERENCE / "settings.md").write_text(settings_page())
    (REFERENCE / "commands.md").write_text(commands_page())
    (REFERENCE / "contract-checks.md").write_text(contract_checks_page())
