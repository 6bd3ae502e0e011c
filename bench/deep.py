"""Data folders with many queued jobs, written through the store itself: over HTTP a million would take minutes more."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rota.protocol.ids import JobId
from rota.protocol.placement import QueueKey
from rota.protocol.spec import Spec
from rota.protocol.wire import timestamp
from rota.storage.sqlite.database import Database
from rota.storage.sqlite.jobs import SqliteJobs
from rota.storage.stores.jobs import NewJob
from rota.world import SystemWorld
from scene import TRUE, house, starting_server

KEPT = "ROTA_BENCH_DEEP"
"""A variable: the folder in which what was filled is kept for the next question of the same run."""
BATCH = 10_000
NAMES, SITES = 1000, 10
"""Each name is had by one job in 1,000, each tag by one in 10."""


@contextmanager
def deep_server(count: int) -> Iterator[house.Server]:
    """A server on data with so many queued jobs."""
    with tempfile.TemporaryDirectory(prefix="rota-bench-deep-") as own:
        data = Path(os.environ.get(KEPT, own)) / f"queued-{count}"
        if not (data / "filled").exists():
            shutil.rmtree(data, ignore_errors=True)
            with starting_server(data):  # makes the environment and the keys
                pass
            asyncio.run(_fill(data / "rota.db", count))
            (data / "filled").touch()
        with starting_server(data) as server:
            yield server


async def _fill(path: Path, count: int) -> None:
    database, world = Database(path, "jobs"), SystemWorld()
    database.start()
    try:
        store, key = SqliteJobs(database), QueueKey("default", "process", {})
        specs = [
            Spec(command=[TRUE], name=f"nightly-{number}", tags={"site": f"s{number % SITES}"})
            for number in range(NAMES)
        ]
        for first in range(0, count, BATCH):
            now = timestamp(datetime.now(UTC))
            jobs = [
                NewJob(JobId(world.new_id()), specs[number % NAMES], key, now, "bench", None)
                for number in range(first, min(first + BATCH, count))
            ]
            await store.submit(jobs, None)
    finally:
        database.stop()
