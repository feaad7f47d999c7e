"""The routes of usage and budgets with their schemas, as `openapi` describes them."""

from cogyard.api.openapi_operation import Operation
from cogyard.api.openapi_schemas import object_of
from cogyard.domain.budget import BudgetKind, Period
from cogyard.domain.usage import UsageKind
from cogyard.domain.values import JsonObject

_TEXT: JsonObject = {"type": "string"}
_MAYBE_TEXT: JsonObject = {"type": ["string", "null"]}
_DAY: JsonObject = {"type": "string", "format": "date"}
_COUNT: JsonObject = {"type": "integer", "minimum": 0}
_NUMBER: JsonObject = {"type": "number", "minimum": 0}
_AMOUNT: JsonObject = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}
_KIND: JsonObject = {"type": "string", "enum": [kind.value for kind in BudgetKind]}
_PERIOD: JsonObject = {"type": "string", "enum": [period.value for period in Period]}
_SUM: dict[str, JsonObject] = {
    "predictions": _COUNT,
    "seconds": {**_NUMBER, "description": "That predictions and trainings ran."},
    "uptime_seconds": {**_NUMBER, "description": "That instances were up."},
    "units": {"type": "object", "description": "Units of output by name.", "additionalProperties": _NUMBER},
    "cost": {**_AMOUNT, "description": "A decimal number in the yard's currency, exact."},
}
_REPORT: dict[str, JsonObject] = {
    "from": _DAY,
    "to": {**_DAY, "type": ["string", "null"]},
    "currency": _TEXT,
    "total": {"$ref": "#/components/schemas/UsageAmounts"},
    "results": {"type": "array", "items": {"$ref": "#/components/schemas/UsageSum"}},
}

USAGE: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/usage",
        name="usage.get",
        summary="Sum what was used",
        answers={200: ("Sums, as JSON or as CSV.", "Usage or csv")},
        parameters=("by", "from_day", "to_day", "account", "format"),
        is_extension=True,
    ),
    Operation(
        method="GET",
        path="/predictions/{id}/usage",
        name="predictions.usage",
        summary="Get what a prediction or training used",
        answers={200: ("Its figures.", "PredictionUsage")},
        is_extension=True,
    ),
    Operation(
        method="GET",
        path="/budgets",
        name="budgets.list",
        summary="List budgets and how they stand",
        answers={200: ("Those of the account.", "BudgetList")},
        parameters=("account",),
        is_extension=True,
    ),
    Operation(
        method="PUT",
        path="/budgets",
        name="budgets.put",
        summary="Set a budget of an account or a token",
        answers={200: ("The budget.", "Budget")},
        body="BudgetRequest",
        is_extension=True,
    ),
    Operation(
        method="DELETE",
        path="/budgets/{id}",
        name="budgets.delete",
        summary="Delete a budget",
        answers={204: ("It is gone.", "")},
        is_extension=True,
    ),
)

USAGE_SCHEMAS: JsonObject = {
    "UsageAmounts": object_of(list(_SUM), **_SUM),
    "UsageSum": object_of(
        list(_SUM),
        account=_TEXT,
        model=_TEXT,
        deployment={**_TEXT, "description": "`owner/name`, or empty."},
        token={"type": "integer", "description": "0 for what no token asked for, such as instances."},
        token_name=_TEXT,
        day=_DAY,
        hardware=_TEXT,
        kind={"type": "string", "enum": [kind.value for kind in UsageKind]},
        **_SUM,
    ),
    "Usage": object_of(
        ["from", "to", "currency", "total", "results"],
        **_REPORT,
    ),
    "PredictionUsage": object_of(
        ["prediction", "status", "model", "token", "seconds", "per", "cost", "currency"],
        prediction=_TEXT,
        status=_TEXT,
        model=_TEXT,
        deployment=_MAYBE_TEXT,
        token={"type": "integer"},
        hardware=_MAYBE_TEXT,
        seconds=_NUMBER,
        unit=_MAYBE_TEXT,
        quantity={"type": ["number", "null"]},
        price={"type": ["string", "null"], "description": "Of a second or a unit, as it was at its creation."},
        per={**_TEXT, "description": "`second`, or the unit."},
        cost={"type": ["string", "null"], "description": "Null until its end."},
        currency=_TEXT,
    ),
    "Budget": object_of(
        [
            *("id", "account", "token", "token_name", "kind", "period"),
            *("limit", "spent", "held", "left", "currency", "ends_at"),
        ],
        id={"type": "integer"},
        account=_TEXT,
        token={"type": ["integer", "null"], "description": "Null for the whole account."},
        token_name=_MAYBE_TEXT,
        kind=_KIND,
        period=_PERIOD,
        limit=_AMOUNT,
        spent=_AMOUNT,
        held={**_AMOUNT, "description": "By predictions that have not ended."},
        left=_AMOUNT,
        currency={**_MAYBE_TEXT, "description": "Null when it counts seconds."},
        ends_at={"type": "string", "format": "date-time", "description": "When it starts anew."},
    ),
    "BudgetList": object_of(["results"], results={"type": "array", "items": {"$ref": "#/components/schemas/Budget"}}),
    "BudgetRequest": {
        **object_of(
            ["kind", "period", "limit"],
            account=_TEXT,
            token={"type": ["integer", "null"], "minimum": 1, "maximum": 2**53},
            kind=_KIND,
            period=_PERIOD,
            limit={"type": ["string", "number"], "description": "In the yard's currency or in seconds."},
        ),
        "additionalProperties": False,
    },
}
