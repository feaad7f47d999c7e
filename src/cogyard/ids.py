"""New ids and secrets. Predictions have Replicate's own form (`api-contract.md` §9.1)."""

import base64
import os
import struct
from datetime import datetime

from cogyard.domain.values import DeliveryId, FileId, InstanceId, PredictionId

TOKEN_PREFIX = "r8_"

_RFC4648 = b"abcdefghijklmnopqrstuvwxyz234567"
_CROCKFORD = b"0123456789abcdefghjkmnpqrstvwxyz"
_TO_CROCKFORD = bytes.maketrans(_RFC4648, _CROCKFORD)
_FROM_CROCKFORD = bytes.maketrans(_CROCKFORD, _RFC4648)


def new_prediction_id(now: datetime) -> PredictionId:
    """26 characters: a UUIDv7 of `now` whose 32-bit words stand in the order 3, 1, 0, 2, so that random bits lead."""
    return PredictionId(_encode(_reorder(_uuid7(now))))


def prediction_bytes(prediction: PredictionId) -> bytes:
    """The 16 bytes that a prediction's id writes out. Raises `ValueError` for what is no id."""
    plain = prediction.encode().translate(_FROM_CROCKFORD).decode().upper()
    return base64.b32decode(plain + "=" * (-len(plain) % 8))


def prediction_of_bytes(data: bytes) -> PredictionId:
    """The id that 16 bytes make."""
    return PredictionId(_encode(data))


def new_file_id(now: datetime) -> FileId:
    """26 characters of the same form; 74 of its bits are random."""
    return FileId(_encode(_reorder(_uuid7(now))))


def new_instance_id(now: datetime) -> InstanceId:
    """26 characters of the same form."""
    return InstanceId(_encode(_reorder(_uuid7(now))))


def new_delivery_id() -> DeliveryId:
    """The `webhook-id` of a delivery: `msg_` and 26 characters, 130 random bits."""
    return DeliveryId("msg_" + _encode(os.urandom(17))[:26])


def new_webhook_key() -> str:
    """A webhook signing key in the form that receivers expect: `whsec_` and 24 random bytes in standard base64."""
    return "whsec_" + base64.b64encode(os.urandom(24)).decode()


def new_token() -> str:
    """A token secret: `r8_` and 37 characters, 185 random bits."""
    return TOKEN_PREFIX + _encode(os.urandom(24))[:37]


def new_mark() -> str:
    """12 hex digits, 48 random bits: tells what holds a model's secrets of now from what holds earlier ones."""
    return os.urandom(6).hex()


def new_signing_key() -> str:
    """256 random bits in hex, for signatures that only this server checks."""
    return os.urandom(32).hex()


def _uuid7(now: datetime) -> bytes:
    milliseconds = int(now.timestamp() * 1000)
    tail = bytearray(os.urandom(10))
    tail[0] = 0x70 | tail[0] & 0x0F
    tail[2] = 0x80 | tail[2] & 0x3F
    return milliseconds.to_bytes(6, "big") + bytes(tail)


def _reorder(uuid: bytes) -> bytes:
    first, second, third, fourth = struct.unpack(">4I", uuid)
    return struct.pack(">4I", fourth, second, first, third)


def _encode(data: bytes) -> str:
    return base64.b32encode(data).rstrip(b"=").lower().translate(_TO_CROCKFORD).decode()
