"""Milliseconds of a search over many models, and of a page of predictions at any depth.

python bench/discovery.py [--models 10000] [--predictions 1000000]
"""

import argparse
import base64
import json
import random
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode

import httpx
from yards import HERE, TOKEN, started

THINGS = ["image", "photo", "text", "speech", "audio", "video", "document", "face", "music", "code", "table", "map"]
DEEDS = ["upscale", "describe", "classify", "generate", "transcribe", "translate", "segment", "restore", "embed", "sum"]
MANNERS = ["fast", "small", "large", "tiny", "robust", "multilingual", "realtime", "accurate", "experimental"]
QUESTIONS = (
    "make picture bigger",
    "upscaler",
    "transcribe a meeting",
    "remove the background of a photo",
    "small fast text generation",
    "translate speech into another language",
    "face",
    "colorize old black and white film restoration of archives",
)
DAY = 86_400_000_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--predictions", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        with started(data, retention="0") as yard:
            reference = yard.push(HERE / "echo", "bench/echo")
            done = yard.run(reference, {"text": "hi"})
        fill(data / "cogyard.db", done["id"], options.models, options.predictions)
        with (
            started(data, retention="0") as yard,
            httpx.Client(
                base_url=f"{yard.url}/v1", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60, trust_env=False
            ) as http,
        ):
            for what, paths in (
                (f"search over {options.models:,} models", searches()),
                (f"first page of {options.predictions:,} predictions", ["/predictions"]),
                ("a page at any depth", deep(http, options.predictions)),
                ("a page filtered by time", times(options.predictions)),
                ("a page of predictions from the web (there are none)", ["/predictions?source=web"]),
                ("a page of models", ["/models"]),
            ):
                measure(http, what, paths, options.rounds)


def fill(path: Path, template: str, models: int, predictions: int) -> None:
    """Rows like those that are there, written past the server."""
    dice = random.Random(7)
    with sqlite3.connect(path) as database:
        names = [row[1] for row in database.execute("PRAGMA table_info(models)")]
        model = dict(zip(names, database.execute("SELECT * FROM models").fetchone(), strict=True))
        version, number = model["latest_version"], model["latest_number"]
        rows, words = [], []
        for count in range(models):
            name = f"{dice.choice(MANNERS)}-{dice.choice(THINGS)}-{dice.choice(DEEDS)}-{count}"
            about = " ".join(dice.choice(dice.choice((THINGS, DEEDS, MANNERS))) for _ in range(12))
            readme = " ".join(dice.choice(dice.choice((THINGS, DEEDS, MANNERS))) for _ in range(300))
            changes = {"id": 1000 + count, "name": name, "key": f"bench/{name}", "description": about, "readme": readme}
            rows.append({**model, **changes, "default_example": template})
            words.append((1000 + count, f"bench {name}".replace("-", " "), about, "", "text string", readme))
        fields = ", ".join(names)
        holes = ", ".join(f":{name}" for name in names)
        database.executemany(f"INSERT INTO models ({fields}) VALUES ({holes})", rows)
        database.executemany(
            "INSERT INTO model_search (rowid, name, description, tags, fields, readme) VALUES (?, ?, ?, ?, ?, ?)", words
        )
        database.executemany(
            "INSERT INTO model_versions (model, version) VALUES (?, ?)", [(1000 + n, version) for n in range(models)]
        )
        assert number
        names = [row[1] for row in database.execute("PRAGMA table_info(predictions)") if row[1] != "sequence"]
        fields = ", ".join(names)
        found = database.execute(f"SELECT {fields} FROM predictions WHERE id = ?", (template,)).fetchone()
        one = dict(zip(names, found, strict=True))
        begun = int(one["created_at"])
        for start in range(0, predictions, 50_000):
            batch = []
            for count in range(start, min(start + 50_000, predictions)):
                at = begun - (predictions - count) * 1_000_000
                batch.append({**one, "id": f"{count:026d}", "created_at": at, "started_at": at, "completed_at": at + 1})
            database.executemany(
                f"INSERT INTO predictions ({fields}) VALUES ({', '.join(f':{name}' for name in names)})",
                batch,
            )


def searches() -> list[str]:
    return [f"/search?{urlencode({'query': question, 'limit': 20})}" for question in QUESTIONS]


def deep(http: httpx.Client, predictions: int) -> list[str]:
    """Cursors of our own making: those of pages that would take ten thousand requests to walk to."""
    first = http.get("/predictions").json()
    fields = base64.urlsafe_b64decode(first["next"].partition("cursor=")[2].replace("%3D", "=")).decode()
    newest = int(fields.removeprefix("p=").split(".")[0])
    dice = random.Random(7)
    cursors = []
    for _ in range(50):
        place = f"p={newest - dice.randrange(predictions) * 1_000_000}.{10**9}"
        cursors.append("/predictions?" + urlencode({"cursor": base64.urlsafe_b64encode(place.encode()).decode()}))
    return cursors


def times(predictions: int) -> list[str]:
    now = time.time()
    dice = random.Random(7)
    paths = []
    for _ in range(50):
        before = now - dice.randrange(predictions)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(before))
        paths.append(f"/predictions?{urlencode({'created_before': stamp})}")
    return paths


def measure(http: httpx.Client, what: str, paths: list[str], rounds: int) -> None:
    for path in paths:
        assert http.get(path).status_code == 200, path
    spent = []
    for count in range(rounds):
        begun = time.perf_counter()
        answer = http.get(paths[count % len(paths)])
        spent.append((time.perf_counter() - begun) * 1000)
        assert answer.status_code == 200
    spent.sort()
    size = len(answer.content) / 1024
    print(
        f"{what:55s} p50 {statistics.median(spent):6.1f} ms   p99 {spent[int(len(spent) * 0.99)]:6.1f} ms"
        f"   {len(json.loads(answer.content).get('results', []))} rows, {size:.0f} KiB"
    )


main()
