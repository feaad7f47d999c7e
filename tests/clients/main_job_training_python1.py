"""A training with the Python client 1.x, on a file written here; prints what came of it as JSON."""

import io
import json
import time

import replicate

latest = replicate.models.get("cogyard/text-classifier").latest_version
assert latest is not None
replicate.models.create("cogyard", "python-tickets", visibility="private", hardware="cpu")

rows = """text,label
My parcel has not arrived yet.,delivery
The courier never rang the bell.,delivery
The box arrived damaged and open.,delivery
I was charged twice this month.,billing
Please refund the payment from Monday.,billing
Why is my invoice higher than last time?,billing
"""
data = io.BytesIO(rows.encode())
data.name = "tickets.csv"
training = replicate.trainings.create(
    model="cogyard/text-classifier",
    version=latest.id,
    input={"data": data, "validation_split": 0},
    destination="cogyard/python-tickets",
)
while training.status in ("starting", "processing"):
    time.sleep(0.2)
    training.reload()
assert training.output, training.error
output = replicate.run(training.output["version"], input={"text": "Where is the package that I ordered?"})
result = {
    "status": training.status,
    "version": training.output["version"],
    "label": output[0]["label"],
    "scores": output[0]["scores"],
}
print(json.dumps(result))
