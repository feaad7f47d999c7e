"""The main job with the Python client 2.0 beta; prints what it got as JSON."""

import json
import os

import replicate

client = replicate.Replicate()


def version(name: str) -> str:
    latest = client.models.get(model_owner="cogyard", model_name=name).latest_version
    return f"cogyard/{name}:{latest['id'] if isinstance(latest, dict) else latest.id}"


request = {"prompt": "Say hello.", "max_tokens": 20, "temperature": 0, "seed": 1}
text = "".join(replicate.run(version("smollm2-135m"), input=request))
with open(os.environ["PICTURE"], "rb") as picture:
    enlarged = replicate.run(version("realesr-upscaler"), input={"image": picture, "scale": 2})
vectors = replicate.run(version("all-minilm-l6-v2"), input={"texts": ["a cat", "a kitten", "a bridge"]})
polled = client.predictions.create(version=version("all-minilm-l6-v2"), input={"text": "hi"})
polled = client.predictions.wait(polled.id)
try:
    replicate.run(version("all-minilm-l6-v2"), input={"texts": "not a list"})
    refusal = ""
except replicate.UnprocessableEntityError as error:
    refusal = error.body["detail"]
try:
    replicate.run(version("all-minilm-l6-v2"), input={})
    failure = ""
except Exception as error:
    failure = str(error)
result = {
    "text": text,
    "streamed": "".join(replicate.stream(version("smollm2-135m"), input=request)),
    "url": enlarged.url,
    "picture": enlarged.read().hex(),
    "vectors": vectors,
    "polled": polled.status,
    "refusal": refusal,
    "failure": failure,
}
print(json.dumps(result))
