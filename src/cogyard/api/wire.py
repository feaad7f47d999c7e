"""Domain values as the contract's JSON: field names, optional keys, URLs, time formats."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson
from starlette.responses import Response

from cogyard.domain.catalog import Account, Model, Token, Version
from cogyard.domain.file import File
from cogyard.domain.prediction import Prediction, Status
from cogyard.domain.values import FileId, Json, JsonObject, PredictionId
from cogyard.ports import Clock


def to_bytes(value: object) -> bytes:
    """JSON with times in UTC that end in `Z`."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(to_bytes(value), status, headers, media_type="application/json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """Renders for one client: `base` is `scheme://host` as that client knows us."""

    base: str
    clock: Clock
    output_ttl: timedelta
    #: file, its name, end of validity → query string with the signature
    sign_output: Callable[[FileId, str, datetime], str]
    #: prediction → unguessable token of its stream
    stream_token: Callable[[PredictionId], str]

    def account(self, account: Account) -> JsonObject:
        """§3.1."""
        shown: JsonObject = {"type": account.kind.value, "username": account.username, "name": account.name}
        if account.github_url:
            shown["github_url"] = account.github_url
        if account.avatar_url:
            shown["avatar_url"] = account.avatar_url
        return shown

    def token(self, token: Token) -> dict[str, object]:
        """An extension of ours; never the secret."""
        return {
            "id": token.id,
            "name": token.name,
            "prefix": token.prefix,
            "created_at": token.created_at,
            "last_used_at": token.last_used_at,
            "disabled_at": token.disabled_at,
        }

    def prediction(
        self, prediction: Prediction, *, status: Status | None = None, is_example: bool = False
    ) -> dict[str, object]:
        """§5.2. `status` overrides the shown one (§9.4); the files of an example get a fresh URL each time."""
        shown: dict[str, object] = {
            "id": prediction.id,
            "model": prediction.model,
            "version": prediction.version,
            "input": prediction.input,
            "logs": prediction.logs,
            "output": self.output(prediction, is_example=is_example),
            "data_removed": prediction.data_removed,
            "error": prediction.error,
            "status": (status or prediction.status).value,
            "created_at": prediction.created_at,
            "started_at": prediction.started_at,
            "completed_at": prediction.completed_at,
            "metrics": prediction.metrics,
            "source": prediction.source,
            "urls": self._prediction_urls(prediction),
        }
        if prediction.webhook is not None:
            shown["webhook"] = prediction.webhook
        if prediction.webhook_events_filter is not None:
            shown["webhook_events_filter"] = list(prediction.webhook_events_filter)
        return shown

    def prediction_url(self, prediction: Prediction) -> str:
        """Where it is polled."""
        return f"{self.base}/v1/predictions/{prediction.id}"

    def output_url(self, file: FileId, name: str, expires_at: datetime) -> str:
        """A URL that needs no token, until `expires_at`."""
        return f"{self.base}/delivery/{file}/{quote(name, safe='')}?{self.sign_output(file, name, expires_at)}"

    def version(self, version: Version) -> dict[str, object]:
        """§4.7."""
        return {
            "id": version.id,
            "created_at": version.created_at,
            "cog_version": version.cog_version,
            "openapi_schema": version.openapi_schema,
        }

    def model(self, model: Model, latest: Version | None, default_example: Prediction | None) -> dict[str, object]:
        """§4.1."""
        return {
            "url": f"{self.base}/{model.full_name}",
            "owner": model.owner,
            "name": model.name,
            "description": model.description,
            "visibility": model.visibility.value,
            "github_url": model.github_url,
            "paper_url": model.paper_url,
            "license_url": model.license_url,
            "run_count": model.run_count,
            "cover_image_url": model.cover_image_url,
            "default_example": None if default_example is None else self.prediction(default_example, is_example=True),
            "latest_version": None if latest is None else self.version(latest),
            "is_official": False,
            "created_at": model.created_at,
        }

    def file(self, file: File) -> dict[str, object]:
        """§7.2."""
        return {
            "id": file.id,
            "name": file.name,
            "content_type": file.content_type,
            "size": file.content.size,
            "etag": file.content.md5,
            "checksums": {"sha256": file.content.sha256, "md5": file.content.md5},
            "metadata": file.metadata,
            "created_at": file.created_at,
            "expires_at": file.expires_at,
            "urls": {"get": f"{self.base}/v1/files/{file.id}"},
        }

    def _prediction_urls(self, prediction: Prediction) -> dict[str, str]:
        url = self.prediction_url(prediction)
        urls = {"get": url, "cancel": f"{url}/cancel", "web": f"{self.base}/p/{prediction.id}"}
        if prediction.is_stream:
            urls["stream"] = f"{self.base}/v1/streams/{self.stream_token(prediction.id)}"
        return urls

    def output(self, prediction: Prediction, *, is_example: bool = False) -> Json:
        """The output, with a URL where a file stands."""
        if not prediction.output_files:
            return prediction.output
        from_when = None if is_example else prediction.completed_at
        expires_at = (from_when or self.clock.now()) + self.output_ttl
        holder: Any = [deepcopy(prediction.output)]
        for pointer, file in prediction.output_files.items():
            parent, key = _place(holder, "/0" + pointer)
            parent[key] = self.output_url(file, str(parent[key]), expires_at)
        output: Json = holder[0]
        return output


def _place(value: Any, pointer: str) -> tuple[Any, Any]:  # noqa: ANN401 - a JSON container, known only as such
    """The container and key that a JSON Pointer names."""
    keys = [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]
    for key in keys[:-1]:
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value, int(keys[-1]) if isinstance(value, list) else keys[-1]
