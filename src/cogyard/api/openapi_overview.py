"""The routes of instances, queues, the machine and models' settings with their schemas, as `openapi` describes them."""

from cogyard.api.openapi_operation import Operation, page
from cogyard.api.openapi_schemas import object_of
from cogyard.domain.instance import InstanceState
from cogyard.domain.values import JsonObject
from cogyard.keeping import LONGEST_IDLE, MOST_INSTANCES

_TEXT: JsonObject = {"type": "string"}
_MAYBE_TEXT: JsonObject = {"type": ["string", "null"]}
_TIME: JsonObject = {"type": "string", "format": "date-time"}
_MAYBE_TIME: JsonObject = {"type": ["string", "null"], "format": "date-time"}
_COUNT: JsonObject = {"type": "integer", "minimum": 0}
_SECONDS: JsonObject = {"type": "number", "minimum": 0}
_BYTES: JsonObject = {**_COUNT, "description": "In bytes."}
_STATES = [state.value for state in InstanceState]
_STATE: JsonObject = {"type": "string", "enum": [*_STATES]}
_IDS: JsonObject = {"type": "array", "items": _TEXT}
_SETTINGS = "/models/{owner}/{name}/settings"

OVERVIEW: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/instances",
        name="instances.list",
        summary="List the instances that run",
        answers=page("Instance"),
        parameters=("all", "cursor"),
        is_extension=True,
    ),
    Operation(
        method="GET",
        path="/instances/{id}",
        name="instances.get",
        summary="Get an instance with the steps of its life and what its setup printed",
        answers={200: ("The instance.", "Instance")},
        is_extension=True,
    ),
    Operation(
        method="POST",
        path="/instances/{id}/stop",
        name="instances.stop",
        summary="Stop an instance once what it runs has ended",
        answers={200: ("The instance.", "Instance")},
        is_extension=True,
    ),
    Operation(
        method="GET",
        path="/queue",
        name="queue.list",
        summary="List what waits, and why",
        answers={200: ("A row for each model or deployment that has an instance or a queue.", "Queue")},
        is_extension=True,
    ),
    Operation(
        method="GET",
        path="/machine",
        name="machine.get",
        summary="Get what the machine has and how much of it is in use",
        answers={200: ("The machine.", "Machine")},
        is_extension=True,
    ),
    Operation(
        method="GET",
        path=_SETTINGS,
        name="models.settings.get",
        summary="Get how a model's instances are kept",
        answers={200: ("The settings.", "ModelSettings")},
        is_extension=True,
    ),
    Operation(
        method="PATCH",
        path=_SETTINGS,
        name="models.settings.update",
        summary="Change how a model's instances are kept",
        answers={200: ("The settings.", "ModelSettings")},
        body="ModelSettingsChange",
        is_extension=True,
    ),
)

_TARGET: dict[str, JsonObject] = {
    "model": {**_MAYBE_TEXT, "description": "`owner/name`; null for a deployment's."},
    "deployment": {**_MAYBE_TEXT, "description": "`owner/name`; null for a model's."},
    "version": {**_TEXT, "description": "64 hex digits, or `hidden` for an official model's."},
    "kind": {"type": "string", "enum": ["prediction", "training"]},
}
_KEPT: dict[str, JsonObject] = {
    "idle_timeout": {
        "type": ["number", "null"],
        "minimum": 0,
        "maximum": LONGEST_IDLE,
        "description": "Seconds that an idle instance is kept; null for what the server's settings say.",
    },
    "max_instances": {
        "type": ["integer", "null"],
        "minimum": 0,
        "maximum": MOST_INSTANCES,
        "description": "Most at once; null for as many as are of use, 0 for none.",
    },
    "hardware": {**_TEXT, "description": "A SKU of `/hardware`."},
}

