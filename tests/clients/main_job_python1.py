"""The main job with the Python client 1.x: told where to go by the environment alone; prints what it got as JSON."""

import json
import os

import replicate


def version(name: str) -> str:
    latest = replicate.models.get(f"cogyard/{name}").latest_version
    assert latest is not None
    return f"cogyard/{name}:{latest.id}"


request = {"prompt": "Say hello.", "max_tokens": 20, "temperature": 0, "seed": 1}
text = "".join(replicate.run(version("smollm2-135m"), input=request))  # type: ignore[arg-type]
streamed = "".join(str(event) for event in replicate.stream(version("smollm2-135m"), input=request))
with open(os.environ["PICTURE"], "rb") as picture:
    enlarged = replicate.run(version("realesr-upscaler"), input={"image": picture, "scale": 2})
vectors = replicate.run(version("all-minilm-l6-v2"), input={"texts": ["a cat", "a kitten", "a bridge"]})
polled = replicate.predictions.create(version=version("all-minilm-l6-v2").partition(":")[2], input={"text": "hi"})
polled.wait()
try:
    replicate.run(version("all-minilm-l6-v2"), input={"texts": "not a list"})
    refusal = ""
except replicate.exceptions.ReplicateError as error:
    refusal = str(error.detail)
try:
    replicate.run(version("all-minilm-l6-v2"), input={})
    failure = ""
except replicate.exceptions.ModelError as error:
    failure = str(error)
result = {
    "text": text,
    "streamed": streamed,
    "url": enlarged.url,  # type: ignore[union-attr]
    "picture": enlarged.read().hex(),  # type: ignore[union-attr]
    "vectors": vectors,
    "polled": polled.status,
    "refusal": refusal,
    "failure": failure,
}
print(json.dumps(result))
