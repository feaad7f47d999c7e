"""How a model is found: the words of a question, their neighbours in meaning, and what a schema says in a sentence."""

import re
from collections.abc import Iterator
from functools import cache

from cogyard.domain.catalog import Model, component
from cogyard.domain.values import Json, JsonObject

MOST_TERMS = 12
"""Words of a question that are looked for; the rest of a pasted page adds nothing."""

_README_CHARACTERS = 300

_WORD = re.compile(r"[^\W_]+")

_IGNORED = frozenset(
    word
    for row in (
        "a an and any are as at be best by can could do does for from get give good have help how i in into is it let",
        "like make me model models my need of on one or our please should some something that the their them this to",
        "about tool turn us use using want we what when which will with without would you your",
    )
    for word in row.split()
)

_NEIGHBOURS = (
    "image images picture pictures photo photos photograph",
    "upscale upscaler upscaling enlarge bigger larger increase resolution superresolution sharpen enhance hd",
    "generate generation create draw paint synthesize",
    "text write writing language llm chat chatbot complete completion gpt",
    "speech voice spoken speak talk say narrate aloud tts",
    "transcribe transcription speech recognition asr subtitles dictation whisper",
    "audio sound music song podcast",
    "embedding embeddings vector vectors similarity semantic encode",
    "caption describe captioning",
    "ocr read scan recognize recognition document",
    "detect detection find locate object objects",
    "segment segmentation mask cutout background remove matte",
    "face faces portrait person people",
    "restore restoration repair fix denoise deblur",
    "colorize colorization colorizer colourise colourize color colour",
    "separate separation separator isolate split stem vocals",
    "translate translation translator",
    "summarize summarise summary summarization shorten tldr",
    "classify classification classifier categorize label moderation nsfw",
    "video movie clip animation animate",
    "style stylize artistic cartoon anime",
    "train training finetune finetuning lora",
    "question answer answering qa assistant",
    "code programming program",
)
"""Words that callers use for each other; one row is one idea."""


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return [match.group().lower() for match in _WORD.finditer(text)]


def search_terms(question: str) -> list[tuple[str, ...]]:
    """For each word of a question that tells something, itself and its neighbours; all words when none does."""
    asked = list(dict.fromkeys(words(question)))
    telling = [word for word in asked if word not in _IGNORED] or asked
    return [(word, *sorted(_neighbours().get(word, frozenset()) - {word})) for word in telling[:MOST_TERMS]]


@cache
def _neighbours() -> dict[str, frozenset[str]]:
    rows = [frozenset(row.split()) for row in _NEIGHBOURS]
    return {word: frozenset().union(*(row for row in rows if word in row)) for row in rows for word in row}


def describe_schema(openapi_schema: JsonObject) -> str:
    """A sentence on what goes in and what comes out, made of a version's schema."""
    inputs = [f"{name} ({_kind(schema)})" for name, schema in _inputs(openapi_schema)]
    takes = "Takes " + ", ".join(inputs) if inputs else "Takes no input"
    return f"{takes}; gives {_output_kind(component(openapi_schema, 'Output'))}."


def model_text(model: Model) -> str:
    """What a model is for, in a sentence or two: whatever else an embedding model reads blurs the meaning."""
    told = model.description or (model.readme or "")[:_README_CHARACTERS]
    parts = (" ".join(words(model.name)), told, ", ".join(model.tags))
    return ". ".join(part.strip().rstrip(".") for part in parts if part.strip())


def schema_words(openapi_schema: JsonObject) -> str:
    """The names and descriptions of a version's inputs, and the kind of its output, as text to be searched."""
    parts = [_output_kind(component(openapi_schema, "Output"))]
    for name, schema in _inputs(openapi_schema):
        description = schema.get("description")
        parts += [name.replace("_", " "), description if isinstance(description, str) else ""]
    return " ".join(parts)


def _inputs(openapi_schema: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    properties = component(openapi_schema, "Input").get("properties")
    for name, schema in (properties if isinstance(properties, dict) else {}).items():
        yield name, schema if isinstance(schema, dict) else {}


def _kind(schema: JsonObject) -> str:
    if "allOf" in schema:
        return "choice"
    if schema.get("format") == "uri":
        return "file"
    items = schema.get("items")
    if schema.get("type") == "array" and isinstance(items, dict):
        return f"list of {_kind(items)}"
    return _word_of(schema.get("type"))


def _output_kind(schema: JsonObject) -> str:
    if schema.get("x-cog-array-display") == "concatenate":
        return "text as it is written"
    items = schema.get("items")
    if schema.get("type") == "array" and isinstance(items, dict):
        return f"a list of {_kind(items)}s" if _kind(items) != "any value" else "a list"
    kind = _kind(schema)
    return {"string": "text", "file": "a file", "object": "a JSON object"}.get(kind, kind)


def _word_of(kind: Json) -> str:
    return kind if isinstance(kind, str) else "any value"
