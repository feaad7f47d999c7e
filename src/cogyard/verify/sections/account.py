"""The account (§3.1), the hardware (§3.2), and the webhooks' secret (§3.4)."""

import base64
import re

from cogyard.domain.values import Json
from cogyard.verify.check import Check
from cogyard.verify.expect import every, header, holds, like, maybe, typed, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Lab
from cogyard.verify.probe import account, hardware
from cogyard.verify.verdict import require

NAMES = {
    "cpu": "CPU",
    "cpu-small": "CPU (Small)",
    "gpu-t4": "Nvidia T4 GPU",
    "gpu-l40s": "Nvidia L40S GPU",
    "gpu-l40s-2x": "2x Nvidia L40S GPU",
    "gpu-a100-large": "Nvidia A100 (80GB) GPU",
    "gpu-a100-large-2x": "2x Nvidia A100 (80GB) GPU",
    "gpu-h100": "Nvidia H100 GPU",
}
"""What the kinds of machines are called, as far as their names are known."""


async def _secret(lab: Lab) -> Answer:
    return (await lab.client.get("/webhooks/default/secret")).expect(200)


async def _secret_stays(lab: Lab) -> None:
    first, second = await lab.once(_secret), await _secret(lab)
    require(first.at("key") == second.at("key"), "expected the same key twice, got two different ones")


async def _names_are_known(lab: Lab) -> None:
    for row in (await lab.once(hardware)).array():
        if isinstance(row, dict) and str(row.get("sku")) in NAMES:
            wanted = NAMES[str(row["sku"])]
            require(
                row.get("name") == wanted, f"expected {row['sku']} to be called {wanted!r}, got {row.get('name')!r}"
            )


def _decodes(answer: Answer) -> bool:
    _, _, key = answer.string("key").partition("_")
    return len(base64.b64decode(key, validate=True)) >= 16


def _is_slug(row: Json) -> bool:
    return isinstance(row, dict) and re.fullmatch(r"[a-z0-9-]+", str(row.get("sku"))) is not None


def _has_texts(row: Json) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(key), str) and row[key] for key in ("sku", "name"))


def _is_priceless(row: Json) -> bool:
    return isinstance(row, dict) and not any("price" in key or "cost" in key for key in row)


CHECKS: tuple[Check, ...] = (
    Check(
        "account.content-type",
        "§1.3",
        "JSON answers have the content type `application/json`.",
        header(account, "content-type", r"application/json(; *charset=utf-8)?"),
    ),
    Check(
        "account.type",
        "§3.1",
        "An account's type is `user` or `organization`.",
        value(account, "type", "user", "organization"),
    ),
    Check("account.username", "§3.1", "An account has a username without a slash.", like(account, "username", "[^/]+")),
    Check(
        "account.name", "§3.1", "An account has a name, which is a string and not null.", typed(account, "name", str)
    ),
    Check(
        "account.github-url", "§3.1", "`github_url` is missing, null or a string.", maybe(account, "github_url", str)
    ),
    Check(
        "account.avatar-url", "§3.1", "`avatar_url` is missing, null or a string.", maybe(account, "avatar_url", str)
    ),
    Check("hardware.array", "§3.2", "The hardware is a bare array, not a page.", typed(hardware, "", list)),
    Check(
        "hardware.some",
        "§3.2",
        "There is at least one kind of hardware.",
        holds(hardware, lambda answer: answer.array(), "one kind of hardware or more"),
    ),
    Check(
        "hardware.row",
        "§3.2",
        "Each kind of hardware has a `sku` and a `name`, both strings.",
        every(hardware, "", _has_texts, "to have a sku and a name"),
    ),
    Check(
        "hardware.sku",
        "§3.2",
        "A SKU is made of lower-case letters, digits and dashes.",
        every(hardware, "", _is_slug, "to have a SKU of lower-case letters, digits and dashes"),
    ),
    Check("hardware.names", "§3.2", "Known SKUs are called by their known names.", _names_are_known),
    Check(
        "hardware.no-price",
        "§3.2",
        "Prices are in no answer.",
        every(hardware, "", _is_priceless, "to have no price"),
    ),
    Check(
        "webhooks.secret.prefix",
        "§3.4",
        "The key that signs webhooks begins with `whsec_`.",
        like(_secret, "key", "whsec_.+"),
    ),
    Check(
        "webhooks.secret.two-parts",
        "§3.4",
        "The key has one underscore, since clients split it there.",
        like(_secret, "key", "[^_]+_[^_]+"),
    ),
    Check(
        "webhooks.secret.alphabet",
        "§3.4",
        "Behind the prefix the key is base64 in the standard alphabet.",
        like(_secret, "key", r"whsec_[A-Za-z0-9+/]+={0,2}"),
    ),
    Check(
        "webhooks.secret.decodes",
        "§3.4",
        "The base64 part decodes to a key of at least 16 bytes.",
        holds(_secret, _decodes, "base64 of 16 bytes or more"),
    ),
    Check("webhooks.secret.stays", "§3.4", "The key is the same on each call.", _secret_stays),
)
