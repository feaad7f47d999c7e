"""The parameters that `openapi` refers to by name."""

from cogyard.domain.values import JsonObject


def _in(place: str, name: str, description: str, schema: JsonObject, *, required: bool = False) -> JsonObject:
    return {"name": name, "in": place, "required": required, "description": description, "schema": schema}


_TEXT: JsonObject = {"type": "string"}
_TIME: JsonObject = {"type": "string", "format": "date-time"}

PATH_WORDS: dict[str, tuple[str, JsonObject]] = {
    "owner": ("The account that it belongs to.", _TEXT),
    "name": ("Its name.", _TEXT),
    "version": ("The version's id, 64 hex digits.", _TEXT),
    "alias": ("The id that the version has elsewhere, 64 hex digits.", _TEXT),
    "id": ("Its id.", _TEXT),
    "username": ("The account's username.", _TEXT),
    "secret": ("The name of the variable that holds it.", _TEXT),
    "member": ("A user's username.", _TEXT),
    "slug": ("The collection's slug.", _TEXT),
    "token": ("From `urls.stream` of the prediction.", _TEXT),
    "page": ("The page's name.", _TEXT),
}

PARAMETERS: dict[str, JsonObject] = {
    "account": _in("query", "account", "Username of another account that you act for or administer.", _TEXT),
    "all": _in("query", "all", "Those that are over too, as long as they are remembered.", {"type": "boolean"}),
    "action": _in("query", "action", "Only acts of this operation, such as `tokens.create`.", _TEXT),
    "by": _in(
        "query",
        "by",
        "What the sums are told apart by: some of account, model, deployment, token, day, hardware, kind, with commas.",
        {"type": "string", "default": "model"},
    ),
    "from_day": _in(
        "query", "from", "The first day, in UTC; by default the first of this month.", {**_TEXT, "format": "date"}
    ),
    "to_day": _in("query", "to", "The day after the last one; by default there is none.", {**_TEXT, "format": "date"}),
    "format": _in("query", "format", "What comes back.", {"type": "string", "enum": ["json", "csv"]}),
    "prefer": _in(
        "header",
        "Prefer",
        "`wait` or `wait=N` (1 to 60): hold the answer until the prediction has ended or N seconds went by.",
        {"type": "string", "pattern": "^wait(=([1-9]|[1-5][0-9]|60))?$"},
    ),
    "cancel_after": _in(
        "header",
        "Cancel-After",
        "End the prediction this long after its creation: `90`, `90s`, `5m`, `1h30m`; 5 seconds to 24 hours.",
        {"type": "string", "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s?)?$"},
    ),
    "idempotency": _in(
        "header",
        "Idempotency-Key",
        "A second create with the same key gives the first one's prediction (extension).",
        {"type": "string", "minLength": 1, "maxLength": 255},
    ),
    "cursor": _in("query", "cursor", "Where a page begins; taken from `next` or `previous` of another page.", _TEXT),
    "created_after": _in("query", "created_after", "Only those created at or after this time.", _TIME),
    "created_before": _in("query", "created_before", "Only those created before this time.", _TIME),
    "source": _in("query", "source", "Only those from this source.", {"type": "string", "enum": ["web"]}),
    "sort_by": _in(
        "query",
        "sort_by",
        "What models are sorted by.",
        {
            "type": "string",
            "enum": ["latest_version_created_at", "model_created_at"],
            "default": "latest_version_created_at",
        },
    ),
    "sort_direction": _in(
        "query",
        "sort_direction",
        "Newest or oldest first.",
        {"type": "string", "enum": ["asc", "desc"], "default": "desc"},
    ),
    "query": _in("query", "query", "What is looked for.", {"type": "string", "minLength": 1}, required=True),
    "limit": _in("query", "limit", "Most models.", {"type": "integer", "minimum": 1, "maximum": 50, "default": 20}),
    "force": _in(
        "query", "force", "Promote even what breaks callers of an official model (extension).", {"type": "boolean"}
    ),
    "batch": _in(
        "query",
        "batch",
        "`INPUT:MAX` or `INPUT:MAX:ITEMS`: which predictions may run as one (extension).",
        {"type": "string"},
    ),
    "curator": _in(
        "query",
        "curator",
        "An official model's versions too, for those who may change it (extension).",
        {"type": "boolean"},
    ),
    "prediction": _in("query", "prediction", "Only deliveries of this prediction.", _TEXT),
    "signed_owner": _in("query", "owner", "Username of the file's owner.", _TEXT, required=True),
    "expiry": _in("query", "expiry", "Unix seconds at which the URL ends.", {"type": "integer"}, required=True),
    "signature": _in("query", "signature", "Base64 of the HMAC-SHA256 of `owner id expiry`.", _TEXT, required=True),
    "last_event_id": _in("header", "Last-Event-ID", "Only events after this one.", _TEXT),
}
