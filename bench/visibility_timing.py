"""Whether the time of a 404 tells that something private is there: python bench/visibility_timing.py [ROUNDS].

A stranger asks for a foreign private object and for one that nobody has, by turns on one connection.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
from yards import HERE, started

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 400


def made(answer: httpx.Response):
    answer.raise_for_status()
    return answer.json()


def user(yard, username: str) -> str:
    with yard.http as admin:
        made(admin.post("/users", json={"username": username}))
        return made(admin.post("/tokens", json={"name": "bench", "account": username}))["token"]


def client(yard, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=f"{yard.url}/v1", headers=headers, timeout=60, trust_env=False)


def compare(http: httpx.Client, what: str, there: str, not_there: str) -> None:
    times: dict[str, list[float]] = {there: [], not_there: []}
    for number in range(ROUNDS + 20):
        for path in (there, not_there) if number % 2 else (not_there, there):
            began = time.perf_counter()
            status = http.get(path).status_code
            took = time.perf_counter() - began
            assert status == 404, (path, status)
            if number >= 20:
                times[path].append(took * 1e6)
    told = []
    for path in (there, not_there):
        low, middle, high = statistics.quantiles(times[path], n=4)
        told.append(f"{middle:.0f} [{low:.0f}-{high:.0f}]")
    print(f"| {what} | {told[0]} | {told[1]} |")


def main() -> None:
    limits = {"token_rate_creates": "0", "token_rate_requests": "0", "token_rate_polls": "0"}
    with tempfile.TemporaryDirectory() as folder, started(Path(folder), **limits) as yard:
        ada, eve = user(yard, "ada"), user(yard, "eve")
        with yard.http as admin:
            made(admin.post("/organizations", json={"username": "lab"}))
        with client(yard, ada) as http:
            model = {"owner": "ada", "name": "engine", "visibility": "private", "hardware": "cpu"}
            made(http.post("/models", json=model))
            pushed = yard.cogyard("--token", ada, "push", str(HERE / "echo"), "ada/engine")
            assert pushed.returncode == 0, pushed.stderr
            version = pushed.stdout.strip().partition(":")[2]
            wanted = {"version": version, "input": {"text": "hi"}}
            prediction = made(http.post("/predictions", json=wanted, headers={"Prefer": "wait"}))["id"]
        other = prediction[:-1] + ("0" if prediction[-1] != "0" else "1")
        print("| a stranger's GET of | there | not there |\n| --- | --- | --- |")
        with client(yard, eve) as http:
            compare(http, "a model", "/models/ada/engine", "/models/ada/nothing")
            compare(
                http, "a version", f"/models/ada/engine/versions/{version}", f"/models/ada/engine/versions/{'a' * 64}"
            )
            compare(http, "a prediction", f"/predictions/{prediction}", f"/predictions/{other}")
            compare(http, "a user", "/users/ada", "/users/ido")
            compare(http, "an organization", "/organizations/lab", "/organizations/bal")


if __name__ == "__main__":
    main()
