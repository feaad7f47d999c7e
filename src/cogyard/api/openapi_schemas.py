"""The schemas of the API's bodies, as `openapi` refers to them."""

from cogyard.domain.values import Json, JsonObject

_TEXT: JsonObject = {"type": "string"}
_MAYBE_TEXT: JsonObject = {"type": ["string", "null"]}
_TIME: JsonObject = {"type": "string", "format": "date-time"}
_MAYBE_TIME: JsonObject = {"type": ["string", "null"], "format": "date-time"}
_URI: JsonObject = {"type": "string", "format": "uri"}
_OBJECT: JsonObject = {"type": "object"}
_EVENTS: JsonObject = {"type": "array", "items": {"type": "string", "enum": ["start", "output", "logs", "completed"]}}
_COUNT: JsonObject = {"type": "integer", "minimum": 0}
_PRIORITY: JsonObject = {
    "type": "integer",
    "minimum": -100,
    "maximum": 100,
    "description": "Among those that wait for hardware, who has more of it comes first. An extension.",
}
_NAME: JsonObject = {"type": "string", "pattern": "^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$"}
_DURATION: JsonObject = {"type": "string", "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s?)?$"}
_HEX: JsonObject = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def object_of(required: list[str], **properties: JsonObject) -> JsonObject:
    """An object with these properties, some of them required."""
    names: list[Json] = list(required)
    return {"type": "object", "required": names, "properties": dict(properties)}


_REQUEST: JsonObject = {
    "input": {**_OBJECT, "description": "The model's input, by the `Input` schema of its version."},
    "webhook": {**_URI, "description": "Told of the prediction's events."},
    "webhook_events_filter": _EVENTS,
    "webhook_completed": {**_URI, "deprecated": True},
    "stream": {"type": "boolean", "deprecated": True},
    "lifetime": {**_DURATION, "description": "The same as the header Cancel-After (extension)."},
}
_LINK_NAMES = ("description", "github_url", "paper_url", "license_url", "cover_image_url")
_LINKS: dict[str, JsonObject] = dict.fromkeys(_LINK_NAMES, _MAYBE_TEXT)

