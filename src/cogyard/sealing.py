"""Secret inputs (Cog's `Secret`): sealed from a prediction's creation on, open to its model alone, gone at the end."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import replace

from cogyard.domain.errors import KeyUnusable
from cogyard.domain.prediction import Prediction
from cogyard.domain.values import Json, JsonObject, PredictionId
from cogyard.ports import Vault


def with_sealed(vault: Vault, prediction: Prediction, names: Sequence[str]) -> Prediction:
    """The new prediction with these inputs sealed. Raises `KeyUnusable`."""
    if not names:
        return prediction
    hidden: JsonObject = {name: _seal(vault, prediction, name) for name in names}
    return replace(prediction, input={**prediction.input, **hidden}, secret_inputs=tuple(names))


def _seal(vault: Vault, prediction: Prediction, name: str) -> str:
    sealed = vault.seal(json.dumps(prediction.input[name]), _context(prediction.id, name))
    return base64.b64encode(sealed).decode()


def open_inputs(vault: Vault, prediction: Prediction) -> JsonObject:
    """What its creator gave. Raises `KeyUnusable`."""
    if not prediction.secret_inputs:
        return prediction.input
    opened: JsonObject = {}
    for name in prediction.secret_inputs:
        try:
            sealed = base64.b64decode(str(prediction.input[name]), validate=True)
        except (binascii.Error, KeyError):
            raise KeyUnusable(f"The secret input {name} was changed in the database.") from None
        value: Json = json.loads(vault.open(sealed, _context(prediction.id, name)))
        opened[name] = value
    return {**prediction.input, **opened}


def _context(prediction: PredictionId, name: str) -> bytes:
    return f"input {prediction} {name}".encode()
