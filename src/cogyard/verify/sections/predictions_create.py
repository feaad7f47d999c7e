"""What a creation takes (§5.1), and what it refuses (§1.4, §1.5)."""

from cogyard.domain.values import Json, JsonObject
from cogyard.verify.check import Check
from cogyard.verify.expect import header, holds, invalid_field, no_header, refused, status, value
from cogyard.verify.http import Answer
from cogyard.verify.lab import Evidence, Lab
from cogyard.verify.probe import canary, grammar
from cogyard.verify.running import attempt, create_at, created, end_of
from cogyard.verify.verdict import require

INVALID_VERSION = "The specified version does not exist (or perhaps you don't have permission to use it?)"


async def _by_id(lab: Lab) -> Answer:
    return await attempt(lab, (await lab.once(canary)).partition(":")[2], {"text": "Ada"})


def _with(model_input: Json, **more: Json) -> Evidence:
    async def evidence(lab: Lab) -> Answer:
        return await attempt(lab, await lab.once(canary), model_input, more=more)

    return evidence


def _body(body: JsonObject) -> Evidence:
    async def evidence(lab: Lab) -> Answer:
        return await create_at(lab, "/predictions", body)

    return evidence


def _version(text: str) -> Evidence:
    return _body({"version": text, "input": {}})


async def _latest(lab: Lab) -> Answer:
    return await attempt(lab, (await lab.once(canary)).partition(":")[0] + ":latest", {"text": "Ada"})


async def _foreign_version(lab: Lab) -> Answer:
    model = (await lab.once(grammar)).partition(":")[0]
    return await attempt(lab, f"{model}:{(await lab.once(canary)).partition(':')[2]}", {"text": "Ada"})


async def _with_model(lab: Lab) -> Answer:
    return await create_at(lab, "/predictions", {"model": "acme/canary", "input": {}})


async def _large(lab: Lab) -> Answer:
    return await attempt(lab, await lab.once(canary), {"text": "x" * 1_000_000})


async def _large_is_whole(lab: Lab) -> None:
    ended = await end_of(lab, (await lab.once(_large)).expect(201, 202))
    output = ended.at("output")
    text = "".join(str(piece) for piece in output) if isinstance(output, list) else str(output)
    require(len(text) == 1_000_013, f"expected all of 1,000,013 characters, got {len(text)} {ended.told}")


_UNKNOWN = _version("0" * 64)
_EMPTY = _body({})
_WEBHOOK = "https://example.com/hook?id=1"
_HOOKED = _with({"text": "Ada"}, webhook=_WEBHOOK, webhook_events_filter=["completed", "start"])
_STREAM = _with({"text": "Ada"}, stream=True)
_EXTRA = _with({"text": "Ada", "nobody_knows": [1, {"a": None}]})

REFUSED: tuple[tuple[str, str, Evidence, str, str, str], ...] = (
    (
        "no-version",
        "A body without `version` is refused.",
        _EMPTY,
        "required",
        "",
        "version is required",
    ),
    ("no-input", "A body without `input` is refused.", _EMPTY, "required", "", "input is required"),
    (
        "unknown-key",
        "A key that the body does not know is refused, such as `model`.",
        _with_model,
        "additional_property_not_allowed",
        "",
        "Additional property model is not allowed",
    ),
    (
        "misspelled-key",
        "A misspelled key is refused, and named.",
        _with({"text": "Ada"}, web_hook=_WEBHOOK),
        "additional_property_not_allowed",
        "",
        "Additional property web_hook is not allowed",
    ),
    (
        "input-text",
        "An `input` that is a string is refused.",
        _with("text"),
        "invalid_type",
        "input",
        "Invalid type. Expected: object, given: string",
    ),
    (
        "input-array",
        "An `input` that is an array is refused.",
        _with([]),
        "invalid_type",
        "input",
        "Invalid type. Expected: object, given: array",
    ),
    (
        "input-null",
        "An `input` that is null is refused.",
        _with(None),
        "invalid_type",
        "input",
        "Invalid type. Expected: object, given: null",
    ),
    (
        "version-number",
        "A `version` that is a number is refused.",
        _body({"version": 1, "input": {}}),
        "invalid_type",
        "version",
        "Invalid type. Expected: string, given: integer",
    ),
    (
        "webhook-number",
        "A `webhook` that is a number is refused.",
        _with({"text": "Ada"}, webhook=1),
        "invalid_type",
        "webhook",
        "Invalid type. Expected: string, given: integer",
    ),
    (
        "stream-text",
        "A `stream` that is a string is refused.",
        _with({"text": "Ada"}, stream="yes"),
        "invalid_type",
        "stream",
        "Invalid type. Expected: boolean, given: string",
    ),
    (
        "filter-text",
        "A `webhook_events_filter` that is a string is refused.",
        _with({"text": "Ada"}, webhook_events_filter="start"),
        "invalid_type",
        "webhook_events_filter",
        "Invalid type. Expected: array, given: string",
    ),
)

