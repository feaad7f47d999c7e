"""Domain values as the contract's JSON: field names, optional keys, URLs, time formats."""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson
from starlette.responses import Response

from cogyard.domain.account import Account
from cogyard.domain.catalog import Collection, Model, Version
from cogyard.domain.deployment import Deployment, Release
from cogyard.domain.file import File
from cogyard.domain.prediction import Prediction, PredictionKind, Status, StreamKind, shown_input
from cogyard.domain.values import FileId, Json, JsonObject, PredictionId, QueueId
from cogyard.domain.webhook import Delivery
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
    #: prediction, what its stream carries → path that nobody can guess
    stream_path: Callable[[PredictionId, StreamKind], str]
    #: why predictions of a queue wait now; a webhook, which is read later, does not say
    reason: Callable[[QueueId], str | None] = lambda _queue: None

    def account(self, account: Account) -> JsonObject:
        """§3.1."""
        shown: JsonObject = {"type": account.kind.value, "username": account.username, "name": account.name}
        if account.github_url:
            shown["github_url"] = account.github_url
        if account.avatar_url:
            shown["avatar_url"] = account.avatar_url
        return shown

    def prediction(
        self, prediction: Prediction, *, status: Status | None = None, is_example: bool = False
    ) -> dict[str, object]:
        """§5.2 and §8.2. `status` overrides the shown one (§9.4); the files of an example get a fresh URL each time."""
        is_training = prediction.kind is PredictionKind.training
        output = self.output(prediction, is_example=is_example or is_training)
        shown: dict[str, object] = {
            "id": prediction.id,
            "model": prediction.model,
            "version": "hidden" if prediction.is_version_hidden else prediction.version,
            "input": shown_input(prediction),
            "logs": prediction.logs,
            "output": None if is_training and not isinstance(output, dict) else output,
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
        if prediction.deployment is not None:
            shown["deployment"] = prediction.deployment
        if prediction.deadline is not None:
            shown["deadline"] = prediction.deadline
        if prediction.webhook is not None:
            shown["webhook"] = prediction.webhook
        if prediction.webhook_events_filter is not None:
            shown["webhook_events_filter"] = list(prediction.webhook_events_filter)
        is_waiting = prediction.status is Status.starting and prediction.claimed_by is None
        if is_waiting and (reason := self.reason(prediction.queue)) is not None:
            shown["waiting_reason"] = reason
        if prediction.timing is not None:
            shown["timing"] = prediction.timing
        return shown

    def prediction_url(self, prediction: Prediction) -> str:
        """Where it is polled."""
        noun = "trainings" if prediction.kind is PredictionKind.training else "predictions"
        return f"{self.base}/v1/{noun}/{prediction.id}"

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
        example = None if default_example is None else self.prediction(default_example, is_example=True)
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
            "cover_image_url": model.cover_image_url or cover_of(example),
            "default_example": example,
            "latest_version": None if latest is None else self.version(latest),
            "is_official": model.is_official,
            "created_at": model.created_at,
        }

    def collection(self, collection: Collection) -> JsonObject:
        """§3.3, as lists have it."""
        return {"name": collection.name, "slug": collection.slug, "description": collection.description}

    def deployment(self, deployment: Deployment) -> dict[str, object]:
        """§6.1."""
        return {
            "owner": deployment.owner,
            "name": deployment.name,
            "current_release": self.release(deployment.current),
        }

    def release(self, release: Release) -> dict[str, object]:
        """§6.1, and what is an extension only where there is something of it: `priority`, and `note`."""
        configuration: JsonObject = {
            "hardware": release.hardware,
            "min_instances": release.min_instances,
            "max_instances": release.max_instances,
        }
        if release.priority:
            configuration["priority"] = release.priority
        shown: dict[str, object] = {
            "number": release.number,
            "model": release.model,
            "version": release.version,
            "created_at": release.created_at,
            "created_by": self.account(release.created_by),
            "configuration": configuration,
        }
        if release.note is not None:
            shown["note"] = release.note
        return shown

    def delivery(self, delivery: Delivery) -> dict[str, object]:
        """An extension of ours."""
        return {
            "id": delivery.id,
            "prediction": delivery.prediction,
            "event": delivery.event.value,
            "url": delivery.url,
            "state": delivery.state.value,
            "attempts": delivery.attempts,
            "status_code": delivery.status_code,
            "error": delivery.error,
            "created_at": delivery.created_at,
            "last_attempt_at": delivery.last_attempt_at,
            "next_attempt_at": delivery.next_attempt_at,
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
        if prediction.stream_kind is not None:
            urls["stream"] = self.base + self.stream_path(prediction.id, prediction.stream_kind)
        return urls

    def output(self, prediction: Prediction, *, is_example: bool = False) -> Json:
        """The output, with a URL where a file stands."""
        if not prediction.output_files:
            return prediction.output
        expires_at = self._valid_until(None if is_example else prediction.completed_at)
        holder: Any = [deepcopy(prediction.output)]
        for pointer, file in prediction.output_files.items():
            parent, key = _place(holder, "/0" + pointer)
            parent[key] = self.output_url(file, str(parent[key]), expires_at)
        output: Json = holder[0]
        return output

    def _valid_until(self, since: datetime | None) -> datetime:
        """The end of the URLs of files that were made at some time, the same for many looks; later looks get new ones.

        Data may be kept for longer than one URL is to work.
        """
        now = self.clock.now()
        if since is None:
            return now + self.output_ttl
        gone = max((now - since) // self.output_ttl, 0)
        return since + self.output_ttl * (gone + 1 + min(gone, 1))  # the renewed ones work for their whole time


def _place(value: Any, pointer: str) -> tuple[Any, Any]:  # noqa: ANN401 - a JSON container, known only as such
    """The container and key that a JSON Pointer names."""
    keys = [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]
    for key in keys[:-1]:
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value, int(keys[-1]) if isinstance(value, list) else keys[-1]


_PICTURE = re.compile(r"(https?:[^?#]*\.(?:png|jpe?g|webp|gif|avif|svg)(?:[?#].*)?|data:image/.*)", re.I | re.S)


def cover_of(example: dict[str, object] | None) -> str | None:
    """A picture among what an example gave, or else among what it was given (§4.1)."""
    if example is None:
        return None
    found = [*_texts(example["output"]), *_texts(example["input"])]
    return next((text for text in found if _PICTURE.fullmatch(text)), None)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
