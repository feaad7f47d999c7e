"""Files that callers upload and that models return."""

import base64
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cogyard.domain.values import AccountId, FileId, JsonObject, PredictionId


class FileKind(StrEnum):
    """Where a file came from."""

    upload = "upload"
    output = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is known of stored bytes: `size` in bytes, digests in hex."""

    size: int
    sha256: str
    md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """The record of a stored file. Without `expires_at` it is kept: an output, until its prediction's data goes."""

    id: FileId
    account: AccountId
    kind: FileKind
    name: str
    content_type: str
    content: Content
    created_at: datetime
    expires_at: datetime | None
    prediction: PredictionId | None = None
    metadata: JsonObject = field(default_factory=dict)


def sign_download(key: str, owner: str, file: FileId, expiry: int) -> str:
    """The signature of a download link (`api-contract.md` §7.3), standard base64; `expiry` is in Unix seconds."""
    return base64.b64encode(hmac.digest(key.encode(), f"{owner} {file} {expiry}".encode(), "sha256")).decode()