SCHEMAS: JsonObject = {
    "VersionPredictionRequest": {
        "type": "object",
        "required": ["version", "input"],
        "additionalProperties": False,
        "properties": {
            "version": {
                **_TEXT,
                "description": "A version's id, `owner/name:id`, or `owner/name` of an official model.",
            },
            **_REQUEST,
        },
    },
    "PredictionRequest": {
        "type": "object",
        "required": ["input"],
        "additionalProperties": False,
        "properties": _REQUEST,
    },
    "Prediction": object_of(
        ["id", "model", "version", "input", "output", "error", "logs", "status", "data_removed", "created_at", "urls"],
        id={"type": "string", "pattern": "^[0-9a-z]{26}$"},
        model=_TEXT,
        version={**_TEXT, "description": "64 hex digits, or `hidden` for an official model's."},
        input=_OBJECT,
        output={"description": "null until there is some."},
        error=_MAYBE_TEXT,
        logs=_TEXT,
        status={
            "type": "string",
            "enum": ["starting", "processing", "succeeded", "failed", "canceled", "aborted"],
        },
        data_removed={"type": "boolean"},
        created_at=_TIME,
        started_at=_MAYBE_TIME,
        completed_at=_MAYBE_TIME,
        metrics={
            "type": "object",
            "properties": {"predict_time": {"type": "number"}, "total_time": {"type": "number"}},
        },
        source={"type": "string", "enum": ["api", "web"]},
        urls=object_of(["get", "cancel", "web"], get=_URI, cancel=_URI, web=_URI, stream=_URI),
        deployment=_TEXT,
        deadline=_TIME,
        webhook=_URI,
        webhook_events_filter=_EVENTS,
        waiting_reason={**_TEXT, "description": "Why it has not begun, where that is known. An extension."},
        timing={**_OBJECT, "description": "Seconds that it waited for what, once it is known. An extension."},
    ),
    "TrainingRequest": object_of(
        ["destination", "input"],
        destination={**_TEXT, "description": "`owner/name` of the model of yours that gets the new version."},
        input={**_OBJECT, "description": "By the `TrainingInput` schema of the version."},
        webhook=_URI,
        webhook_events_filter=_EVENTS,
    ),
    "Training": {
        "allOf": [{"$ref": "#/components/schemas/Prediction"}],
        "description": "A prediction whose output is `{version, weights}`.",
    },
    "Deployment": object_of(
        ["owner", "name", "current_release"],
        owner=_TEXT,
        name=_TEXT,
        current_release={"$ref": "#/components/schemas/Release"},
    ),
    "Release": object_of(
        ["number", "model", "version", "created_at", "created_by", "configuration"],
        number={"type": "integer"},
        model=_TEXT,
        version=_HEX,
        created_at=_TIME,
        created_by={"$ref": "#/components/schemas/Account"},
        configuration=object_of(
            ["hardware", "min_instances", "max_instances"],
            hardware=_TEXT,
            min_instances={"type": "integer"},
            max_instances={"type": "integer"},
            priority=_PRIORITY,
        ),
        note={**_MAYBE_TEXT, "description": "Why it was made, where nobody asked for it."},
    ),
    "DeploymentRequest": object_of(
        ["name", "model", "version", "hardware", "min_instances", "max_instances"],
        name=_NAME,
        model={**_TEXT, "description": "`owner/name`."},
        version=_HEX,
        hardware=_TEXT,
        min_instances=_COUNT,
        max_instances=_COUNT,
        priority=_PRIORITY,
    ),
    "DeploymentChange": object_of(
        [], version=_HEX, hardware=_TEXT, min_instances=_COUNT, max_instances=_COUNT, priority=_PRIORITY
    ),
    "RollbackRequest": object_of(["number"], number={"type": "integer", "minimum": 1}),
    "CollectionItem": object_of(["name", "slug", "description"], name=_TEXT, slug=_TEXT, description=_TEXT),
    "Collection": object_of(
        ["name", "slug", "description", "full_description", "models"],
        name=_TEXT,
        slug=_TEXT,
        description=_TEXT,
        full_description=_MAYBE_TEXT,
        models={"type": "array", "items": {"$ref": "#/components/schemas/Model"}},
    ),
    "CollectionRequest": object_of(
        ["slug", "name"],
        slug={"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$"},
        name={"type": "string", "minLength": 1, "maxLength": 200},
        description={"type": "string", "maxLength": 2000},
        full_description=_MAYBE_TEXT,
    ),
    "CollectionChange": object_of([], name=_TEXT, description=_TEXT, full_description=_MAYBE_TEXT),
    "SearchResult": object_of(
        ["query", "models", "collections", "pages"],
        query=_TEXT,
        models={
            "type": "array",
            "items": object_of(
                ["model", "metadata"],
                model={"$ref": "#/components/schemas/Model"},
                metadata=object_of(
                    ["generated_description", "tags", "score"],
                    generated_description=_MAYBE_TEXT,
                    tags={"type": "array", "items": _TEXT},
                    score={"type": "number"},
                ),
            ),
        },
        collections={
            "type": "array",
            "items": object_of(
                ["name", "slug", "description"],
                name=_TEXT,
                slug=_TEXT,
                description=_TEXT,
                models={"type": "array", "items": _TEXT},
            ),
        },
        pages={"type": "array", "items": object_of(["name", "href"], name=_TEXT, href=_TEXT)},
    ),
    "SearchFault": object_of(["detail"], detail=_TEXT),
    "WebhookKey": object_of(["key"], key={"type": "string", "pattern": "^whsec_[A-Za-z0-9+/=]+$"}),
    "FilesKey": object_of(["key"], key=_TEXT),
    "Delivery": object_of(
        ["id", "prediction", "event", "url", "state", "attempts", "created_at"],
        id=_TEXT,
        prediction=_TEXT,
        event={"type": "string", "enum": ["start", "output", "logs", "completed"]},
        url=_TEXT,
        state={"type": "string", "enum": ["pending", "delivered", "failed"]},
        attempts={"type": "integer"},
        status_code={"type": ["integer", "null"]},
        error=_MAYBE_TEXT,
        created_at=_TIME,
        last_attempt_at=_MAYBE_TIME,
        next_attempt_at=_MAYBE_TIME,
    ),
    "ModelChange": {
        "type": "object",
        "additionalProperties": False,
        "properties": dict.fromkeys(
            ("description", "readme", "github_url", "paper_url", "weights_url", "license_url"), _MAYBE_TEXT
        ),
    },
    "OfficialRequest": object_of(
        ["is_official"],
        is_official={"type": "boolean"},
        price=object_of(["unit", "amount"], unit=_TEXT, amount={"type": "number", "minimum": 0}, currency=_TEXT),
    ),
    "Document": {"type": "object"},
    "ModelRequest": object_of(
        ["owner", "name", "visibility", "hardware"],
        owner=_TEXT,
        name=_NAME,
        visibility={"type": "string", "enum": ["public", "private"]},
        hardware=_TEXT,
        **_LINKS,
    ),
    "Model": object_of(
        ["url", "owner", "name", "visibility", "run_count", "default_example", "latest_version"],
        url=_URI,
        owner=_TEXT,
        name=_TEXT,
        visibility={"type": "string", "enum": ["public", "private"]},
        run_count={"type": "integer"},
        default_example={"anyOf": [{"$ref": "#/components/schemas/Prediction"}, {"type": "null"}]},
        latest_version={"anyOf": [{"$ref": "#/components/schemas/Version"}, {"type": "null"}]},
        is_official={"type": "boolean"},
        created_at=_TIME,
        **_LINKS,
    ),
    "Version": object_of(
        ["id", "created_at", "cog_version", "openapi_schema"],
        id=_HEX,
        created_at=_TIME,
        cog_version=_TEXT,
        openapi_schema=_OBJECT,
    ),
    "AliasRequest": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"version": {**_HEX, "description": "By default the latest one."}},
    },
    "Alias": object_of(["id", "version", "created_at"], id=_HEX, version=_HEX, created_at=_TIME),
    "PushEvent": object_of(
        ["event"],
        event={"type": "string", "enum": ["log", "ping", "version", "error"]},
        step=_TEXT,
        text=_TEXT,
        created={"type": "boolean"},
        model=_TEXT,
        version={"$ref": "#/components/schemas/Version"},
        examples={"type": "array", "items": _OBJECT},
        title=_TEXT,
        detail=_TEXT,
        status={"type": "integer"},
    ),
    "ExampleRequest": object_of(["prediction"], prediction=_TEXT),
    "Hardware": object_of(["sku", "name"], sku=_TEXT, name=_TEXT),
    "Upload": object_of(
        ["content"],
        content={"type": "string", "format": "binary"},
        filename=_TEXT,
        type=_TEXT,
        metadata={"type": "string", "description": "A JSON object."},
    ),
    "File": object_of(
        ["id", "name", "content_type", "size", "etag", "checksums", "metadata", "created_at", "expires_at", "urls"],
        id=_TEXT,
        name=_TEXT,
        content_type=_TEXT,
        size={"type": "integer"},
        etag=_TEXT,
        checksums=object_of(["sha256", "md5"], sha256=_TEXT, md5=_TEXT),
        metadata=_OBJECT,
        created_at=_TIME,
        expires_at=_MAYBE_TIME,
        urls=object_of(["get"], get=_URI),
    ),
    "Account": object_of(
        ["type", "username", "name"],
        type={"type": "string", "enum": ["user", "organization"]},
        username=_TEXT,
        name=_TEXT,
        github_url=_URI,
        avatar_url=_URI,
    ),
    "Health": object_of(
        ["status", "version", "reasons"], status=_TEXT, version=_TEXT, reasons={"type": "array", "items": _TEXT}
    ),
    "Problem": object_of(
        ["detail"],
        title=_TEXT,
        detail=_TEXT,
        status={"type": "integer"},
        retry_after={"type": "integer", "description": "Seconds."},
        breaking_changes={"type": "array", "items": _TEXT},
        invalid_fields={
            "type": "array",
            "items": object_of(["type", "field", "description"], type=_TEXT, field=_TEXT, description=_TEXT),
        },
        errors={"type": "array", "items": object_of(["detail"], pointer=_TEXT, detail=_TEXT)},
    ),
}