CHECKS: tuple[Check, ...] = (
    Check("predictions.create.by-reference", "§5.1", "`version` may be `owner/name:id`.", status(created, 201)),
    Check("predictions.create.by-id", "§5.1", "`version` may be the 64 hex digits alone.", status(_by_id, 201)),
    Check(
        "predictions.create.content-type",
        "§1.3",
        "A creation is answered with JSON.",
        header(created, "content-type", r"application/json(;.*)?"),
    ),
    Check(
        "predictions.create.location",
        "§1.3",
        "`Location` is where the prediction is polled.",
        holds(
            created, lambda answer: answer.headers.get("location") == answer.at("urls.get"), "Location to be urls.get"
        ),
    ),
    Check(
        "predictions.create.at-once",
        "§9.4",
        "Without `Prefer` the answer does not wait for the end.",
        value(created, "status", "starting", "processing"),
    ),
    Check(
        "predictions.create.not-applied",
        "§1.3",
        "Without `Prefer` there is no `Preference-Applied`.",
        no_header(created, "preference-applied"),
    ),
    Check("predictions.create.stream-flag", "§5.1", "`stream` is still accepted.", status(_STREAM, 201)),
    Check(
        "predictions.create.unknown-input",
        "§1.5",
        "Keys of `input` that the model does not know are no error.",
        status(_EXTRA, 201),
    ),
    Check(
        "predictions.create.webhook-echo",
        "§5.2",
        "A `webhook` is echoed, with its query.",
        value(_HOOKED, "webhook", _WEBHOOK),
    ),
    Check(
        "predictions.create.filter-echo",
        "§5.2",
        "`webhook_events_filter` is echoed in the order given.",
        value(_HOOKED, "webhook_events_filter", ["completed", "start"]),
    ),
    Check("predictions.create.large-input", "§14", "An input of a megabyte is accepted.", status(_large, 201)),
    Check("predictions.create.large-output", "§14", "An output of a megabyte comes whole.", _large_is_whole),
    Check(
        "predictions.create.unknown-version.status",
        "§1.4",
        "An unknown version is answered with 422.",
        status(_UNKNOWN, 422),
    ),
    Check(
        "predictions.create.unknown-version.title",
        "§1.4",
        "The title of an unknown version's 422 is `Invalid version or not permitted`.",
        value(_UNKNOWN, "title", "Invalid version or not permitted"),
    ),
    Check(
        "predictions.create.unknown-version.detail",
        "§1.4",
        "The detail of an unknown version's 422 leaves open whether the version exists.",
        value(_UNKNOWN, "detail", INVALID_VERSION),
    ),
    Check(
        "predictions.create.unknown-version.body-status",
        "§1.4",
        "The body of an unknown version's 422 repeats the status.",
        value(_UNKNOWN, "status", 422),
    ),
    Check("predictions.create.latest", "§5.1", "`owner/name:latest` is refused with 422.", status(_latest, 422)),
    Check(
        "predictions.create.nonsense-version",
        "§5.1",
        "A version that is no version is refused with 422.",
        status(_version("nonsense"), 422),
    ),
    Check(
        "predictions.create.short-version",
        "§5.1",
        "The first digits of a version are no version.",
        status(_version("0" * 12), 422),
    ),
    Check(
        "predictions.create.foreign-version",
        "§5.1",
        "A version under another model's name is refused with 422.",
        status(_foreign_version, 422),
    ),
    Check(
        "predictions.create.unknown-model-and-version",
        "§1.4",
        "A version of an unknown model is refused with 422, not with 404.",
        status(_version(f"nobody/nothing:{'0' * 64}"), 422),
    ),
    Check(
        "predictions.create.webhook-no-url",
        "§10.1",
        "A webhook that is no URL is refused.",
        refused(_with({"text": "Ada"}, webhook="not a url")),
    ),
    Check(
        "predictions.create.webhook-scheme",
        "§10.1",
        "A webhook that is no HTTP address is refused.",
        refused(_with({"text": "Ada"}, webhook="ftp://example.com/hook")),
    ),
    Check(
        "predictions.create.unknown-event",
        "§5.1",
        "An event that there is not is refused with 422.",
        status(_with({"text": "Ada"}, webhook=_WEBHOOK, webhook_events_filter=["begin"]), 422),
    ),
    Check(
        "predictions.create.all-at-once",
        "§1.5",
        "All faults of a body are told at once.",
        holds(_EMPTY, lambda answer: len(answer.array("invalid_fields")) == 2, "two invalid fields"),
    ),
    Check(
        "predictions.create.refused.title",
        "§1.4",
        "The title of a 422 is `Input validation failed`.",
        value(_EMPTY, "title", "Input validation failed"),
    ),
    Check(
        "predictions.create.refused.body-status",
        "§1.4",
        "The body of a 422 repeats the status.",
        value(_EMPTY, "status", 422),
    ),
    Check(
        "predictions.create.refused.detail",
        "§1.5",
        "A fault of the body itself has a line without a field.",
        holds(
            _with_model,
            lambda answer: "- Additional property model is not allowed\n" in answer.string("detail"),
            "the line",
        ),
    ),
    Check(
        "predictions.create.refused.content-type",
        "§1.4",
        "A 422 is a problem document.",
        header(_EMPTY, "content-type", r"application/(problem\+)?json(;.*)?"),
    ),
    Check(
        "predictions.create.refused.newline",
        "§1.4",
        "The body of a 422 ends with a newline.",
        holds(_EMPTY, lambda answer: answer.body.endswith(b"}\n"), "a newline after the JSON"),
    ),
    *(
        Check(f"predictions.create.refuses.{name}", "§1.5", fact, invalid_field(evidence, kind, field, description))
        for name, fact, evidence, kind, field, description in REFUSED
    ),
)