OVERVIEW_SCHEMAS: JsonObject = {
    "Instance": object_of(
        [
            *("id", *_TARGET, "state", "since", "reason", "created_at", "ready_at", "ended_at", "hardware", "cpus"),
            *("memory", "memory_limit", "peak_memory", "gpus", "slots", "predictions", "boot"),
        ],
        id=_TEXT,
        **_TARGET,
        state=_STATE,
        since={**_TIME, "description": "When it came into its state."},
        reason={**_MAYBE_TEXT, "description": "Why it was started; of one that ends, why."},
        created_at=_TIME,
        ready_at=_MAYBE_TIME,
        ended_at=_MAYBE_TIME,
        hardware=_TEXT,
        cpus=_COUNT,
        memory={"type": ["integer", "null"], "description": "Bytes that it uses now; null when it is over."},
        memory_limit={"type": ["integer", "null"], "description": "Bytes past which it is ended."},
        peak_memory={**_COUNT, "description": "The most bytes that it has used."},
        gpus={"type": "array", "items": _COUNT, "description": "Indexes of its devices."},
        slots={**_COUNT, "description": "Predictions at a time."},
        predictions={**_IDS, "description": "What it runs now, of yours; for admins all."},
        boot={
            "type": ["object", "null"],
            "description": "Seconds that each phase of its start took, once it is ready.",
            "properties": {"spawn": _SECONDS, "import": _SECONDS, "setup": _SECONDS},
        },
        pid={"type": ["integer", "null"], "description": "For admins."},
        events={
            "type": "array",
            "items": object_of(["at", "state", "reason"], at=_TIME, state=_STATE, reason=_MAYBE_TEXT),
            "description": "The steps of its life, where one instance is asked for.",
        },
        setup_logs={**_TEXT, "description": "For those who may change the model or use the deployment."},
    ),
    "Queue": object_of(["results"], results={"type": "array", "items": {"$ref": "#/components/schemas/QueueRow"}}),
    "QueueRow": object_of(
        [*_TARGET, "queued", "oldest", "reason", "instances"],
        **_TARGET,
        queued={**_COUNT, "description": "Predictions that wait."},
        oldest={**_MAYBE_TIME, "description": "When the oldest of them was created."},
        reason={**_MAYBE_TEXT, "description": "Why they wait."},
        instances={
            "type": "object",
            "properties": dict.fromkeys(_STATES, _COUNT),
            "additionalProperties": False,
            "description": "How many there are in each state.",
        },
        priority={"type": "integer", "description": "Of a deployment, where it is not 0."},
        predictions={
            "type": "array",
            "maxItems": 100,
            "items": object_of(["id", "created_at"], id=_TEXT, created_at=_TIME),
            "description": "Those of yours that wait, the oldest first.",
        },
    ),
    "Machine": object_of(
        ["cpus", "memory", "memory_reserved", "gpus", "instances", "max_instances", "hardware"],
        cpus=_COUNT,
        memory={**_COUNT, "description": "Bytes that instances may use."},
        memory_reserved={**_COUNT, "description": "Bytes that are reserved for those that run."},
        gpus={
            "type": "array",
            "items": object_of(
                ["index", "name", "memory", "instances"],
                index=_COUNT,
                name=_TEXT,
                memory=_BYTES,
                instances={**_IDS, "description": "Those that you may see."},
            ),
        },
        instances={**_COUNT, "description": "How many there are, whoever may see them."},
        max_instances=_COUNT,
        hardware={"type": "array", "items": {"$ref": "#/components/schemas/HardwareKind"}},
    ),
    "HardwareKind": object_of(
        ["sku", "name", "cpus", "memory", "gpus", "gpu_memory"],
        sku=_TEXT,
        name=_TEXT,
        cpus=_COUNT,
        memory=_BYTES,
        gpus=_COUNT,
        gpu_memory={**_COUNT, "description": "Bytes of each device; 0 for whole ones."},
        price={**_TEXT, "description": "Of a second, in the yard's currency, where there is one."},
    ),
    "ModelSettings": object_of(list(_KEPT), **_KEPT),
    "ModelSettingsChange": {**object_of([], **_KEPT), "additionalProperties": False},
}
