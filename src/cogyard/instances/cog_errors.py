"""What the Cog server says when something goes wrong, in the words that callers are told."""

import re

import orjson

from cogyard.domain.values import Json, JsonObject

_PREFIXES = re.compile(
    r"^(?:(?:Prediction failed|Training failed|Setup failed|Generator iteration error|Async prediction failed"
    r"|UnusableOutput): )+"
)


def told_error(error: Json) -> str:
    """The model's own words, without the server's prefixes."""
    text = _PREFIXES.sub("", str(error or "The model failed without a word"))
    if text.startswith("Failed to parse output JSON"):
        held = "half of a surrogate pair" if "hex escape" in text else "NaN or Infinity"
        return f"The model's output is not valid JSON: it holds {held}."
    if text.startswith("Failed to serialize output: "):
        return "The model's output is not JSON: " + text.partition("TypeError: ")[2]
    return text


def setup_error(health: JsonObject) -> str:
    """Why setup failed, of a health answer that says it did."""
    setup = health.get("setup")
    logs = setup.get("logs") if isinstance(setup, dict) else None
    lines = [line for line in str(logs or "").splitlines() if line and not line.startswith("[coglet")]
    return _PREFIXES.sub("", lines[-1]) if lines else "setup failed without a word"


def late_setup(complaint: Json, seconds: float) -> str:
    """Why an instance is not ready in time; `complaint` is what the model's own healthcheck said last."""
    if complaint is None:
        return f"setup did not end within {seconds:g} seconds"
    return f"its healthcheck did not succeed within {seconds:g} seconds: {complaint}"


def told_refusal(text: str) -> str:
    """The faults that a 422 answer lists."""
    try:
        value = orjson.loads(text)
        return "; ".join(f"{entry['loc'][-1]}: {entry['msg']}" for entry in value["detail"])
    except (ValueError, KeyError, TypeError, IndexError):
        return text.strip()
