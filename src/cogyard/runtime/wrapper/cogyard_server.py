"""Starts the Cog server as `python -m cog.server.http` does, but without importing `cog` into it.

The server, which only answers HTTP, asks the SDK for its version and for nothing else; the import would take most of
the time until it listens. Its worker, a process of its own, imports the real one.

python cogyard_server.py [train]; told by the environment: PORT, COGYARD_COG (the SDK's version) and the references that
Cog knows (COG_PREDICT_TYPE_STUB, COG_TRAIN_TYPE_STUB).
"""

import os
import sys
import types

import coglet

sdk = types.ModuleType("cog")
sdk.__version__ = os.environ["COGYARD_COG"]  # type: ignore[attr-defined]
sys.modules["cog"] = sdk
is_train = "train" in sys.argv[1:]
coglet.server.serve(
    predictor_ref=os.environ["COG_TRAIN_TYPE_STUB" if is_train else "COG_PREDICT_TYPE_STUB"],
    host="127.0.0.1",
    port=int(os.environ["PORT"]),
    await_explicit_shutdown=False,
    is_train=is_train,
    upload_url=None,
)
