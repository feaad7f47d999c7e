"""Whether a model can keep what it declared of batches, as far as its schema tells."""

from dataclasses import replace

from cogyard.domain.batching import Batch
from cogyard.domain.catalog import component
from cogyard.domain.errors import BuildFailed
from cogyard.domain.values import JsonObject
from cogyard.validation import compile_input


def check_batch(batch: Batch, where: str, schema: JsonObject) -> Batch:
    """The batch as it will be used: no more items than the input takes. Raises `BuildFailed`; `where` begins it."""
    inputs = component(schema, "Input").get("properties")
    properties = inputs if isinstance(inputs, dict) else {}
    found = properties.get(batch.input)
    if not isinstance(found, dict):
        known = ", ".join(properties) or "none"
        raise BuildFailed(f"{where}: the model has no input {batch.input}; its inputs are: {known}.")
    if found.get("type") != "array":
        raise BuildFailed(f"{where}: the input {batch.input} is no list; give it the type list[…].")
    validator = compile_input(schema)
    if batch.input in validator.secret_names or validator.file_pointers({batch.input: ["data:,"]}):
        raise BuildFailed(
            f"{where}: the items of {batch.input} are files or secrets, and predictions that have some run alone."
        )
    output = component(schema, "Output")
    if output.get("type") != "array" or "x-cog-array-type" in output:
        raise BuildFailed(
            f"{where}: the output must be a list, list[…], with one item for each item of {batch.input}; an iterator "
            "cannot be split."
        )
    most = found.get("maxItems")
    if not isinstance(most, int):
        return batch
    return replace(batch, max_items=most if batch.max_items is None else min(most, batch.max_items))
