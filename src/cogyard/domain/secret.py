"""Secrets: values that a model's process finds in its environment, and that nobody is ever shown again."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cogyard.domain.errors import InvalidResource
from cogyard.domain.values import DeploymentId, ModelId

MOST_BYTES = 64 * 1024
"""Of one value."""

MOST_SECRETS = 100
MOST_BYTES_TOGETHER = 512 * 1024
"""Of one model or deployment: what both have must fit into a process's environment (2 MiB on Linux)."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")

_OURS = re.compile(
    r"PATH|HOME|TMPDIR|TEMP|TMP|PORT|LANG|LANGUAGE|LC_.*|TZ|VIRTUAL_ENV|BASH_ENV|ENV|IFS|GLIBC_TUNABLES|"
    r"(PYTHON|LD_|DYLD_|COG_|COGYARD_|COGLET_|CUDA_|NVIDIA_).*",
    re.IGNORECASE,
)
"""Names by which the server runs a model; with another value under one of them it would not run as it should."""


class HolderKind(StrEnum):
    """What can have secrets."""

    model = "model"
    deployment = "deployment"


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose secret it is."""

    kind: HolderKind
    id: ModelId | DeploymentId

    def context(self, name: str) -> bytes:
        """What a sealed value is bound to: it opens nowhere else."""
        return f"{self.kind} {self.id} {name}".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """What may be told of one; its value is not in it."""

    name: str
    created_at: datetime
    updated_at: datetime
    #: username of the account that set it last
    updated_by: str


def check_secret(name: str, value: str) -> None:
    """Raise `InvalidResource`, naming `secret` or `value`, for what cannot be in a model's environment."""
    if not _NAME.fullmatch(name):
        raise InvalidResource(
            "secret", f"{name[:80]!r} is not a name: use letters, digits and '_', at most 128, not a digit first"
        )
    if _OURS.fullmatch(name):
        raise InvalidResource("secret", f"{name} decides how the server runs a model; choose another name")
    if not value or len(value.encode(errors="surrogatepass")) > MOST_BYTES:
        raise InvalidResource("value", f"must have 1 to {MOST_BYTES} bytes")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidResource("value", "must be text without NUL characters")
