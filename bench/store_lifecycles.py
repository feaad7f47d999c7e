"""Durable lives of a prediction (create, claim, finish) per second: python bench/store_lifecycles.py [SECONDS]."""

import asyncio
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from cogyard.clock import SystemClock
from cogyard.domain.account import AccountKind, Role
from cogyard.domain.events import Output, Started, Succeeded
from cogyard.domain.prediction import Prediction, apply
from cogyard.domain.queue import version_queue
from cogyard.domain.values import InstanceId, VersionId
from cogyard.ids import new_prediction_id
from cogyard.store import open_store

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0


async def measure(concurrency: int) -> None:
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(Path(folder) / "db.sqlite", clock)
        account = await store.create_account("bench", AccountKind.user, "bench", clock.now(), Role.admin)
        times: list[float] = []
        end = time.perf_counter() + SECONDS

        async def live(version: VersionId) -> None:
            while time.perf_counter() < end:
                start, now = time.perf_counter(), clock.now()
                prediction = Prediction(
                    id=new_prediction_id(now),
                    account=account.id,
                    model="a/b",
                    version=version,
                    queue=version_queue(version),
                    input={"text": "hi"},
                    created_at=now,
                )
                await store.create_prediction(prediction)
                claimed = await store.claim(version_queue(version), InstanceId("i"), timedelta(seconds=15), now)
                assert claimed is not None
                after = apply(apply(apply(claimed, Started(at=now)), Output(items=("hi",))), Succeeded(at=now))
                assert await store.record(claimed, after)
                assert replace(after) == after
                times.append(time.perf_counter() - start)

        await asyncio.gather(*(live(VersionId(f"{number:064x}")) for number in range(concurrency)))
        await store.close()
    times.sort()
    middle = times[len(times) // 2] * 1000
    print(f"concurrency {concurrency:3d}: {len(times) / SECONDS:7.0f} lives/s, p50 {middle:.2f} ms")


for concurrency in (1, 16, 64):
    asyncio.run(measure(concurrency))
