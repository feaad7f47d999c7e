"""URLs that carry their own right: outputs and streams. Whoever has one may read, until it expires."""

import base64
import hashlib
import hmac
import math
import re
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode

from cogyard.domain.prediction import StreamKind
from cogyard.domain.values import FileId, PredictionId
from cogyard.ids import prediction_bytes, prediction_of_bytes

_FILES_MARK = "yard"
_STREAM_TOKEN = re.compile(r"[a-z2-7]{52}")


class LinkSigner:
    """Signs with one key of the server; each kind of link signs another sentence, so none passes for another."""

    def __init__(self, key: str) -> None:
        self._key = bytes.fromhex(key)

    def sign_output(self, file: FileId, _name: str, expires_at: datetime) -> str:
        """The query string of an output file's URL."""
        expires = math.ceil(expires_at.astimezone(UTC).timestamp())
        return urlencode({"expires": expires, "signature": self._text(f"output {file} {expires}")})

    def verify_output(self, file: FileId, query: str, now: datetime) -> bool:
        """Whether the query string is one of ours for this file, and not expired."""
        fields = parse_qs(query)
        expires, signature = fields.get("expires", [""])[0], fields.get("signature", [""])[0]
        if not (expires.isdecimal() and expires.isascii() and len(expires) < 16) or int(expires) <= now.timestamp():
            return False
        return hmac.compare_digest(self._text(f"output {file} {int(expires)}").encode(), signature.encode())

    def stream_path(self, prediction: PredictionId, kind: StreamKind) -> str:
        """The path of a stream, by whose form clients know what it carries (`api-contract.md` §10.4)."""
        token = self._stream_token(prediction)
        return f"/v1/files/{_FILES_MARK}-{token}" if kind is StreamKind.files else f"/v1/streams/{token}"

    def open_stream(self, token: str) -> PredictionId | None:
        """The prediction whose stream the last part of such a path opens; None for what we did not sign."""
        token = token.removeprefix(f"{_FILES_MARK}-")
        if not _STREAM_TOKEN.fullmatch(token):
            return None
        prediction = decode_stream(token)
        return prediction if hmac.compare_digest(self._stream_token(prediction), token) else None

    def _stream_token(self, prediction: PredictionId) -> str:
        """52 characters: the prediction's 16 bytes and as many of a signature."""
        whole = prediction_bytes(prediction) + self._mac(f"stream {prediction}")[:16]
        return base64.b32encode(whole).decode().rstrip("=").lower()

    def _text(self, sentence: str) -> str:
        return base64.urlsafe_b64encode(self._mac(sentence)).decode().rstrip("=")

    def _mac(self, sentence: str) -> bytes:
        return hmac.digest(self._key, sentence.encode(), hashlib.sha256)


def decode_stream(token: str) -> PredictionId:
    """The prediction that a stream's token names, whether or not it is genuine."""
    padded = token.upper() + "=" * (-len(token) % 8)
    return prediction_of_bytes(base64.b32decode(padded)[:16])
