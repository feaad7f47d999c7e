"""The plain values that every module may use: JSON, and the ids that must not be mixed up."""

from collections.abc import Mapping
from typing import NewType

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""Any JSON value; the only loosely typed thing that may cross a module border."""

JsonObject = dict[str, Json]
"""A JSON object."""

AccountId = NewType("AccountId", int)
TokenId = NewType("TokenId", int)
NO_TOKEN = TokenId(0)
"""Of what the server does by itself, or what concerns all tokens of an account."""
ModelId = NewType("ModelId", int)
VersionId = NewType("VersionId", str)
"""64 lower-case hex digits: a digest of source, environment and schema."""
PredictionId = NewType("PredictionId", str)
"""26 characters of lower-case Crockford base32 (`api-contract.md` §9.1)."""
InstanceId = NewType("InstanceId", str)
FileId = NewType("FileId", str)
DeploymentId = NewType("DeploymentId", int)
DeliveryId = NewType("DeliveryId", str)
"""`msg_` and 26 characters; the `webhook-id` of a webhook's every attempt."""
QueueId = NewType("QueueId", str)
"""Where a prediction waits; see `domain.queue`."""

FileMap = Mapping[str, FileId]
"""JSON Pointer (RFC 6901) inside an output → the stored file that stands there."""
