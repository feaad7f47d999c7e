"""The schemas of the bodies that concern accounts, as `openapi` refers to them."""

from cogyard.api.openapi_schemas import object_of
from cogyard.domain.account import Role, Scope
from cogyard.domain.values import JsonObject

_TEXT: JsonObject = {"type": "string"}
_MAYBE_TEXT: JsonObject = {"type": ["string", "null"]}
_TIME: JsonObject = {"type": "string", "format": "date-time"}
_MAYBE_TIME: JsonObject = {"type": ["string", "null"], "format": "date-time"}
_ROLE: JsonObject = {"type": "string", "enum": [role.value for role in Role]}
_SCOPES: JsonObject = {"type": "array", "items": {"type": "string", "enum": [scope.value for scope in Scope]}}
_MODELS: JsonObject = {
    "type": ["array", "null"],
    "items": {"type": "string"},
    "description": "`owner/name` of the only models that it is for; null for any.",
}
_ACCOUNT: dict[str, JsonObject] = {
    "type": {"type": "string", "enum": ["user", "organization"]},
    "username": _TEXT,
    "name": _TEXT,
    "github_url": _TEXT,
    "avatar_url": _TEXT,
    "role": _ROLE,
    "created_at": _TIME,
    "disabled_at": _MAYBE_TIME,
}
_ALWAYS = ["type", "username", "name", "role", "created_at", "disabled_at"]

ACCOUNT_SCHEMAS: JsonObject = {
    "Token": object_of(
        [
            *("id", "name", "prefix", "account", "member", "scopes", "models"),
            *("created_at", "expires_at", "last_used_at", "disabled_at"),
        ],
        id={"type": "integer"},
        name=_TEXT,
        prefix=_TEXT,
        token={**_TEXT, "description": "The secret, when it is made and never again."},
        account={**_TEXT, "description": "Username of the account that it acts for."},
        member={**_MAYBE_TEXT, "description": "Who holds it, of an organization's token."},
        scopes=_SCOPES,
        models=_MODELS,
        created_at=_TIME,
        expires_at=_MAYBE_TIME,
        last_used_at=_MAYBE_TIME,
        disabled_at=_MAYBE_TIME,
    ),
    "TokenRequest": {
        **object_of(
            ["name"],
            name={"type": "string", "minLength": 1, "maxLength": 100},
            account=_TEXT,
            scopes={**_SCOPES, "minItems": 1},
            models={"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 100},
            expires_at=_MAYBE_TIME,
        ),
        "additionalProperties": False,
    },
    "TokenList": object_of(["results"], results={"type": "array", "items": {"$ref": "#/components/schemas/Token"}}),
    "User": object_of(_ALWAYS, **_ACCOUNT),
    "Organization": object_of(
        _ALWAYS, **_ACCOUNT, members={"type": "array", "items": {"$ref": "#/components/schemas/Member"}}
    ),
    "AccountRequest": {
        **object_of(["username"], username=_TEXT, name={"type": "string", "maxLength": 200}, role=_ROLE),
        "additionalProperties": False,
    },
    "AccountChange": {
        **object_of([], name={"type": "string", "maxLength": 200}, role=_ROLE, is_disabled={"type": "boolean"}),
        "additionalProperties": False,
    },
    "Member": object_of(["username", "role", "since"], username=_TEXT, role=_ROLE, since=_TIME),
    "MemberRequest": {**object_of(["role"], role=_ROLE), "additionalProperties": False},
    "Act": object_of(
        ["number", "at", "account", "member", "token", "address", "action", "target", "status", "details"],
        number={"type": "integer"},
        at=_TIME,
        account={**_TEXT, "description": "Who did it."},
        member={**_MAYBE_TEXT, "description": "Who held the token, of an organization's token."},
        token=object_of(["id", "name"], id={"type": "integer"}, name=_TEXT),
        address=_MAYBE_TEXT,
        action={**_TEXT, "description": "The operation's name in this document."},
        target={**_TEXT, "description": "The path that was called."},
        status={"type": ["integer", "null"], "description": "Of the answer; null when the server died before it."},
        details={"type": "object"},
    ),
}
