"""Milliseconds of sums of usage, over 1,000,000 predictions, and over a large yard's year.

python bench/usage_sums.py [--predictions 1000000] [--accounts 50] [--rounds 200]

The predictions are real rows, written past the server and added up as the store does it; then the sums of a year of
many accounts, each with 10 models and 2 tokens, one row for each that was used on a day.
"""

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import httpx
from yards import HERE, TOKEN, started

YEAR = 365
MODELS = 10
TOKENS = 2
DAY = 86_400_000_000
COLUMNS = "account, day, token, model, deployment, kind, hardware, unit, count, run_time, uptime, quantity, cost"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--predictions", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    prices = '{"cpu": "0.0001"}'
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        with started(data, retention="0", hardware_prices=prices) as yard:
            reference = yard.push(HERE / "echo", "bench/echo")
            done = yard.run(reference, {"text": "hi"})
        path = data / "cogyard.db"
        real = fill_predictions(path, done["id"], options.predictions)
        measure_all(data, prices, f"{options.predictions:,} predictions, {real:,} rows of sums", options.rounds)
        wide = fill_year(path, options.accounts)
        measure_all(data, prices, f"a year of {options.accounts} accounts, {wide:,} rows of sums", options.rounds)


def fill_predictions(path: Path, template: str, count: int) -> int:
    """Predictions of a year of one account, 10 models and 2 tokens, and the sums that their ends would have made."""
    dice = random.Random(7)
    with sqlite3.connect(path) as database:
        names = [row[1] for row in database.execute("PRAGMA table_info(predictions)") if row[1] != "sequence"]
        fields, holes = ", ".join(names), ", ".join(f":{name}" for name in names)
        found = database.execute(f"SELECT {fields} FROM predictions WHERE id = ?", (template,)).fetchone()
        one = dict(zip(names, found, strict=True))
        database.execute("DELETE FROM usage")
        database.execute("DELETE FROM predictions")
        for start in range(0, count, 50_000):
            batch = []
            for number in range(start, min(start + 50_000, count)):
                ended = one["completed_at"] - number * YEAR * DAY // count
                micros = dice.randrange(1, 60_000_000)
                changes = {"created_at": ended - micros, "started_at": ended - micros, "completed_at": ended}
                more = {"model": f"bench/model-{number % MODELS}", "token": number % TOKENS + 1, "cost": micros // 10}
                batch.append({**one, **changes, **more, "id": f"{number:026d}"})
            database.executemany(f"INSERT INTO predictions ({fields}) VALUES ({holes})", batch)
        database.execute(
            f"INSERT INTO usage ({COLUMNS}) SELECT account, completed_at / {DAY}, token, model, '', kind, hardware, "
            "unit, count(*), sum(completed_at - started_at), 0, 0, sum(cost) FROM predictions "
            "GROUP BY 1, 2, 3, 4, 6, 7, 8"
        )
        return int(database.execute("SELECT count(*) FROM usage").fetchone()[0])


def fill_year(path: Path, accounts: int) -> int:
    with sqlite3.connect(path) as database:
        first = int(database.execute("SELECT max(day) FROM usage").fetchone()[0]) - YEAR
        numbers = [1000 + number for number in range(accounts)]
        database.executemany(
            "INSERT INTO accounts (id, key, kind, username, name, created_at) VALUES (?, ?, 'user', ?, '', 0)",
            [(number, f"user-{number}", f"user-{number}") for number in numbers],
        )
        database.executemany(
            f"INSERT INTO usage ({COLUMNS}) VALUES (?, ?, ?, ?, '', 'prediction', 'cpu', '', 7, 7000000, 0, 0, 700000)",
            (
                (account, first + day, account * TOKENS + token, f"bench/model-{model}")
                for account in numbers
                for day in range(YEAR)
                for model in range(MODELS)
                for token in range(TOKENS)
            ),
        )
        return int(database.execute("SELECT count(*) FROM usage").fetchone()[0])


def measure_all(data: Path, prices: str, what: str, rounds: int) -> None:
    print(what)
    with (
        started(data, retention="0", hardware_prices=prices) as yard,
        httpx.Client(
            base_url=f"{yard.url}/v1", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60, trust_env=False
        ) as http,
    ):
        year = "from=2020-01-01"
        for query, asked in (
            ("this month by model", "/usage"),
            ("a year by model", f"/usage?{year}"),
            ("a year by day, model and token", f"/usage?{year}&by=day,model,token&account=cogyard"),
            ("the same as CSV", f"/usage?{year}&by=day,model,token&account=cogyard&format=csv"),
            ("a year of everybody by account", f"/usage?{year}&by=account"),
            ("a year of everybody by day", f"/usage?{year}&by=day"),
        ):
            measure(http, query, asked, rounds)


def measure(http: httpx.Client, what: str, path: str, rounds: int) -> None:
    spent = []
    for _ in range(rounds):
        begun = time.perf_counter()
        answer = http.get(path)
        spent.append((time.perf_counter() - begun) * 1000)
        assert answer.status_code == 200, answer.text
    spent.sort()
    print(
        f"  {what:35s} p50 {statistics.median(spent):6.1f} ms   p99 {spent[int(len(spent) * 0.99)]:6.1f} ms"
        f"   {len(answer.content) / 1024:.0f} KiB"
    )


main()
