"""The first answer of a model that does not run: a bare Cog server started for it, and Cogyard, by turns.

python bench/cold_boot.py [--rounds 30]

Bare: from the start of the process, health checks every 5 ms, to the answer. Cogyard: from the request to the answer.
Each round has a model of its own, so that the scheduler can know none's habits. The rest tells where Cogyard's time
goes, as its own records have it.
"""

import argparse
import http.client
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from yards import HERE, TOKEN, Yard, free_port, started

SETTLED = 0.3
"""Seconds of quiet before each start."""

ANSWER = {"Content-Type": "application/json"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, started(Path(folder) / "yard", idle_timeout="0.1") as yard:
        versions = [pushed(yard, Path(folder), number) for number in range(rounds + 1)]
        [environment] = (yard.data / "environments").iterdir()
        for version in versions:
            wait_until_stopped(yard)
            figures.setdefault("Cog alone", []).append(bare(environment, yard.data / "sources" / version))
            wait_until_stopped(yard)
            figures.setdefault("Cogyard", []).append(through(yard, version))
        wait_until_stopped(yard)
        phases(yard, figures)
    for name, times in figures.items():
        tell(name, times[1:])  # without the first, which makes the machine's caches warm
    ratio = statistics.median(figures["Cogyard"][1:]) / statistics.median(figures["Cog alone"][1:])
    print(f"ratio of the medians, Cogyard to Cog alone: {ratio:.2f}")


def pushed(yard: Yard, folder: Path, number: int) -> str:
    """A version that does what the others do."""
    copy = shutil.copytree(HERE / "echo", folder / f"echo-{number}", ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / "predict.py").open("a") as file:
        file.write(f"# {number}\n")
    return yard.push(copy, f"bench/echo-{number}").partition(":")[2]


def bare(environment: Path, folder: Path) -> float:
    """Seconds from a Cog server's start to its first answer."""
    port = free_port()
    variables = {
        "PATH": f"{environment / 'bin'}:/usr/bin:/bin",
        "HOME": "/tmp",
        "PORT": str(port),
        "COG_LOG_LEVEL": "error",
        "COG_PREDICT_TYPE_STUB": "predict.py:Predictor",
    }
    command = [str(environment / "bin" / "python"), "-m", "cog.server.http", "--host", "127.0.0.1"]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=variables, start_new_session=True, **quiet)
    try:
        while not is_ready(port):
            time.sleep(0.005)
        answer = ask(port, "POST", "/predictions", {"input": {"text": "hi"}})
        seconds = time.perf_counter() - begun
        assert answer["output"] == "hi", answer
        return seconds
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def is_ready(port: int) -> bool:
    try:
        return ask(port, "GET", "/health-check")["status"] == "READY"
    except OSError:
        return False


def through(yard: Yard, version: str) -> float:
    """Seconds from a request to its answer with the output."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Prefer": "wait"}
    begun = time.perf_counter()
    answer = ask(yard.port, "POST", "/v1/predictions", {"version": version, "input": {"text": "hi"}}, headers)
    seconds = time.perf_counter() - begun
    assert answer["output"] == "hi", answer
    return seconds


def ask(port: int, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> dict:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {**ANSWER, **(headers or {})})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def wait_until_stopped(yard: Yard) -> None:
    """Wait for the end of all instances: their folders go with them."""
    while (yard.data / "instances").exists() and any((yard.data / "instances").iterdir()):
        time.sleep(0.01)
    time.sleep(SETTLED)


def phases(yard: Yard, figures: dict[str, list[float]]) -> None:
    """What the records say of each start, in seconds: columns of times are microseconds."""
    database = sqlite3.connect(f"file:{yard.data / 'cogyard.db'}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    predictions = database.execute("select * from predictions order by created_at").fetchall()
    instances = database.execute("select * from instances order by created_at").fetchall()
    for prediction, instance in zip(predictions, instances, strict=True):
        steps = {
            "  created to instance": (prediction["created_at"], instance["created_at"]),
            "  instance to ready": (instance["created_at"], instance["ready_at"]),
            "  ready to begun": (instance["ready_at"], prediction["started_at"]),
            "  begun to completed": (prediction["started_at"], prediction["completed_at"]),
        }
        for name, (since, until) in steps.items():
            figures.setdefault(name, []).append((until - since) / 1e6)
        for phase, seconds in json.loads(instance["boot"] or "{}").items():
            figures.setdefault(f"    of the boot: {phase}", []).append(seconds)
    database.close()


def tell(name: str, times: list[float]) -> None:
    p90 = statistics.quantiles(times, n=10)[-1] if len(times) > 1 else times[0]
    print(f"{name:28s} p50 {statistics.median(times) * 1000:6.0f} ms   p90 {p90 * 1000:6.0f} ms")


if __name__ == "__main__":
    main()
