"""The routes and bodies of secrets, as `openapi` describes them."""

from cogyard.api.openapi_operation import Operation
from cogyard.api.openapi_schemas import object_of
from cogyard.domain.secret import MOST_BYTES, HolderKind
from cogyard.domain.values import JsonObject

_TEXT: JsonObject = {"type": "string"}
_TIME: JsonObject = {"type": "string", "format": "date-time"}

SECRET_SCHEMAS: JsonObject = {
    "Secret": object_of(
        ["name", "created_at", "updated_at", "updated_by"],
        name=_TEXT,
        created_at=_TIME,
        updated_at=_TIME,
        updated_by={**_TEXT, "description": "Username of the account that set it last."},
    ),
    "SecretList": object_of(["results"], results={"type": "array", "items": {"$ref": "#/components/schemas/Secret"}}),
    "SecretRequest": {
        **object_of(["value"], value={**_TEXT, "minLength": 1, "maxLength": MOST_BYTES, "writeOnly": True}),
        "additionalProperties": False,
    },
}


def _operations(kind: HolderKind) -> tuple[Operation, ...]:
    path = f"/{kind}s/{{owner}}/{{name}}/secrets"
    return (
        Operation(
            method="GET",
            path=path,
            name=f"{kind}s.secrets.list",
            summary=f"List the names of a {kind}'s secrets",
            answers={200: ("Without their values.", "SecretList")},
            is_extension=True,
        ),
        Operation(
            method="PUT",
            path=path + "/{secret}",
            name=f"{kind}s.secrets.put",
            summary=f"Set a secret of a {kind}",
            answers={200: ("The secret, without its value.", "Secret")},
            body="SecretRequest",
            is_extension=True,
        ),
        Operation(
            method="DELETE",
            path=path + "/{secret}",
            name=f"{kind}s.secrets.delete",
            summary=f"Remove a secret of a {kind}",
            answers={204: ("It is gone.", "")},
            is_extension=True,
        ),
    )


SECRETS: tuple[Operation, ...] = tuple(one for kind in HolderKind for one in _operations(kind))
