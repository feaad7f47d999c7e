"""URLs that carry their own right: outputs, streams, downloads. Whoever has one may read, until it expires."""

import base64
import hashlib
import hmac
import math
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode

from cogyard.domain.values import FileId, PredictionId


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

    def stream_token(self, prediction: PredictionId) -> str:
        """The last part of a stream's URL."""
        return f"{prediction}.{self._text(f'stream {prediction}')}"

    def open_stream(self, token: str) -> PredictionId | None:
        """The prediction whose stream the token opens; None for what we did not sign."""
        prediction = PredictionId(token.partition(".")[0])
        return prediction if hmac.compare_digest(self.stream_token(prediction).encode(), token.encode()) else None

    def sign_download(self, owner: str, file: FileId, expiry: int) -> str:
        """The signature of `GET /files/{id}/download` (`api-contract.md` §7.3), standard base64."""
        return base64.b64encode(self._mac(f"{owner} {file} {expiry}")).decode()

    def _text(self, sentence: str) -> str:
        return base64.urlsafe_b64encode(self._mac(sentence)).decode().rstrip("=")

    def _mac(self, sentence: str) -> bytes:
        return hmac.digest(self._key, sentence.encode(), hashlib.sha256)
