"""Seals values with a key that lies outside the database: AES-256-GCM, bound to the place where each value belongs."""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from cogyard.domain.errors import KeyUnusable

_KEY_BYTES = 32
_MARK_BYTES = 4
_NONCE_BYTES = 12
_FORMAT = b"\x01"


class Vault:
    """Implements `ports.Vault` with a key file, which is read, or made, when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key: bytes | None = None

    def seal(self, value: str, context: bytes) -> bytes:
        """See `ports.Vault`."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # 60 ms that only those with secrets pay

        key = self._read() or self._make()
        nonce = os.urandom(_NONCE_BYTES)
        return _FORMAT + _mark(key) + nonce + AESGCM(key).encrypt(nonce, value.encode(), context)

    def open(self, sealed: bytes, context: bytes) -> str:
        """See `ports.Vault`."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self._read()
        if key is None:
            raise KeyUnusable(f"{_FILE} is gone: {_HINT}.")
        head = len(_FORMAT) + _MARK_BYTES
        mark, nonce, encrypted = (
            sealed[len(_FORMAT) : head],
            sealed[head:][:_NONCE_BYTES],
            sealed[head + _NONCE_BYTES :],
        )
        if mark != _mark(key):
            raise KeyUnusable(f"{_FILE} holds another key than the one that sealed them: {_HINT}.")
        try:
            return AESGCM(key).decrypt(nonce, encrypted, context).decode()
        except InvalidTag:
            raise KeyUnusable("A secret was changed in the database; set it again.") from None

    def _read(self) -> bytes | None:
        """The key; None when there is no file yet."""
        if self._key is None:
            try:
                self._key = bytes.fromhex(self._path.read_text(encoding="ascii"))
            except FileNotFoundError:
                return None
            except (OSError, ValueError) as error:
                raise KeyUnusable(f"{_FILE} cannot be read: {_why(error)}.") from None
            if len(self._key) != _KEY_BYTES:
                self._key = None
                raise KeyUnusable(f"{_FILE} holds no key, which is {2 * _KEY_BYTES} hex digits.")
        return self._key

    def _make(self) -> bytes:
        """A new key, whole on disk under its name before anything is sealed with it."""
        key, draft = os.urandom(_KEY_BYTES), self._path.with_name(f"{self._path.name}.{os.urandom(4).hex()}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(key.hex() + "\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                with suppress(FileExistsError):  # somebody else's key came first: it is the one
                    os.link(draft, self._path)
            finally:
                draft.unlink()
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise KeyUnusable(f"{_FILE} cannot be written: {_why(error)}.") from None
        return self._read() or key


# callers hear these too, so they name the setting and not the path
_FILE = "The server's key of secrets (COGYARD_SECRETS_KEY_FILE, or secrets.key in its data folder)"
_HINT = "bring the right one back from a backup, or set the secrets again"


def _why(error: OSError | ValueError) -> str:
    return (error.strerror or "it fails") if isinstance(error, OSError) else "it is not hex digits"


def _mark(key: bytes) -> bytes:
    """Tells one key from another without telling anything of it."""
    return hashlib.sha256(b"cogyard secrets " + key).digest()[:_MARK_BYTES]
